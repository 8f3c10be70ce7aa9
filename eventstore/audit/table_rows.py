"""The rows of a log's file as they stand, column by column, for whoever does not trust them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import apsw

from eventstore.audit.lines import Row
from eventstore.log import LogUnreadable
from eventstore.sqlite.belongings import Strange, strange
from eventstore.sqlite.errors import translated

EVERY: Final = """
SELECT global_position, stream, position, prev, type, time, line FROM events ORDER BY global_position
"""
OF_TYPES: Final = "SELECT line FROM events WHERE type IN ({}) ORDER BY global_position"


class SqliteRows:
    """All as of the first call, whoever appends meanwhile. Close the connection after it.

    Each call raises LogUnreadable where the file is damaged, and OSError.
    """

    tabular: Final = True

    def __init__(self, connection: apsw.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path

    def rows(self) -> Iterator[Row]:
        """Every row, in the order of the global positions."""
        try:
            with translated(self._path):
                self._begin()
                yield from self._connection.execute(EVERY)
        except apsw.SQLError as error:
            raise LogUnreadable(f"{self._path} has not the columns of a log ({error})") from error

    def of_types(self, types: frozenset[str]) -> Iterator[bytes]:
        """The lines that the column `type` says to be of these types."""
        query = OF_TYPES.format(",".join("?" * len(types)))
        try:
            with translated(self._path):
                self._begin()
                for (line,) in self._connection.execute(query, sorted(types)):
                    yield line if isinstance(line, bytes) else str(line).encode()
        except apsw.SQLError as error:
            raise LogUnreadable(f"{self._path} has not the columns of a log ({error})") from error

    def strange(self) -> Strange:
        """What another program has changed in the file itself, or put into it."""
        with translated(self._path):
            self._begin()
            return strange(self._connection)

    def broken(self) -> str:
        """What is wrong with the file's structure, where no line is: whoever appends would meet it."""
        with translated(self._path):
            self._begin()
            try:
                found = " ".join(str(self._connection.execute("PRAGMA integrity_check(1)").get).split())
            except apsw.CorruptError as error:
                return str(error)
        return "" if found == "ok" else found

    def _begin(self) -> None:
        # A transaction held open: nothing is erased from under the reader either.
        if not self._connection.in_transaction:
            self._connection.execute("BEGIN")
