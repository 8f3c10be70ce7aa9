"""A process that appends to a log and prints the place of each acknowledged event.

`python -m tests.appending LOG NAME COUNT`: half of the events go to a stream that all share.
"""

import subprocess
import sys
from collections import defaultdict
from pathlib import Path

from eventstore.event import ANY, NO_STREAM
from eventstore.log import WrongExpectedVersion
from eventstore.sqlite.log import SqliteLog
from tests.log_contract import fact

ROOT = Path(__file__).parents[1]
SHARED = "shared-1"


def start(path: Path, name: str, count: int, program: str = "tests.appending") -> "subprocess.Popen[str]":
    """Such a process, with its stdout as a pipe."""
    return subprocess.Popen(
        [sys.executable, "-m", program, str(path), name, str(count)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )


def append_next(log: SqliteLog, name: str, number: int) -> str:
    """Append one event, after however many lost races; `global position stream position`."""
    stream = SHARED if number % 2 else f"own-{name}"
    event = fact(number, f"{name}_came")
    expected = ANY if number % 4 else NO_STREAM
    while True:
        try:
            (place,) = log.append(stream, [event], expected)
        except WrongExpectedVersion as lost:
            expected = lost.actual
        else:
            return f"{place.global_position} {stream} {place.position}"


def acknowledged(lines: list[str]) -> dict[int, tuple[str, int]]:
    """Global position → stream and position, of every whole line."""
    found = {}
    for line in lines:
        if line.endswith("\n"):
            place, stream, position = line.split()
            found[int(place)] = stream, int(position)
    return found


def check(log: SqliteLog, acks: dict[int, tuple[str, int]]) -> None:
    """Gapless, in order, each acknowledged event where its writer was told, each id once."""
    events = list(log.all())
    assert [event.global_position for event in events] == list(range(1, len(events) + 1))
    there = {event.global_position: (event.stream, event.position) for event in events}
    assert acks.items() <= there.items()
    assert len({event.id for event in events}) == len(events)
    ends: dict[str, int] = defaultdict(int)
    for event in events:
        assert event.position == ends[event.stream]
        ends[event.stream] += 1
    for stream, count in ends.items():
        assert [event.position for event in log.stream(stream)] == list(range(count))


def main(path: str, name: str, count: str) -> None:
    log = SqliteLog(Path(path))
    for number in range(int(count)):
        sys.stdout.write(append_next(log, name, number) + "\n")
        sys.stdout.flush()
    log.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
