"""What a reading verb looks at: the log, opened for reading, and the views over it."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from adapters.cli.call import Call
from adapters.home import Home
from eventstore.sqlite_log import SqliteLog
from projections.all_views import ALL
from projections.view_rows import ViewRows
from schemas.upcasts import UPCASTS


@dataclass(frozen=True)
class Reading:
    """All of one moment: the views answer for `views.position`."""

    home: Home
    log: SqliteLog
    views: ViewRows


@contextmanager
def reading_log(call: Call) -> Iterator[tuple[Home, SqliteLog]]:
    """The log alone, for a verb that stays long: open views would keep their file from shrinking.

    Raises Failure, LogUnreadable.
    """
    home = call.home()
    with closing(SqliteLog(home.log, upcasts=UPCASTS, read_only=True)) as log:
        yield home, log


@contextmanager
def reading(call: Call) -> Iterator[Reading]:
    """Raises Failure, LogUnreadable. Says so where the stored views were of no use."""
    with reading_log(call) as (home, log), ViewRows.open(home.views, log, ALL) as views:
        yield Reading(home, log, views)
        if views.problem and not call.output.json:
            call.output.note(f"note: {views.problem}; the log was read from its first event instead.")
