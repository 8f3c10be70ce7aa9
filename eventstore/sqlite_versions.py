"""Which SQLite libraries are at work, what each of them opens, and whether it has the WAL-reset fault."""

import sqlite3
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import Any, Final

import apsw

FIRST_FAULTY: Final = (3, 7, 0)
FIRST_WHOLE: Final = (3, 51, 3)
MENDED: Final[dict[tuple[int, ...], int]] = {(3, 44): 6, (3, 50): 7}
"""Older lines that were mended too: from that patch on."""


@dataclass(frozen=True, slots=True)
class SqliteLibrary:
    """One of the two. `opens` names the file, relative to a home; no file is opened by both.

    `wal_reset_fault`: two connections to one file, of which one commits at the moment at which the other
    checkpoints, may damage it.
    """

    module: str
    opens: str
    version: str
    source_id: str
    wal_reset_fault: bool


def sqlite_libraries() -> tuple[SqliteLibrary, SqliteLibrary]:
    """The log's, then the views'. No file is opened to find out."""
    with closing(sqlite3.connect(":memory:")) as nowhere:
        source_id = str(nowhere.execute("SELECT sqlite_source_id()").fetchone()[0])
    return (
        _library("apsw", "logs/events.db", apsw.sqlite_lib_version(), apsw.sqlite3_sourceid()),
        _library("sqlite3", "logs/views.db", sqlite3.sqlite_version, source_id),
    )


def has_wal_reset_fault(version: str) -> bool:
    """Whether SQLite of this version (`3.40.1`) has it. Raises ValueError for what is no version."""
    numbers = tuple(int(part) for part in version.split("."))
    mended = MENDED.get(numbers[:2])
    if mended is not None and numbers[2:] >= (mended,):
        return False
    return FIRST_FAULTY <= numbers < FIRST_WHOLE


def as_document() -> list[dict[str, Any]]:
    """The same for JSON."""
    return [asdict(library) for library in sqlite_libraries()]


def _library(module: str, opens: str, version: str, source_id: str) -> SqliteLibrary:
    return SqliteLibrary(module, opens, version, source_id, has_wal_reset_fault(version))
