"""Which SQLite libraries are at work, what each of them opens, and whether it has the WAL-reset fault."""

import sqlite3
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import Any

import apsw

from eventstore.sqlite.wal_reset import has_wal_reset_fault


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


def as_document() -> list[dict[str, Any]]:
    """The same for JSON."""
    return [asdict(library) for library in sqlite_libraries()]


def _library(module: str, opens: str, version: str, source_id: str) -> SqliteLibrary:
    return SqliteLibrary(module, opens, version, source_id, has_wal_reset_fault(version))
