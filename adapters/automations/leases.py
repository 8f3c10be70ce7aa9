"""Other services: a dead one's claims are taken at once, a living one's when their lease has ended.

Should one have started after ours, this home is not ours any more.
"""

import trio

from adapters.automations.feed import Feed
from adapters.automations.reconcile import Reconcile

LOOK_S = 1.0
"""A dead worker of this machine is noticed within two seconds."""


class Leases:
    def __init__(self, feed: Feed, reconcile: Reconcile) -> None:
        self._feed = feed
        self._reconcile = reconcile

    async def run(self) -> None:
        """Look again while there is such a claim; else wait until the log moves. Raises Fenced."""
        while True:
            position = await self._feed.advance()
            await self._reconcile.refuse_if_taken_over()
            if await self._reconcile.close_foreign():
                with trio.move_on_after(LOOK_S):
                    await self._feed.moved(position)
            else:
                await self._feed.moved(position)
