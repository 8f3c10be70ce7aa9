"""The events that a damaged log still gives, one by one."""

from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Self

import apsw

from eventstore.event import Recorded
from eventstore.lineage import NotNext, whole
from eventstore.sqlite import file as sqlite_file

SHORTEST: Final = 150
"""Bytes; no event's row is shorter, so a file's size says how many there can be at most."""

ROW: Final = "SELECT stream, position, type, time, line FROM events WHERE global_position = ?"


class SalvagedLog:
    """Reads whatever SQLite can reach; close it. What is no SQLite file, or is not there, holds nothing."""

    def __init__(self, path: Path) -> None:
        self._connection: apsw.Connection | None = None
        self.last = 0
        """No event past this position can be read."""
        with suppress(apsw.Error):
            self._connection = sqlite_file.open_bare(path)
            self._connection.execute("PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON")
            self.last = self._end(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *why: object) -> None:
        self.close()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def event(self, position: int) -> Recorded | None:
        """The event at a global position; None where it cannot be read, or is not what it should be."""
        if self._connection is None or not 1 <= position <= self.last:
            return None
        try:
            rows: list[Any] = self._connection.execute(ROW, (position,)).fetchall()
        except apsw.Error:
            return None
        for stream, place, kind, time, line in rows:
            with suppress(NotNext):
                event = whole(line if isinstance(line, bytes) else b"")
                copies = (event.global_position, event.stream, event.position, event.type, event.time)
                if copies == (position, stream, place, kind, time):
                    return event
        return None

    def _end(self, path: Path) -> int:
        if self._connection is None:
            return 0
        try:
            return int(self._connection.execute("SELECT coalesce(max(global_position), 0) FROM events").get)
        except apsw.Error:
            wal = path.with_name(f"{path.name}-wal")
            size = path.stat().st_size + (wal.stat().st_size if wal.exists() else 0)
            return size // SHORTEST
