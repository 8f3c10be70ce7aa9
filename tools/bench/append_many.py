"""Work A2: 64 callers at once, each of whom waits until its event is durable, beside the ideal group."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import Final, cast

import trio

from adapters.log_writer import LogWriter
from adapters.storage import note_redaction
from adapters.threaded_log import ThreadedLog
from eventstore.event import Event
from eventstore.log import Append, Log
from eventstore.redaction.patterns import Redactor
from eventstore.redaction.redacting import Redacting
from eventstore.sqlite.log import SqliteLog
from handlers.dispatch import draft
from tools.bench import made
from tools.bench.append_one import warm_log
from tools.bench.file_log import appends_a_second, file_log
from tools.bench.other_writer import READY
from tools.bench.peer_store import PeerStore
from tools.bench.peers import PeerFailed
from tools.bench.table import Cell, Table, spread
from tools.bench.turns import Contestant, Result, in_turns, rows

CALLERS: Final = 64
THREADED: Final = ("eventsourcing", "huey", "dbos", "persistqueue")
"""The peers that several threads may use at once."""

PEER_APPENDS: Final = 5
"""Each of a peer's 64 threads makes so many."""

COMPARED: Final = "eventsourcing"
BARE: Final = "evt, the store alone"
WHOLE: Final = "evt, checked and redacted before"
TIMES: Final = {BARE: "≥ 20 (floor 16)", WHOLE: "≥ 14 (floor 10)"}

RATE: Final = 200
MOST_P99_MS: Final = 20.0

Caller = Callable[[int], Awaitable[None]]


def measure(appends: int, rounds: int, peers: list[PeerStore]) -> list[Table]:
    """Each caller makes so many appends a turn. Raises PeerFailed."""
    with tempfile.TemporaryDirectory(prefix="evt-bench-") as name:
        folder = Path(name).resolve()
        with warm_log(folder) as log, file_log(folder) as lines:
            alone = _callers(folder, log, cast(Log, lines), appends, rounds, peers)
            return [alone, _with_another(log, appends, rounds)]


def _callers(
    folder: Path, log: SqliteLog, lines: Log, appends: int, rounds: int, peers: list[PeerStore]
) -> Table:
    able = [peer for peer in peers if peer.name in THREADED]
    anchor = Contestant("64 lines and fdatasync", partial(appends_a_second, folder, appends, CALLERS))
    contestants = [
        Contestant("evt's writer over a plain file", partial(_bare, lines, appends)),
        Contestant(BARE, partial(_bare, log, appends), "≥ 0.5", "≥ 0.42"),
        Contestant(WHOLE, partial(_whole, log, appends), "≥ 0.33", "≥ 0.25"),
        *(Contestant(one.name, one.turn(CALLERS, PEER_APPENDS, 1)) for one in able if one.missing is None),
    ]
    results = in_turns(anchor, contestants, rounds)
    beside = next((result for result in results if result.contestant.name == COMPARED), None)
    found = [
        {**row, **_times(result, beside)}
        for row, result in zip(rows(results, "events/s"), results, strict=True)
    ]
    notes = tuple(f"{peer.name}: {peer.missing}" for peer in able if peer.missing)
    return Table(f"{CALLERS} callers, each waits until its event is durable", tuple(found[0]), found, notes)


def _times(result: Result, beside: Result | None) -> dict[str, Cell]:
    measured = beside is not None and beside is not result and result.contestant.goal is not None
    return {
        f"times {COMPARED}": result.beside(beside) if measured and beside is not None else None,
        "goal for that": TIMES.get(result.contestant.name),
    }


def _bare(log: Log, appends: int) -> float:
    """Events a second through the writer's thread; the events are ready before."""
    writer: LogWriter[None] = LogWriter(log, _nothing)
    wishes = [_wishes(stream, events) for stream, events in _ready(appends)]

    async def caller(number: int) -> None:
        for wish in wishes[number]:
            outcome, _ = await writer.append(wish)
            if isinstance(outcome, Exception):
                raise outcome

    return CALLERS * appends / trio.run(_seconds, caller)


def _ready(appends: int) -> Iterator[tuple[str, list[Event]]]:
    first = time.perf_counter_ns()  # no stream twice
    for number in range(CALLERS):
        yield f"many-{first}-{number}", made.events(appends)


def _wishes(stream: str, events: Sequence[Event]) -> list[Append]:
    return [Append(stream, [event], at - 1) for at, event in enumerate(events)]


def _whole(raw: SqliteLog, appends: int) -> float:
    """Events a second as the service appends: a command and a fact are checked, redacted, and read back."""
    log = ThreadedLog(Redacting(raw, Redactor(), note_redaction), raw.bell)
    first = time.perf_counter_ns()

    async def caller(number: int) -> None:
        for at in range(appends):
            asked = made.command(f"{first}-{number}")
            await log.append(asked.stream, draft(asked, [made.fact(asked)], made.SOURCE), at - 1)

    return CALLERS * appends / trio.run(_seconds, caller)


async def _seconds(caller: Caller) -> float:
    began = time.perf_counter()
    async with trio.open_nursery() as nursery:
        for number in range(CALLERS):
            nursery.start_soon(caller, number)
    return time.perf_counter() - began


def _nothing() -> None:
    """Nobody looks."""


def _with_another(log: SqliteLog, appends: int, rounds: int) -> Table:
    """The same callers, and another process that appends 200 a second to the same file."""
    kept: list[float] = []
    waited: list[float] = []
    done = 0.0
    for _ in range(rounds):
        alone = _bare(log, appends)
        with _other(log.path) as other:
            beside = _bare(log, appends)
            told = json.loads(other.communicate("", timeout=60)[0])
        kept.append(beside / alone)
        waited += told["ms"]
        done += told["rate"] / rounds
    waited.sort()
    row: dict[str, Cell] = {
        "what": "another process",
        "appends/s": done,
        "p50 ms": median(waited),
        "p99 ms": waited[int(len(waited) * 0.99)],
        "goal": f"≤ {MOST_P99_MS:g}",
        "longest ms": waited[-1],
        "the callers keep": median(kept),
        "spread": spread(kept),
    }
    return Table(f"Another process appends {RATE} a second meanwhile", tuple(row), [row])


@contextmanager
def _other(path: Path) -> Iterator["subprocess.Popen[str]"]:
    """Appends from now on, until its input ends; then it tells how long each append took."""
    words: Sequence[str] = (sys.executable, "-P", "-m", "tools.bench.other_writer", str(path), str(RATE))
    with subprocess.Popen(
        words,
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        try:
            if process.stdout is None or process.stdout.readline().strip() != READY:
                raise PeerFailed("the other process did not start")
            yield process
        finally:
            process.kill()
