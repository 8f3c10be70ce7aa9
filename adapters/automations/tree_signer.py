"""Sign a tree head every 256 events, or a minute after there was traffic, and at the end."""

from typing import Final

import trio

from adapters.automations.feed import Feed
from adapters.automations.stamp import Stamp
from handlers.dispatch import AsyncDispatch
from handlers.ports.log import HeadRefused, TreeHeads
from schemas.record import HeadReason, NoteTreeHead, NoteTreeHeadRefused

EVENTS: Final = 256
TRAFFIC_S: Final = 60.0


class TreeSigner:
    """First the event, then the tree with it, then the signature: no head lacks the word of it."""

    def __init__(self, feed: Feed, heads: TreeHeads, dispatch: AsyncDispatch, stamp: Stamp) -> None:
        self._feed = feed
        self._heads = heads
        self._dispatch = dispatch
        self._stamp = stamp
        self._lock = trio.Lock()
        self._refused = False

    async def run(self) -> None:
        size = await self._size()
        while not self._refused:
            if await self._feed.moved(size) > size:
                with trio.move_on_after(TRAFFIC_S) as pause:
                    while (await self._feed.moved(size + EVENTS - 1)) < size + EVENTS:
                        pass
                size = await self.head("time" if pause.cancelled_caught else "events") or size
        await trio.sleep_forever()

    async def head(self, reason: HeadReason) -> int | None:
        """Sign one now; its size, None where it was refused, which is an event. Raises OSError."""
        async with self._lock:
            if self._refused:
                return None
            try:
                standing = await self._heads.ready()
                if not standing.pending:
                    await self._dispatch(
                        NoteTreeHead(
                            **self._stamp("service"),
                            key=standing.key,
                            reason=reason,
                            size_before=standing.size,
                            root_before=None if standing.root is None else standing.root.hex(),
                        )
                    )
                size = await self._heads.sign()
            except HeadRefused as refused:
                await self._refuse(refused)
                return None
            await self._feed.advance()
            return size

    async def _size(self) -> int:
        try:
            return await self._heads.size()
        except HeadRefused as refused:
            await self._refuse(refused)
            return 0

    async def _refuse(self, refused: HeadRefused) -> None:
        # Once: what it hangs on does not mend itself, and the service works on without.
        self._refused = True
        await self._dispatch(NoteTreeHeadRefused(**self._stamp("service"), problem=str(refused)))
