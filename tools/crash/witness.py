"""An outside witness: each event is written down beside the home at the moment its append returns."""

import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from eventstore.log import Append, Outcome
from eventstore.sqlite.log import SqliteLog


class Ack(NamedTuple):
    """One acknowledged event and where its writer was told that it stands."""

    global_position: int
    position: int
    stream: str
    id: str


def begin(place: Path) -> None:
    """From now on what this process appends to any SQLite log is witnessed in a file of whole lines."""
    said = os.open(place, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    append_group = SqliteLog.append_group

    def witnessed(log: SqliteLog, wishes: Sequence[Append]) -> list[Outcome]:
        outcomes = append_group(log, wishes)
        text = b"".join(_lines(wishes, outcomes))
        if text and sys.platform != "win32":
            # `writev`, since `write` is one of the calls that are counted and killed.
            os.writev(said, [text])
        return outcomes

    # Seen from outside: what the program does is not changed.
    SqliteLog.append_group = witnessed  # type: ignore[method-assign,assignment]


def _lines(wishes: Sequence[Append], outcomes: Sequence[Outcome]) -> Iterable[bytes]:
    for wish, outcome in zip(wishes, outcomes, strict=True):
        if isinstance(outcome, Exception):
            continue
        for event, place in zip(wish.events, outcome, strict=True):
            yield f"{place.global_position} {place.position} {wish.stream} {event.id}\n".encode()


def acknowledged(place: Path) -> list[Ack]:
    """What was witnessed; nothing where there is no such file, and no half line."""
    if not place.exists():
        return []
    whole = place.read_text(encoding="utf-8").split("\n")[:-1]
    words = [line.split(" ") for line in whole]
    return [Ack(int(place), int(position), stream, id) for place, position, stream, id in words]
