"""Erase strings of one event: a tombstone takes the line's place, and the tree keeps the old hash."""

from contextlib import closing
from pathlib import Path
from typing import Final

import apsw

from eventstore.file_lock import FileLock
from eventstore.sqlite import file as sqlite_file
from eventstore.sqlite.schema import NEVER_CHANGED
from eventstore.tombstone import NoSuchField, tombstone
from eventstore.tree.merkle import leaf_hash

ROW_OVERHEAD: Final = 64
"""Bytes of a page that a row which fills it leaves unused."""

FILL: Final = """
WITH RECURSIVE counted(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < ?1)
INSERT INTO room SELECT zeroblob(?2) FROM counted
"""


class NotErased(Exception):
    """The line could not be replaced, or not everywhere; the text says why."""


def erase_line(path: Path, position: int, fields: tuple[str, ...], before: bytes, buried: bytes) -> None:
    """Put the tombstone where the line with the hash `before` stands, past the triggers: nothing else may.

    `buried` is the tombstone's own hash: where it stands already, only the rest is done. The
    whole file is written anew and the write-ahead log emptied, so that no copy stays in them. Call
    it as the owner of the home. Raises NotErased, LogUnreadable, OSError.
    """
    connection = sqlite_file.connect(path, read_only=False)
    with closing(connection), FileLock(path.with_name(".gate")), sqlite_file.translated(path):
        # Asked for its value: apsw carries a statement out only as far as somebody reads it.
        _ = connection.execute("PRAGMA secure_delete = ON").get
        connection.execute("BEGIN IMMEDIATE")
        try:
            line = connection.execute("SELECT line FROM events WHERE global_position = ?", (position,)).get
            if leaf_hash(line or b"") != buried:
                _replace(connection, position, _tombstone_of(line, position, fields, before, buried))
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        _write_anew(connection)
        _empty_the_wal(connection, path)


def _tombstone_of(
    line: bytes | None, position: int, fields: tuple[str, ...], before: bytes, buried: bytes
) -> bytes:
    if line is None or leaf_hash(line) != before:
        raise NotErased(f"event {position} is not the one that was to be erased: run `evt audit`")
    try:
        made = tombstone(line, fields)
    except NoSuchField as missing:
        raise NotErased(
            f"event {position} has no text {missing.field!r}, which the log orders erased"
        ) from None
    if leaf_hash(made) != buried:
        raise NotErased(f"event {position} would become another line than the log says")
    return made


def _replace(connection: apsw.Connection, position: int, line: bytes) -> None:
    connection.execute("DROP TRIGGER events_are_never_changed")
    connection.execute("UPDATE events SET line = ? WHERE global_position = ?", (line, position))
    connection.execute(NEVER_CHANGED)


def _write_anew(connection: apsw.Connection) -> None:
    """Pages that were split long ago still hold old copies in their unused parts: all are written anew.

    The file gets no shorter: to who has it open one that did was cut by a stranger.
    """
    connection.execute("PRAGMA wal_autocheckpoint = 0")  # it must not get short in between either
    pages = _pages(connection)
    connection.execute("VACUUM")
    if (missing := pages - _pages(connection)) > 0:
        # Each row has a page for itself, and free pages stay in the file.
        connection.execute("BEGIN IMMEDIATE; CREATE TABLE room(page BLOB)")
        connection.execute(FILL, (missing, int(connection.pragma("page_size")) - ROW_OVERHEAD))
        connection.execute("DROP TABLE room; COMMIT")


def _pages(connection: apsw.Connection) -> int:
    return int(connection.pragma("page_count"))


def _empty_the_wal(connection: apsw.Connection, path: Path) -> None:
    busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()[0]
    if busy:
        raise NotErased(
            f"the event is erased, but another program reads {path}, so its write-ahead log could not be "
            "emptied: end that program"
        )
