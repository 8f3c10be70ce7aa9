"""A log of any length to measure on, with its mirror: made once, kept in the temporary folder.

python -m tools.bench.corpus 1000000
"""

import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from eventstore.event import Event
from eventstore.line import render
from eventstore.sqlite import file as sqlite_file
from eventstore.sqlite.heads import Head
from eventstore.sqlite.schema import INSERT, SAVE_HEAD
from tools.bench import corpus_lives

VERSION: Final = 2
"""Raise it when the events change: a corpus of another version is not used."""

ROWS: Final = 10_000


@dataclass(frozen=True)
class Corpus:
    """`log` is a log's file as `SqliteLog` opens it, `mirror` the same lines as NDJSON."""

    log: Path
    mirror: Path
    events: int


def corpus(events: int, folder: Path | None = None) -> Corpus:
    """The log of so many events. Whoever wants to write into it takes a copy: see `copied`."""
    kept = (folder or Path(tempfile.gettempdir())) / f"evt-corpus-{VERSION}-{events}"
    if not kept.is_dir():
        kept.parent.mkdir(parents=True, exist_ok=True)
        making = Path(tempfile.mkdtemp(prefix="evt-corpus-", dir=kept.parent))
        try:
            _make(making, events)
            making.rename(kept)
        except OSError:
            shutil.rmtree(making, ignore_errors=True)
            if not kept.is_dir():
                raise  # else somebody has just made the same
    return Corpus(kept / "events.db", kept / "events.ndjson", events)


def copied(kept: Corpus, folder: Path) -> Corpus:
    """The same in a folder of one's own, to append to."""
    folder.mkdir(parents=True, exist_ok=True)
    log, mirror = folder / kept.log.name, folder / kept.mirror.name
    shutil.copyfile(kept.log, log)
    shutil.copyfile(kept.mirror, mirror)
    return Corpus(log, mirror, kept.events)


def _make(folder: Path, count: int) -> None:
    """As the store would have written it, but in large transactions that wait for no disk."""
    path = folder / "events.db"
    sqlite_file.create(path)
    heads: dict[str, Head] = {}
    with (
        closing(sqlite_file.connect(path, read_only=False)) as connection,
        (folder / "events.ndjson").open("wb") as mirror,
    ):
        connection.execute("PRAGMA synchronous = OFF")
        rows = _rows(corpus_lives.events(count), heads)
        while batch := list(islice(rows, ROWS)):
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(INSERT, batch)
            connection.execute("COMMIT")
            mirror.writelines(row[6] + b"\n" for row in batch)
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(SAVE_HEAD, [(stream, *head) for stream, head in heads.items()])
        connection.execute("UPDATE checkpoint SET global_position = ?", (count,))
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _rows(
    events: Iterable[tuple[str, Event]], heads: dict[str, Head]
) -> Iterator[tuple[int, str, int, int, str, int, bytes]]:
    """The rows of the table `events`; `heads` grows to where each stream ends."""
    for place, (stream, event) in enumerate(events, 1):
        before = heads.get(stream, Head(-1, 0))
        position = before.position + 1
        heads[stream] = Head(position, place)
        line = render(stream, event).splice(place, position)
        yield place, stream, position, before.global_position, event.type, event.time, line


def main(arguments: list[str]) -> int:
    made = corpus(int(arguments[0]) if arguments else 1_000_000)
    print(made.log)
    print(made.mirror)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
