"""How views lie in their database: names and shapes that writer and readers share."""

from typing import Any, Final, NamedTuple
from zlib import crc32

import orjson

from eventstore.log import Log
from projections.projection import Projection, Row, Written

APPLICATION_ID: Final = 0x65767476
"""Stands in the file's header ("evtv"), so that no other program's file is taken for ours."""

LAYOUT: Final = 2
"""Version of the tables below, kept as SQLite's `user_version`."""

COLUMNS: Final = {"key": str, "row": str, "global_position": int, "checksum": int}
"""A view's table: a row, the event that last wrote it, and `checksum` of all three."""

READ: Final = ", ".join(COLUMNS)
"""What `read_row` wants to be given, as SQL."""

CHECKPOINTS: Final = "checkpoints"
"""One line a view: view, version, global_position, event_id (of the event at that position)."""


NO_EVENT: Final = ""
"""Stands for the event id of a view that is folded up to 0."""


class Checkpoint(NamedTuple):
    """Up to where a view is folded. The id tells this log from another one of the same length."""

    version: int
    global_position: int
    event_id: str

    def fits(self, projection: Projection, log: Log) -> bool:
        """The view was made by this version of the projection, from this log."""
        return self.version == projection.version and self.event_id == event_id(log, self.global_position)


def event_id(log: Log, position: int) -> str | None:
    """The id of the event at a global position, None where the log does not reach so far."""
    if position == 0:
        return NO_EVENT
    return next((event.id for event in log.all(position - 1, position)), None)


def field(name: str) -> str:
    """A field of a stored row, as SQL; null where the row is none that we have written.

    An index on it is used only by those who say it in the very same words.
    """
    return f"CASE WHEN json_valid(row) THEN json_extract(row, '$.{name}') END"


def encode(row: Row) -> str:
    return orjson.dumps(row, option=orjson.OPT_SORT_KEYS).decode()


class RowUnreadable(Exception):
    """A stored row is not as it was written: something else than this program changed it, or the disk did."""


def checkpoint(version: Any, global_position: Any, event_id: Any) -> Checkpoint:
    """A row of the checkpoints as it stands in the file. Raises RowUnreadable for values of other kinds."""
    if not (type(version) is int and type(global_position) is int and isinstance(event_id, str)):
        raise RowUnreadable("a checkpoint holds values of another kind")
    if global_position < 0:
        raise RowUnreadable(f"a checkpoint stands at {global_position}")
    return Checkpoint(version, global_position, event_id)


def decode(text: str) -> Row:
    """Raises RowUnreadable."""
    try:
        row = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise RowUnreadable(f"a stored row is no JSON: {error}") from error
    if not isinstance(row, dict):
        raise RowUnreadable("a stored row is no JSON object")
    return row


def checksum(view: str, key: str, row: str, global_position: int) -> int:
    """CRC-32 of a row and its place: a guard against changes by hand and by the disk, not against intent."""
    return crc32(row.encode("utf-8", "surrogatepass"), crc32(f"{view}/{key}/{global_position}".encode()))


def read_row(view: str, key: Any, row: Any, global_position: Any, told: Any) -> tuple[str, Written]:
    """A row with the columns `READ`, whole and where it was put. Raises RowUnreadable.

    Whoever reads a row relies on its fields; so a row that is JSON, but that we did not write, counts
    as no row.
    """
    if not (isinstance(key, str) and isinstance(row, str) and type(global_position) is int):
        raise RowUnreadable(f"the stored row {key!r} holds values of another kind")
    if told != checksum(view, key, row, global_position):
        raise RowUnreadable(f"the stored row {key!r} is not as it was written")
    return key, Written(decode(row), global_position)
