"""Rows of a stored view that are sought by a field: an index finds them, and the log's tail is laid over."""

import sqlite3
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Protocol

from projections.fold import Fold
from projections.projection import Row
from projections.stored_form import READ, RowUnreadable, field, read_row


class Seeking(Protocol):
    """Finds rows of one view by a field that is one of the projection's `sought`."""

    def counts(self, name: str, mostly: Any) -> dict[Any, int]:
        """How many rows have each value of the field; it is quickest where most of them have `mostly`."""
        ...

    def where(self, name: str, values: Collection[Any]) -> dict[str, Row]:
        """The rows whose field has one of the values, sorted by key."""
        ...

    def last(self, name: str, values: Collection[Any], by: str, most: int) -> dict[str, Row]:
        """Of those the `most` that are greatest in the field `by` (and in their key), the greatest first."""
        ...


class Held:
    """Rows that are all in memory."""

    def __init__(self, rows: Mapping[str, Row]) -> None:
        self._rows = rows

    def counts(self, name: str, mostly: Any) -> dict[Any, int]:
        """See Seeking."""
        return Counter(row[name] for row in self._rows.values())

    def where(self, name: str, values: Collection[Any]) -> dict[str, Row]:
        """See Seeking."""
        return {key: row for key, row in sorted(self._rows.items()) if row[name] in values}

    def last(self, name: str, values: Collection[Any], by: str, most: int) -> dict[str, Row]:
        """See Seeking."""
        return _greatest(self.where(name, values).items(), by, most)


class Stored:
    """Stored rows, with the newer ones of `fold` over them. Raises sqlite3.Error, RowUnreadable."""

    def __init__(self, connection: sqlite3.Connection, fold: Fold) -> None:
        self._connection = connection
        self._view = fold.projection.name
        self._newer = {key: found.row for key, found in fold.changed(0)}
        self._touched = {*self._newer, *fold.deleted()}
        unsaid = f'SELECT key FROM "{self._view}" WHERE {field(fold.projection.sought[0])} IS NULL LIMIT 1'  # noqa: S608
        for (key,) in connection.execute(unsaid):
            raise RowUnreadable(f"the stored row {key} is none that we have written")

    def counts(self, name: str, mostly: Any) -> dict[Any, int]:
        """See Seeking. Those of `mostly` are what the others leave of all: SQLite counts all by pages."""
        counts = Counter[Any]()
        for others, values in (("IS NULL", ()), ("< ?", (mostly,)), ("> ?", (mostly,))):
            tail = f"WHERE {field(name)} {others} GROUP BY 1"
            query = f'SELECT {field(name)}, count(*) FROM "{self._view}" {tail}'  # noqa: S608 our own names
            counts.update(dict(self._connection.execute(query, values)))
        (every,) = self._connection.execute(f'SELECT count(*) FROM "{self._view}"').fetchone()  # noqa: S608
        counts[mostly] = every - counts.total()
        for key in self._touched:
            query = f'SELECT {field(name)} FROM "{self._view}" WHERE key = ?'  # noqa: S608 our own names
            counts.subtract(value for (value,) in self._connection.execute(query, (key,)))
        counts.update(row[name] for row in self._newer.values())
        return {value: count for value, count in counts.items() if count}

    def where(self, name: str, values: Collection[Any]) -> dict[str, Row]:
        """See Seeking."""
        marks = ", ".join("?" * len(values))
        stored = self._rows(f"WHERE {field(name)} IN ({marks})", *values)
        newer = {key: row for key, row in self._newer.items() if row[name] in values}
        return dict(sorted([*stored, *newer.items()]))

    def last(self, name: str, values: Collection[Any], by: str, most: int) -> dict[str, Row]:
        """See Seeking."""
        found = [(key, row) for key, row in self._newer.items() if row[name] in values]
        for value in values:
            tail = f"WHERE {field(name)} = ? ORDER BY {field(by)} DESC, key DESC LIMIT ?"
            found += self._rows(tail, value, most + len(self._touched))
        return _greatest(found, by, most)

    def _rows(self, tail: str, *arguments: Any) -> Iterator[tuple[str, Row]]:
        """Stored rows that the log's tail has not touched."""
        query = f'SELECT {READ} FROM "{self._view}" {tail}'  # noqa: S608 our own names
        for columns in self._connection.execute(query, arguments):
            key, found = read_row(self._view, *columns)
            if key not in self._touched:
                yield key, found.row


def _greatest(rows: Iterable[tuple[str, Row]], by: str, most: int) -> dict[str, Row]:
    return dict(sorted(rows, key=lambda item: (item[1][by], item[0]), reverse=True)[:most])
