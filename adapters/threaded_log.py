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

from adapters.bell_watch import BellWatch, watch_bell
from adapters.log_tail import KEPT_BYTES, Tail
from adapters.log_writer import LogWriter
from eventstore.bell import Stamp, stamp_of
from eventstore.event import Event, Place, Recorded
from eventstore.log import (
    NO_ROOM,
    Append,
    Log,
    LogUnreadable,
    Outcome,
    WrongExpectedVersion,
    may_be_tried_again,
)
from handlers.ports.log import NotNow

T = TypeVar("T")

TRUST_S: Final = 0.5
"""So long at most memory answers without a look at the log: a bell may have failed to ring."""

GLANCE_S: Final = 0.002
"""So long at most memory answers without a look at the bell: many ask at the same moment."""

LOOK_S: Final = 1.0
"""So often the log is looked at though the bell was not rung."""

TOGETHER_S: Final = 0.25
"""So long the service's own appends are told of together; and so often the bell is looked at where the
system does not wake us."""

CATCH_UP: Final = 2000
"""Events; when more have come at once, memory begins anew behind them all."""


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
    """The disk failed the log. The process must end (exit 74): a failed sync is never tried again."""


def _refused(refusal: OSError) -> Exception:
    if may_be_tried_again(refusal):
        return NotNow(refusal.strerror or str(refusal), full=refusal.errno in NO_ROOM)
    return _failed("written", refusal)


def _failed(what: str, trouble: OSError) -> LogFailed:
    where = f" ({trouble.filename})" if trouble.filename else ""
    return LogFailed(f"the log could not be {what}: {trouble.strerror or trouble}{where}")


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


class ThreadedLog:
    """Appends go through one thread, all that waits in one transaction; reads through another.

    An append of much text has a thread of its own up to the transaction: to take the secrets out
    of it can last, and nobody else should wait for that.

    `bell` is the file that grows after each append of any process; without it nothing is answered
    from memory. `check_files` raises OSError once the log's files are not those that were opened.
    """

    def __init__(
        self,
        log: Log,
        bell: Path | None = None,
        kept_bytes: int = KEPT_BYTES,
        glance_s: float = GLANCE_S,
        check_files: Callable[[], None] = lambda: None,
    ) -> None:
        self._log = log
        self._check_files = check_files
        self._bell = bell
        self._writer = LogWriter(log, self._look)
        self._one_reader = trio.CapacityLimiter(1)
        self._tail = Tail(kept_bytes)
        self._stamp: Stamp | None = None
        self._trusted_until = 0.0
        self._glance_s = glance_s
        self._glanced = -math.inf
        self._appending = 0
        self._ended: trio.Event | None = None
        self._own: set[int] | None = None

    async def append(self, stream: str, events: Sequence[Event], expected: int) -> tuple[Place, ...]:
        at, wish = trio.current_time(), Append(stream, events, expected)
        self._appending += 1
        try:
            if is_long(wish):
                # Not abandoned on cancel: what was begun commits, and the caller learns of it.
                outcome, seen = await trio.to_thread.run_sync(self._append_alone, wish)
            else:
                outcome, seen = await self._writer.append(wish)
        finally:
            self._appending -= 1
            if self._ended is not None:
                self._ended.set()
        if isinstance(outcome, OSError):
            raise _refused(outcome) from outcome
        if isinstance(outcome, WrongExpectedVersion):
            self._stamp = None  # somebody was faster, whether the bell has told so or not
        if isinstance(outcome, Exception):
            raise outcome
        self._learn(seen, at)
        if self._own is not None:
            self._own.update(place.global_position for place in outcome)
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
        events, seen = await self._visit(lambda _: list(self._log.stream(name, after)))
        if self._learn(seen, at):
            self._tail.ended(name, events[-1].position if events else after)
        return events

    async def read_all(self, after: int, limit: int) -> list[Recorded]:
        known = self._tail.since(after, limit) if self._is_current() else None
        if known is not None:
            await trio.lowlevel.checkpoint()
            return known

        def read(seen: Look | None) -> list[Recorded]:
            if seen is not None and not seen.anew and seen.after <= after:
                first = after - seen.after
                return list(seen.events[first : first + limit])
            return list(islice(self._log.all(after), limit))

        at = trio.current_time()
        events, seen = await self._visit(read)
        self._learn(seen, at)
        return events

    async def check(self) -> None:
        """Raises LogFailed once the log's files were taken away or the disk has failed."""
        try:
            await trio.to_thread.run_sync(self._check_files)
        except OSError as trouble:
            raise _failed("kept", trouble) from trouble

    def listen(self, after: int) -> None:
        """From now on it is known which events past `after` we have appended ourselves."""
        self._own = {position for position in self._own or () if position > after}

    async def others_appended(self, after: int) -> bool:
        """The bell was rung: whether by somebody else, for all that is known. Own appends are awaited."""
        while self._tail.head is not None and self._own is not None:
            self._glanced = -math.inf  # what a glance has shown before says nothing any more
            if self._tail.head - after > len(self._own):
                return True
            if self._is_current():
                return False
            if not self._appending:
                return True
            if self._ended is None:  # an event of trio refuses to be taken for a bool
                self._ended = trio.Event()
            await self._ended.wait()
            self._ended = None
        return True

    def look_again(self) -> None:
        """Everybody is about to read to the end, which a glance must not say to have been reached."""
        self._glanced = -math.inf

    def _is_current(self) -> bool:
        """Whether memory holds all that the log holds past the tail's start."""
        now = trio.current_time()
        if self._stamp is None or now >= self._trusted_until:
            return False
        if now >= self._glanced + self._glance_s:
            if self._bell is None or stamp_of(self._bell) != self._stamp:
                return False
            self._glanced = now
        return True

    async def _visit(self, read: Callable[[Look | None], T]) -> tuple[T, Look | None]:
        def look_and_read() -> tuple[T, Look | None]:
            # In this order: what is read holds at least what was seen. A log that cannot be
            # read is told of by what is read.
            seen = self._look()
            return read(seen), seen

        try:
            return await trio.to_thread.run_sync(look_and_read, limiter=self._one_reader)
        except OSError as trouble:
            if may_be_tried_again(trouble):
                raise
            raise _failed("read", trouble) from trouble

    def _look(self) -> Look | None:
        """What brings memory up; called in a thread. None where that cannot be seen now."""
        # The stamp first: what is appended after it is not missed, only looked for once more.
        stamp = None if self._bell is None else stamp_of(self._bell)
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


class LogDoorbell:
    """Says at once that somebody else has appended, and a few times a second that the service itself has.

    Where the system cannot wake us, the bell is looked at every `interval_s`. Once in `LOOK_S` it is
    said though nobody has rung.
    """

    def __init__(self, log: ThreadedLog, bell: Path, interval_s: float = TOGETHER_S) -> None:
        self._log = log
        self._bell = bell
        self._interval_s = interval_s
        self._watch: BellWatch | None = None

    async def ring(self, after: int) -> None:
        """See Doorbell. The first call returns at once: nobody knows what came before it listened."""
        await trio.lowlevel.checkpoint()
        if self._watch is None:
            self._watch = await trio.to_thread.run_sync(watch_bell, self._bell)
        self._log.listen(after)
        with trio.move_on_after(LOOK_S) as patience:
            await self._heard(self._watch)
            while not await self._log.others_appended(after):
                # Whoever appended here looks by himself; the rest is told of it together with what follows.
                patience.deadline = min(patience.deadline, trio.current_time() + self._interval_s)
                await self._heard(self._watch)
        self._log.look_again()

    async def _heard(self, watch: BellWatch) -> None:
        # Asked before the wait, and by our caller before its look: see bell_watch.
        while not watch.heard():
            if watch.descriptor is None:
                await trio.sleep(self._interval_s)
            else:
                await trio.lowlevel.wait_readable(watch.descriptor)

    def close(self) -> None:
        if self._watch is not None:
            self._watch.close()
