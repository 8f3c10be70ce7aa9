"""Wake the service when a stored moment has come; the moments themselves stand in the log."""

import trio

from adapters.automations.feed import Feed
from adapters.automations.stamp import Stamp


class Timers:
    def __init__(self, feed: Feed, stamp: Stamp) -> None:
        self._feed = feed
        self._stamp = stamp

    async def run(self) -> None:
        woken = 0
        while True:
            position = await self._feed.advance()
            due = [
                row["wake_at"] for row in self._feed.live.rows("timers").values() if row["wake_at"] > woken
            ]
            if not due:
                await self._feed.moved(position)
                continue
            first = min(due)
            delay_s = max(0.0, (first - self._stamp.clock.now()) / 1_000_000)
            with trio.move_on_after(delay_s) as waiting:
                await self._feed.moved(position)
            if waiting.cancelled_caught:
                woken = first
                self._feed.wake()
