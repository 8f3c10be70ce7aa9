"""A process that appends at full speed through the service's writer, many callers at once.

`python -m tests.appending_together LOG NAME COUNT`: prints the place of each acknowledged event, as
tests/appending.py does.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import trio

from adapters.log_writer import LogWriter
from eventstore.event import ANY, NO_STREAM
from eventstore.log import Append, WrongExpectedVersion
from eventstore.sqlite.log import SqliteLog
from tests.appending import SHARED
from tests.log_contract import fact

CALLERS = 12


async def append_all(writer: LogWriter[None], name: str, numbers: Iterator[int]) -> None:
    """One caller: the next number that nobody has taken, until there is none."""
    for number in numbers:
        stream = SHARED if number % 2 else f"own-{name}"
        wish = Append(stream, [fact(number, f"{name}_came")], ANY if number % 4 else NO_STREAM)
        outcome, _ = await writer.append(wish)
        while isinstance(outcome, WrongExpectedVersion):
            wish = Append(stream, wish.events, outcome.actual)
            outcome, _ = await writer.append(wish)
        if isinstance(outcome, Exception):
            raise outcome
        sys.stdout.write(f"{outcome[0].global_position} {stream} {outcome[0].position}\n")


async def main(path: str, name: str, count: str) -> None:
    log = SqliteLog(Path(path))
    writer, numbers = LogWriter[None](log, lambda: None), iter(range(int(count)))
    async with trio.open_nursery() as nursery:
        for _ in range(CALLERS):
            nursery.start_soon(append_all, writer, name, numbers)
    sys.stdout.flush()
    log.close()


if __name__ == "__main__":
    trio.run(main, sys.argv[1], sys.argv[2], sys.argv[3])
