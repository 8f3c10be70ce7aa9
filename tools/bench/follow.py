"""Work C: from the commit in one process to its delivery in another, beside a trio channel in one process.

The process that appends notes the time when a commit has returned, before it wakes anybody; the one
that follows notes the time when it holds the event. Both read the same clock.
"""

import json
import random
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Final

import trio

from eventstore.bell import Bell
from eventstore.event import ANY, Event
from eventstore.sqlite.log import SqliteLog
from tools.bench.follower import READY
from tools.bench.table import Cell, Table, ratios

GOAL: Final = 4.0
GOAL_P99_MS: Final = 2.0

LEAST_PAUSE_S: Final = 0.004
LONGEST_PAUSE_S: Final = 0.012
"""Between two events: long enough for whoever follows to be asleep."""

PATIENCE_S: Final = 60.0
TEXT: Final = "x" * 100

CHANNEL: Final = "a trio channel in one process"
WAYS: Final = {
    "bell": "the bell, heard as by `evt tail -f`",
    "service": "the bell, heard as by `evt run`",
    "poll": "a look every 100 ms",
    "socket": "a unix socket, written after the commit",
    "wal": "inotify on the -wal (a warning)",
}
OURS: Final = ("bell", "service")


class NotDelivered(Exception):
    """The process that follows did not get all events: its times would mean nothing."""


@dataclass(frozen=True)
class Times:
    """One round: when each append began, was committed, and was delivered (ns, all of one clock)."""

    begun: Sequence[int]
    committed: Sequence[int]
    delivered: Sequence[int]

    @property
    def took_ms(self) -> list[float]:
        return [(end - begin) / 1e6 for begin, end in zip(self.committed, self.delivered, strict=True)]

    @property
    def late(self) -> int:
        """How many came only when the next append had begun."""
        return sum(came >= after for came, after in zip(self.delivered, self.begun[1:], strict=False))


def measure(events: int, rounds: int) -> list[Table]:
    """So many events a round, one every few milliseconds, each way in turn. Raises NotDelivered."""
    ways = [way for way in WAYS if _can(way)]
    channel: list[Times] = []
    found: dict[str, list[Times]] = {way: [] for way in ways}
    for number in range(rounds):
        channel.append(trio.run(_through_a_channel, events, _pauses(number)))
        for way in ways:
            found[way].append(_between_processes(way, events, _pauses(number)))
    anchor = [median(times.took_ms) for times in channel]
    rows = [_row(CHANNEL, channel, anchor, None)]
    rows += [_row(WAYS[way], found[way], anchor, GOAL if way in OURS else None) for way in ways]
    notes = (
        f"The goal besides: p99 at most {GOAL_P99_MS:g} ms, and no event waits for the next one.",
        "`evt run` reads in a thread, as its loop never waits for a disk: most of it is changing threads.",
    )
    return [Table("From the commit in one process to another one", tuple(rows[0]), rows, notes)]


def _can(way: str) -> bool:
    if way == "socket":
        return sys.platform != "win32"
    return way != "wal" or sys.platform == "linux"


def _row(what: str, times: Sequence[Times], anchor: Sequence[float], goal: float | None) -> dict[str, Cell]:
    every = sorted(took for one in times for took in one.took_ms)
    ratio, between = ratios([median(one.took_ms) for one in times], anchor)
    return {
        "what": what,
        "p50 ms": median(every),
        "p50 beside the channel": ratio,
        "spread": between,
        "goal": goal,
        "p99 ms": quantiles(every, n=100, method="inclusive")[98],
        "longest ms": every[-1],
        "waited for the next": sum(one.late for one in times),
    }


def _pauses(seed: int) -> Callable[[], float]:
    """The same in each way."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    return lambda: chance.uniform(LEAST_PAUSE_S, LONGEST_PAUSE_S)


async def _through_a_channel(events: int, pause: Callable[[], float]) -> Times:
    sender, receiver = trio.open_memory_channel[int](events)
    sent: list[int] = []
    received: list[int] = []

    async def receive() -> None:
        async for _ in receiver:
            received.append(time.perf_counter_ns())  # noqa: PERF401 - each at its time

    async with trio.open_nursery() as nursery:
        nursery.start_soon(receive)
        for number in range(events):
            await trio.sleep(pause())
            sent.append(time.perf_counter_ns())
            sender.send_nowait(number)
        sender.close()
    return Times(sent, sent, received)


class _NotingBell(Bell):
    """Notes when each commit had returned; then wakes whoever follows."""

    def __init__(self, path: Path, wake: Callable[[], object] | None) -> None:
        super().__init__(path)
        self.committed: list[int] = []
        self._wake = wake or super().ring

    def ring(self) -> None:
        self.committed.append(time.perf_counter_ns())
        self._wake()


def _between_processes(way: str, events: int, pause: Callable[[], float]) -> Times:
    ours, theirs = socket.socketpair()
    with tempfile.TemporaryDirectory(prefix="evt-bench-") as name, ours, theirs:
        with closing(SqliteLog.create(Path(name).resolve() / "events.db")) as log:
            wake = {"socket": lambda: ours.send(b"."), "poll": _nobody, "wal": _nobody}.get(way)
            log._bell = bell = _NotingBell(log.bell, wake)
            with _follower(way, log.path, events, theirs) as process:
                begun, delivered = _while_appending(log, process, events, pause)
        return Times(begun, bell.committed, delivered)


def _nobody() -> None:
    """Is woken."""


def _follower(way: str, log: Path, events: int, theirs: socket.socket) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "tools.bench.follower", way, str(log), str(events)],
        cwd=Path(__file__).parents[2],
        stdin=theirs.fileno() if way == "socket" else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )


def _while_appending(
    log: SqliteLog, follower: "subprocess.Popen[str]", events: int, pause: Callable[[], float]
) -> tuple[list[int], list[int]]:
    """When each append began, and when its event came, as the other process says. Raises NotDelivered."""
    begun: list[int] = []
    try:
        if follower.stdout is None or follower.stdout.readline().strip() != READY:
            raise NotDelivered("the process that follows did not start")
        for number in range(events):
            time.sleep(pause())
            begun.append(time.perf_counter_ns())
            log.append("bench-1", [_event(number)], ANY)
        said, _ = follower.communicate(timeout=PATIENCE_S)
        return begun, [int(when) for when in json.loads(said)]
    except (subprocess.TimeoutExpired, ValueError) as trouble:
        raise NotDelivered("the process that follows did not get all events") from trouble
    finally:
        follower.kill()


def _event(number: int) -> Event:
    return Event(
        id=str(uuid.UUID(int=number)),
        type="thing_happened",
        data={"number": number, "text": TEXT},
        time=time.time_ns() // 1000,
        actor="service",
        source="urn:evt:bench",
        correlation_id=None,
        causation_id="bench",
    )
