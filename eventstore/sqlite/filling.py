"""Lines that are events already, taken into a log with the places that they have."""

from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

import apsw

from eventstore.bell import Bell
from eventstore.file_lock import FileLock
from eventstore.lineage import Lineage, Row
from eventstore.sqlite import file as sqlite_file
from eventstore.sqlite.errors import translated
from eventstore.sqlite.schema import INSERT, SAVE_HEAD


class LogMoved(Exception):
    """Somebody appended while the lines were compared: nothing was taken in."""


def make(path: Path, rows: Iterable[Row], lineage: Lineage) -> None:
    """A new log of these rows, which `lineage` gives out. What `rows` raises leaves no log.

    Raises FileExistsError, OSError.
    """

    def fill(connection: apsw.Connection) -> None:
        _insert(connection, rows, lineage)

    sqlite_file.create(path, fill)


def go_on(path: Path, rows: Iterable[Row], lineage: Lineage, head: int) -> None:
    """Append to a log that ends at `head`; all of the rows or, with what they raise, none.

    `lineage` has then gone through all events of the log, those before the rows included.

    Raises LogMoved, LogUnreadable, OSError.
    """
    gate, bell = FileLock(path.with_name(".gate")), Bell(path.with_name(".bell"))
    with closing(sqlite_file.connect(path, read_only=False)) as connection:
        with gate, translated(path):
            connection.execute("BEGIN IMMEDIATE")
            try:
                if connection.execute("SELECT coalesce(max(global_position), 0) FROM events").get != head:
                    raise LogMoved(f"{path} has grown meanwhile")
                _insert(connection, rows, lineage)
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
        with closing(bell):
            bell.ring()


def _insert(connection: apsw.Connection, rows: Iterable[Row], lineage: Lineage) -> None:
    connection.executemany(INSERT, rows)
    # The stored heads may go past what any process remembers: memory is brought up from them.
    connection.executemany(SAVE_HEAD, _heads(lineage))
    connection.execute("UPDATE checkpoint SET global_position = ?", (lineage.head,))


def _heads(lineage: Lineage) -> Iterator[tuple[str, int, int]]:
    yield from lineage.heads()
