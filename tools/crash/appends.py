"""A loop that appends to a log, opened again now and then, and says on stdout what was acknowledged.

`python -m tools.crash.appends LOG COUNT SEED LINES [NORMAL]`: an acknowledgement is one call of `write`, and
so stands in a trace between the calls on the files. At the end the log's lines are written to LINES.
"""

import os
import random
import sys
from pathlib import Path
from typing import Final

from eventstore.event import ANY, Event
from eventstore.log import Append
from eventstore.sqlite.log import SqliteLog

START: Final = 1_800_000_000_000_000
AGAIN_EVERY: Final = 15
"""So often the log is opened again in the first third; then the -wal grows until it begins anew."""
LONG: Final = 0.15
"""So many of the events hold up to 60 KB."""


def event(number: int, dice: random.Random) -> Event:
    size = dice.randrange(20_000, 60_000) if dice.random() < LONG else dice.randrange(20, 900)
    return Event(
        id=f"00000000-0000-5000-8000-{number:012}",
        type="thing_happened",
        data={"number": number, "text": "".join(dice.choices("abcdefgh ", k=size))},
        time=START + number,
        actor="cli:ada",
        source="urn:test:1",
    )


def opened(path: Path, synchronous: str) -> SqliteLog:
    log = SqliteLog(path)
    if synchronous:
        # What the program never does: the control, in which acknowledged events are lost.
        log._connection.execute(f"PRAGMA synchronous = {synchronous}")
    return log


def main(path: str, count: str, seed: str, lines: str, synchronous: str = "") -> None:
    dice, done = random.Random(int(seed)), 0  # noqa: S311 - not for secrets
    SqliteLog.create(Path(path)).close()
    log = opened(Path(path), synchronous)
    while done < int(count):
        wishes = [
            Append(f"stream-{dice.randrange(4)}", [event(done + at, dice)], ANY)
            for at in range(dice.choice((1, 1, 1, 2, 3)))
        ]
        log.append_group(wishes)
        done += len(wishes)
        os.write(1, f"{done}\n".encode())
        if done < int(count) // 3 and done % AGAIN_EVERY == 0:
            log.close()
            log = opened(Path(path), synchronous)
    with Path(lines).open("wb") as out:
        out.writelines(found.line + b"\n" for found in log.all())
    os._exit(0)  # not closed: the power goes


if __name__ == "__main__":
    main(*sys.argv[1:])
