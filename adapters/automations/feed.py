"""The service's place in the log: live views, and everybody woken when they move."""

from collections.abc import Callable, Sequence

import trio

from eventstore.event import Recorded
from handlers.ports.log import AsyncLog, Doorbell
from projections.live import LiveViews

BATCH = 1000


class Feed:
    """Pulls the log into the live views; automations wait here for what is new."""

    def __init__(
        self, log: AsyncLog, live: LiveViews, listener: Callable[[Sequence[Recorded]], None] | None = None
    ) -> None:
        self._log = log
        self._lock = trio.Lock()
        self._moved = trio.Event()
        self._asked = self._answered = 0
        self._listener = listener
        self.live = live

    async def advance(self) -> int:
        """Read to the log's end; the position that the live views now answer for.

        Whoever asks before a reading begins is answered by it: many that are woken together read once.
        """
        self._asked += 1
        mine = self._asked
        async with self._lock:
            if self._answered >= mine:
                return self.live.position
            covered = self._asked
            while events := await self._log.read_all(self.live.position, BATCH):
                self.live.apply(events)
                self.wake()
                if self._listener is not None:
                    self._listener(events)
                if len(events) < BATCH:
                    break
            self._answered = covered
        return self.live.position

    def wake(self) -> None:
        """Let everybody look again, though nothing may be new (a timer is due, say)."""
        self._moved.set()
        self._moved = trio.Event()

    async def moved(self, since: int) -> int:
        """Wait until something stands in the log past `since`, or a wake-up."""
        if self.live.position <= since:
            await self._moved.wait()
        return self.live.position

    async def follow(self, doorbell: Doorbell) -> None:
        """Bring in what other processes append, for ever."""
        while True:
            await doorbell.ring(self.live.position)
            await self.advance()
