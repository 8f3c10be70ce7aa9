"""The process that follows a log for work C, in one of several ways; it prints when each event came (ns).

python -m tools.bench.follower WAY LOG EVENTS
"""

import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final, Protocol

import trio

from adapters.automations.feed import Feed
from adapters.cli.following import Follower
from adapters.cli.tail import StartingAt
from adapters.threaded_log import LogDoorbell, ThreadedLog
from eventstore.event import Recorded
from eventstore.sqlite.log import SqliteLog
from eventstore.subscription import Subscription
from projections.live import LiveViews

if sys.platform == "linux":
    from inotify_simple import INotify, flags

POLL_S: Final = 0.1
END_S: Final = 1.0
"""Who watches the -wal looks so often without a hint, or the last event would never come."""

READY: Final = "ready"


class Ended(Exception):
    """All events have come."""


class Arrivals:
    """Notes when each event has come. Raises Ended with the last."""

    def __init__(self, wanted: int) -> None:
        self._wanted = wanted
        self.times: list[int] = []

    def take(self, events: Sequence[Recorded]) -> None:
        self.times += [time.perf_counter_ns()] * len(events)
        if len(self.times) >= self._wanted:
            raise Ended


class Waking(Protocol):
    """As a Follower: ask, look, wait."""

    def news(self) -> bool: ...

    def wait(self) -> None: ...


class Asking:
    """Whatever ends the wait, the log itself says whether there is something new."""

    def __init__(self, log: SqliteLog, wait: Callable[[], object]) -> None:
        self._log = log
        self._wait = wait
        self._version = -1

    def news(self) -> bool:
        before, self._version = self._version, self._log.data_version()
        return before != self._version

    def wait(self) -> None:
        self._wait()


def polling(log: SqliteLog) -> Waking:
    return Asking(log, lambda: time.sleep(POLL_S))


def on_a_socket(log: SqliteLog) -> Waking:
    """The socket is our standard input."""
    return Asking(log, lambda: os.read(sys.stdin.fileno(), 4096))


def on_the_wal(log: SqliteLog) -> Waking:
    """Wakes before the commit can be seen: the file is written first."""
    if sys.platform == "linux":
        kernel = INotify()
        kernel.add_watch(log.path.with_name(f"{log.path.name}-wal"), flags.MODIFY)
        return Asking(log, lambda: kernel.read(round(1000 * END_S)))
    raise AssertionError("only Linux has it")


WAYS: Final[Mapping[str, Callable[[SqliteLog], Waking]]] = {
    "bell": Follower,
    "poll": polling,
    "socket": on_a_socket,
    "wal": on_the_wal,
}


def follow(log: SqliteLog, waking: Waking, arrivals: Arrivals) -> None:
    """As `evt tail -f` does it."""
    subscription = Subscription(log, "bench", StartingAt(0))
    while True:
        if waking.news():
            subscription.catch_up(arrivals.take)
        waking.wait()


async def serve(log: SqliteLog, arrivals: Arrivals) -> None:
    """As the service does it."""
    threaded = ThreadedLog(log, log.bell)
    with closing(LogDoorbell(threaded, log.bell)) as doorbell:
        await doorbell.ring(0)
        print(READY, flush=True)
        await Feed(threaded, LiveViews(()), arrivals.take).follow(doorbell)


def main(way: str, path: str, events: str) -> None:
    arrivals = Arrivals(int(events))
    with closing(SqliteLog(Path(path), read_only=True)) as log:
        try:
            if way == "service":
                trio.run(serve, log, arrivals)
            else:
                waking = WAYS[way](log)
                print(READY, flush=True)
                follow(log, waking, arrivals)
        except Ended:
            print(json.dumps(arrivals.times))


if __name__ == "__main__":
    main(*sys.argv[1:])
