"""Keep the views' file and the mirror at the log's head, 200 ms behind at most."""

import trio

from adapters.feed import Feed
from adapters.stamp import Stamp
from handlers.dispatch import AsyncDispatch
from handlers.ports import Records
from schemas.service import NoteMirror, NoteViews

PAUSE_S = 0.1
"""So long appends are gathered before the next round."""

LOOK_S = 10.0
"""So often they are looked at though nothing was appended: somebody may have removed them."""


class Keeper:
    def __init__(self, feed: Feed, records: Records, dispatch: AsyncDispatch, stamp: Stamp) -> None:
        self._feed = feed
        self._records = records
        self._dispatch = dispatch
        self._stamp = stamp

    async def run(self) -> None:
        while True:
            position = self._feed.live.position
            await self.once()
            with trio.move_on_after(LOOK_S):
                # A wake-up alone is no reason: nothing new stands in the log.
                while await self._feed.moved(position) <= position:
                    pass
            await trio.sleep(PAUSE_S)

    async def once(self) -> None:
        """One round; what had to be mended is an event."""
        mended, rebuilt = await self._records.catch_up()
        if mended is not None:
            await self._dispatch(
                NoteMirror(
                    **self._stamp("service"),
                    problem=mended.problem,
                    bytes_cut=mended.bytes_cut,
                    lines_written=mended.lines_written,
                )
            )
        for problem in rebuilt:
            await self._dispatch(NoteViews(**self._stamp("service"), problem=problem))
        await self._feed.advance()
