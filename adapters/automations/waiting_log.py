"""A log whose disk may be full: an append that finds no room waits until there is some, and is heard of."""

import math
from collections.abc import Callable, Sequence
from typing import Final

import trio

from eventstore.event import Event, Place, Recorded
from handlers.ports.clock import Clock
from handlers.ports.log import AsyncLog, NotNow

PAUSE_S: Final = 1.0
"""So long from one try to the next."""


class WaitingLog:
    """Nothing that waits here was acknowledged, and none is lost: whoever asked goes on when it is written.

    `say` is told in words when the waiting begins and when it is over: the log itself cannot be.
    `refused_since` is when (µs) the disk first had no room; somebody else takes it back with `told`.
    After `patience_s` in one go, and at once after `give_up`, NotNow comes out.
    """

    def __init__(self, log: AsyncLog, clock: Clock, say: Callable[[str], None]) -> None:
        self._log = log
        self._clock = clock
        self._say = say
        self._waiting = 0
        self._began: float | None = None
        self._news = trio.Event()
        self._over = trio.Event()
        self.refused_since: int | None = None
        self.patience_s = math.inf

    async def append(self, stream: str, events: Sequence[Event], expected: int) -> tuple[Place, ...]:
        try:
            places = await self._log.append(stream, events, expected)
        except NotNow as refusal:
            self._waiting += 1
            try:
                places = await self._again(stream, events, expected, refusal)
            finally:
                self._waiting -= 1
        if self._began is not None and not self._waiting:
            self._began = None
            self._say("the log can be written again: everything goes on")
        return places

    async def _again(
        self, stream: str, events: Sequence[Event], expected: int, refusal: NotNow
    ) -> tuple[Place, ...]:
        while True:
            await self.pause(refusal)
            try:
                return await self._log.append(stream, events, expected)
            except NotNow as again:
                refusal = again

    async def pause(self, refusal: NotNow) -> None:
        """Between two tries. Raises the refusal where nobody should wait any longer."""
        if self._over.is_set():
            raise refusal
        self._note(refusal)
        if self._began is not None and trio.current_time() - self._began >= self.patience_s:
            raise refusal
        with trio.move_on_after(PAUSE_S):
            await self._over.wait()

    async def read_stream(self, name: str, after: int) -> list[Recorded]:
        return await self._log.read_stream(name, after)

    async def read_all(self, after: int, limit: int) -> list[Recorded]:
        return await self._log.read_all(after, limit)

    def give_up(self) -> None:
        """The service is to end: nobody waits any more."""
        self._over.set()

    async def refused(self) -> None:
        """Return when the disk has refused an append since this was last asked."""
        if self.refused_since is None:
            await self._news.wait()

    def told(self) -> None:
        """That there was no room stands in the log now."""
        self.refused_since = None

    def _note(self, refusal: NotNow) -> None:
        if self._began is None:
            self._began = trio.current_time()
            self._say(f"{refusal}: nothing is taken in or begun until the log can be written again")
        if refusal.full and self.refused_since is None:
            self.refused_since = self._clock.now()
            self._news.set()
            self._news = trio.Event()
