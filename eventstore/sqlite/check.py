"""Whether a log is sound: the file's structure, each line's bytes and place, and what is copied from it."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import apsw

from eventstore.lineage import Lineage, NotNext
from eventstore.sqlite import file as sqlite_file
from eventstore.sqlite.belongings import strange
from eventstore.sqlite.errors import changed, damaged, translated

EVERY: Final = """
SELECT global_position, stream, position, prev, type, time, line FROM events ORDER BY global_position
"""
STORED_HEADS: Final = "SELECT stream, position, global_position FROM heads"


def _unseen(line: bytes) -> None:
    """For whoever wants to know only whether it is sound."""


def check(path: Path, seen: Callable[[bytes], None] = _unseen) -> int:
    """The position of the last event; `seen` is called with each line, in order.

    Raises LogUnreadable, which names the first event that is damaged where it is one, and OSError.
    """
    with closing(sqlite_file.connect(path, read_only=True)) as connection, translated(path):
        structure = " ".join(str(connection.execute("PRAGMA integrity_check(1)").get).split())
        lineage = Lineage()
        for row in _rows(path, connection, lineage):
            try:
                wanted = lineage.take(row[6] if isinstance(row[6], bytes) else b"")
            except NotNext as error:
                raise damaged(path, f"at event {lineage.head + 1}", str(error)) from error
            if row != wanted:
                raise damaged(path, f"at event {lineage.head}", "its columns are not those of its line")
            seen(wanted[6])
        if structure != "ok":
            raise damaged(path, f"outside of its {lineage.head} events", structure)
        _check_heads(path, connection, lineage)
        if wrong := strange(connection).wrong:
            raise changed(path, wrong)
    return lineage.head


def _rows(path: Path, connection: apsw.Connection, lineage: Lineage) -> Iterator[tuple[Any, ...]]:
    try:
        yield from connection.execute(EVERY)
    except apsw.CorruptError as error:
        raise damaged(path, f"at event {lineage.head + 1}", str(error)) from error


def _check_heads(path: Path, connection: apsw.Connection, lineage: Lineage) -> None:
    """The stored heads are those of the events up to their checkpoint, so no later than the streams'."""
    upto = int(connection.execute("SELECT global_position FROM checkpoint").get)
    ends = {stream: (position, at) for stream, position, at in lineage.heads()}
    stored = {stream: (position, at) for stream, position, at in connection.execute(STORED_HEADS)}
    wrong = [stream for stream, head in stored.items() if head[1] > upto or ends.get(stream, (-1, 0)) < head]
    wrong += [stream for stream, head in ends.items() if head[1] <= upto and stored.get(stream) != head]
    if wrong or upto > lineage.head:
        raise damaged(
            path, "outside of its events", f"where stream {wrong[0] if wrong else '?'} ends is wrong"
        )
