"""The log alone, opened for reading: for a verb that needs no view, or stays long.

Open views would keep their file from shrinking, and what folds them takes its time to load.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager

from adapters.cli.call import Call
from adapters.home import Home
from eventstore.sqlite.log import SqliteLog
from schemas.upcasts import UPCASTS


@contextmanager
def reading_log(call: Call) -> Iterator[tuple[Home, SqliteLog]]:
    """Raises Failure, LogUnreadable."""
    home = call.home()
    with closing(SqliteLog(home.log, upcasts=UPCASTS, read_only=True)) as log:
        yield home, log
