"""A worker: claim a task, make an attempt at it, for ever."""

from adapters.automations.attempt import Attempt, Workshop


class Worker:
    """`busy` is True from claim to end."""

    def __init__(self, name: str, shop: Workshop) -> None:
        self.name = name
        self.busy = False
        self._shop = shop

    async def run(self) -> None:
        while True:
            claim = await self._shop.claims.next(self.name)
            self.busy = True
            try:
                await Attempt(self.name, self._shop, claim).run()
            finally:
                self.busy = False
                self._shop.feed.wake()
