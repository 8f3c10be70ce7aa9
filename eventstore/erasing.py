"""Erase strings of one event: a tombstone takes the line's place, and the tree keeps the old hash."""

import json
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import apsw
import orjson

from eventstore import sqlite_file
from eventstore.file_lock import FileLock
from eventstore.line import ERASED
from eventstore.merkle import leaf_hash
from eventstore.sqlite_schema import NEVER_CHANGED

_STEP: Final = re.compile(r'\[(\d+)\]|\[("(?:[^"\\]|\\.)*")\]|\.?([^.\[\]]+)')
_PLAIN: Final = re.compile(r"[\w-]+")
"""A key that a name holds as it is; any other stands there as `["key"]`."""

ROW_OVERHEAD: Final = 64
"""Bytes of a page that a row which fills it leaves unused."""

FILL: Final = """
WITH RECURSIVE counted(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < ?1)
INSERT INTO room SELECT zeroblob(?2) FROM counted
"""


class NoSuchField(ValueError):
    """The event's data has nothing under that name, or no text."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


class NotErased(Exception):
    """The line could not be replaced, or not everywhere; the text says why."""


def texts(data: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Every string of a payload with the name by which it can be erased.

    Such as `spec.prompt`, `files[2]`, `spec.metadata["a.b"]`.
    """
    if isinstance(data, str):
        yield name, data
    elif isinstance(data, dict):
        for key, value in data.items():
            yield from texts(value, _named(name, key))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from texts(value, f"{name}[{index}]")


def tombstone(line: bytes, fields: tuple[str, ...]) -> bytes:
    """The line with the same envelope, in which the texts below each of `fields` read `[erased]`.

    A field names a text, or a part of the data: then all texts in it. Raises NoSuchField.
    """
    envelope = orjson.loads(line)
    for field in fields:
        envelope["data"] = _erased(envelope["data"], _steps(field), field)
    return orjson.dumps(envelope, option=orjson.OPT_SORT_KEYS)


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


def _steps(field: str) -> list[str | int]:
    steps: list[str | int] = []
    at = 0
    while at < len(field):
        found = _STEP.match(field, at)
        if found is None:
            raise NoSuchField(field)
        steps.append(_step(found, field))
        at = found.end()
    if not steps:
        raise NoSuchField(field)
    return steps


def _step(found: re.Match[str], field: str) -> str | int:
    number, quoted, plain = found.groups()
    if number is not None:
        return int(number)
    if quoted is None:
        return str(plain)
    try:
        return str(json.loads(quoted))
    except ValueError:
        raise NoSuchField(field) from None


def _named(name: str, key: str) -> str:
    if _PLAIN.fullmatch(key):
        return f"{name}.{key}" if name else key
    return f"{name}[{json.dumps(key)}]"


def _holds(value: Any, step: str | int) -> bool:
    if isinstance(step, str):
        return isinstance(value, dict) and step in value
    return isinstance(value, list) and step < len(value)


def _erased(value: Any, steps: list[str | int], field: str) -> Any:
    if not steps:
        return _all_erased(value, field)
    step, rest = steps[0], steps[1:]
    if not _holds(value, step):
        raise NoSuchField(field)
    erased = _erased(value[step], rest, field)
    if isinstance(step, str):
        return {**value, step: erased}
    return [*value[:step], erased, *value[step + 1 :]]


def _all_erased(value: Any, field: str) -> Any:
    if isinstance(value, str):
        return ERASED
    if isinstance(value, dict) and value:
        return {key: _all_erased(held, field) if _has_text(held) else held for key, held in value.items()}
    if isinstance(value, list) and value:
        return [_all_erased(held, field) if _has_text(held) else held for held in value]
    raise NoSuchField(field)


def _has_text(value: Any) -> bool:
    return next(texts(value), None) is not None
