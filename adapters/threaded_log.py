"""The log for the service: each call in a thread, so that the event loop never waits for a disk.

What was read lately is kept in memory and answered from there, without a thread, as long as
the bell shows that nobody has appended since. Every visit to the log brings that up.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final, TypeVar

import trio

from adapters.log_writer import LogWriter
from eventstore.event import Event, Place, Recorded
from eventstore.log import Append, Log, LogUnreadable, Outcome, WrongExpectedVersion

T = TypeVar("T")
Stamp = tuple[int, int, int]

TRUST_S: Final = 0.5
"""So long at most memory answers without a look at the log: a bell may have failed to ring."""

GLANCE_S: Final = 0.002
"""So long at most memory answers without a look at the bell: many ask at the same moment."""

LOOK_S: Final = 1.0
"""So often the log is looked at though the bell was not rung."""

CATCH_UP: Final = 2000
"""Events; when more have come at once, memory begins anew behind them all."""

KEPT_BYTES: Final = 4 * 1024 * 1024
KEPT_STREAMS: Final = 20_000


LONG: Final = 16 * 1024
"""Characters; an append that holds more text is long."""


def is_long(wish: Append) -> bool:
    """Whether its payloads hold much text. Stops counting where that is clear."""
    left = LONG
    todo: list[object] = [event.data for event in wish.events]
    while todo and left > 0:
        value = todo.pop()
        if isinstance(value, str):
            left -= len(value)
        elif isinstance(value, dict):
            todo.extend(value.values())
            left -= len(value)
        elif isinstance(value, list | tuple):
            todo.extend(value)
            left -= len(value)
    return left <= 0


class LogFailed(Exception):
    """The disk refused the log. The process must end (exit 74): a failed sync is never retried."""


def stamp_of(bell: Path | None) -> Stamp | None:
    """Differs after each ring; None where there is no bell. It waits for no disk: the inode is in use."""
    if bell is None:
        return None
    try:
        facts = bell.stat()
    except OSError:
        return None
    return facts.st_ino, facts.st_size, facts.st_mtime_ns


@dataclass(frozen=True)
class Look:
    """What a visit found past `after`; with `anew` memory begins there. The bell bore `stamp` before."""

    stamp: Stamp
    after: int
    anew: bool
    events: Sequence[Recorded]

    @property
    def end(self) -> int:
        return self.after + len(self.events)


class Tail:
    """The log's last events, none missing between `start` and `head`, and where streams end."""

    def __init__(self, kept_bytes: int) -> None:
        self._kept_bytes = kept_bytes
        self._events: list[Recorded] = []
        self._bytes = 0
        self._streams: dict[str, list[Recorded]] = {}
        self._ends: dict[str, int] = {}
        self.start = 0
        self.head: int | None = None

    def begin(self, head: int) -> None:
        """Forget all; what is known from now on stands past `head`."""
        self._events.clear()
        self._streams.clear()
        self._ends.clear()
        self._bytes = 0
        self.start = self.head = head

    def take(self, events: Sequence[Recorded]) -> None:
        """Events that follow `head` without a gap; those before it are known already."""
        head = self.start if self.head is None else self.head
        for event in events:
            if event.global_position > head:
                self._events.append(event)
                self._streams.setdefault(event.stream, []).append(event)
                self._ends[event.stream] = event.position
                self._bytes += len(event.line)
                self.head = head = event.global_position
        if self._bytes > self._kept_bytes:
            self._shrink()

    def ended(self, stream: str, position: int) -> None:
        """The stream was read to its end at a moment when all up to `head` had been taken."""
        self._ends[stream] = position
        if len(self._ends) > KEPT_STREAMS:
            self._ends.clear()

    def since(self, after: int, limit: int) -> list[Recorded] | None:
        """Events past a global position; None where memory does not reach back so far."""
        if after < self.start:
            return None
        first = after - self.start
        return self._events[first : first + limit]

    def of(self, stream: str, after: int) -> list[Recorded] | None:
        """A stream's events past a position of it; None where memory does not reach back so far."""
        if self._ends.get(stream) == after:
            return []
        held = self._streams.get(stream)
        if not held or held[0].position > after + 1:
            return None
        return held[max(0, after + 1 - held[0].position) :]

    def _shrink(self) -> None:
        """Let the older half go."""
        while self._events and self._bytes > self._kept_bytes // 2:
            half = len(self._events) // 2 + 1
            self._bytes -= sum(len(event.line) for event in self._events[:half])
            self.start = self._events[half - 1].global_position
            del self._events[:half]
        self._streams.clear()
        for event in self._events:
            self._streams.setdefault(event.stream, []).append(event)


class ThreadedLog:
    """Appends go through one thread, all that waits in one transaction; reads through another.

    An append of much text has a thread of its own up to the transaction: to take the secrets out
    of it can last, and nobody else should wait for that.

    `bell` is the file that grows after each append of any process; without it nothing is answered
    from memory.
    """

    def __init__(
        self,
        log: Log,
        bell: Path | None = None,
        kept_bytes: int = KEPT_BYTES,
        glance_s: float = GLANCE_S,
    ) -> None:
        self._log = log
        self._bell = bell
        self._writer = LogWriter(log, self._look)
        self._one_reader = trio.CapacityLimiter(1)
        self._tail = Tail(kept_bytes)
        self._stamp: Stamp | None = None
        self._trusted_until = 0.0
        self._glance_s = glance_s
        self._glanced = -math.inf

    async def append(self, stream: str, events: Sequence[Event], expected: int) -> tuple[Place, ...]:
        at, wish = trio.current_time(), Append(stream, events, expected)
        if is_long(wish):
            # Not abandoned on cancel: what was begun commits, and the caller learns of it.
            outcome, seen = await trio.to_thread.run_sync(self._append_alone, wish)
        else:
            outcome, seen = await self._writer.append(wish)
        if isinstance(outcome, OSError):
            raise LogFailed(f"the log could not be written: {outcome}") from outcome
        if isinstance(outcome, WrongExpectedVersion):
            self._stamp = None  # somebody was faster, whether the bell has told so or not
        if isinstance(outcome, Exception):
            raise outcome
        self._learn(seen, at)
        return outcome

    def _append_alone(self, wish: Append) -> tuple[Outcome, Look | None]:
        try:
            (outcome,) = self._log.append_group([wish])
        except Exception as failure:  # noqa: BLE001 - raised by the caller
            outcome = failure
        return outcome, self._look()

    async def read_stream(self, name: str, after: int) -> list[Recorded]:
        known = self._tail.of(name, after) if self._is_current() else None
        if known is not None:
            await trio.lowlevel.checkpoint()
            return known
        at = trio.current_time()
        events, seen = await self._visit(lambda: list(self._log.stream(name, after)))
        if self._learn(seen, at):
            self._tail.ended(name, events[-1].position if events else after)
        return events

    async def read_all(self, after: int, limit: int) -> list[Recorded]:
        known = self._tail.since(after, limit) if self._is_current() else None
        if known is not None:
            await trio.lowlevel.checkpoint()
            return known
        at = trio.current_time()
        events, seen = await self._visit(lambda: list(islice(self._log.all(after), limit)))
        self._learn(seen, at)
        return events

    def _is_current(self) -> bool:
        """Whether memory holds all that the log holds past the tail's start."""
        now = trio.current_time()
        if self._stamp is None or now >= self._trusted_until:
            return False
        if now >= self._glanced + self._glance_s:
            if stamp_of(self._bell) != self._stamp:
                return False
            self._glanced = now
        return True

    async def _visit(self, read: Callable[[], T]) -> tuple[T, Look | None]:
        def look_and_read() -> tuple[T, Look | None]:
            # In this order: what is read holds at least what was seen. A log that cannot be
            # read is told of by what is read.
            seen = self._look()
            return read(), seen

        return await trio.to_thread.run_sync(look_and_read, limiter=self._one_reader)

    def _look(self) -> Look | None:
        """What brings memory up; called in a thread. None where that cannot be seen now."""
        # The stamp first: what is appended after it is not missed, only looked for once more.
        stamp = stamp_of(self._bell)
        if stamp is None:
            return None
        after = self._tail.head
        try:
            if after is not None:
                events = list(islice(self._log.all(after), CATCH_UP + 1))
                if len(events) <= CATCH_UP:
                    return Look(stamp, after, anew=False, events=events)
            return Look(stamp, self._log.head(), anew=True, events=())
        except (OSError, LogUnreadable):
            return None

    def _learn(self, seen: Look | None, at: float) -> bool:
        """Take in what was seen at `at` or later; False when memory knows more by now."""
        if seen is None:
            self._stamp = None  # there may be more than memory knows, our own append to begin with
            return False
        tail = self._tail
        if seen.end < (tail.head or 0):
            return False
        if tail.head is None or (seen.anew and seen.end > tail.head):
            if not seen.anew:
                return False
            tail.begin(seen.after)
        tail.take(seen.events)
        self._stamp, self._trusted_until = seen.stamp, at + TRUST_S
        return True


class HeadDoorbell:
    """Says that other processes may have appended.

    The bell is looked at a few times a second; once in `LOOK_S` it is said without the bell.
    Where no bell is given the log's head is looked at, in a thread, which costs more.
    """

    def __init__(self, log: Log, bell: Path | None = None, interval_s: float = 0.25) -> None:
        self._log = log
        self._bell = bell
        self._interval_s = interval_s
        self._heard: Stamp | None = None

    async def ring(self, after: int) -> None:
        if self._bell is None:
            # Another process cannot set an event of ours: looking is all there is.
            while await trio.to_thread.run_sync(self._log.head) <= after:  # noqa: ASYNC110
                await trio.sleep(self._interval_s)
            return
        until = trio.current_time() + LOOK_S
        while trio.current_time() < until:
            await trio.sleep(self._interval_s)
            stamp = stamp_of(self._bell)
            if stamp != self._heard:
                self._heard = stamp
                return
