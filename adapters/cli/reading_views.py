"""What a reading verb looks at: the log, opened for reading, and some views over it."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from adapters.cli.call import Call
from adapters.cli.reading_log import reading_log
from adapters.home import Home
from eventstore.sqlite.log import SqliteLog
from projections.projection import Projection
from projections.view_rows import ViewRows


class Reading(NamedTuple):
    """All of one moment: the views answer for `views.position`."""

    home: Home
    log: SqliteLog
    views: ViewRows


@contextmanager
def reading_views(call: Call, projections: Iterable[Projection]) -> Iterator[Reading]:
    """Raises Failure, LogUnreadable. Says so where the stored views were of no use."""
    with reading_log(call) as (home, log), ViewRows.open(home.views, log, projections) as views:
        yield Reading(home, log, views)
        if views.problem and not call.output.json:
            call.output.note(f"note: {views.problem}; the log was read from its first event instead.")
