"""Keep the views' file and the mirror at the log's head, 200 ms behind at most."""

import trio

from adapters.automations.feed import Feed
from adapters.automations.stamp import Stamp
from handlers.dispatch import AsyncDispatch
from handlers.ports.log import Records
from schemas.disk import NoteMirrorLag, NoteMirrorRestored, NoteViewsLag, NoteViewsRestored
from schemas.service import NoteMirror, NoteViews
from schemas.word import Command

PAUSE_S = 0.1
"""So long appends are gathered before the next round."""

LOOK_S = 10.0
"""So often they are looked at though nothing was appended: somebody may have removed them."""

LAG_S = 2.0
"""So long from one try to the next while the disk does not take them."""


class Keeper:
    def __init__(self, feed: Feed, records: Records, dispatch: AsyncDispatch, stamp: Stamp) -> None:
        self._feed = feed
        self._records = records
        self._dispatch = dispatch
        self._stamp = stamp
        self._lagging: dict[str, float] = {}

    async def run(self) -> None:
        while True:
            position = self._feed.live.position
            await self.once()
            if self._lagging:
                await trio.sleep(LAG_S)
                continue
            with trio.move_on_after(LOOK_S):
                # A wake-up alone is no reason: nothing new stands in the log.
                while await self._feed.moved(position) <= position:
                    pass
            await trio.sleep(PAUSE_S)

    async def once(self) -> None:
        """One round. What had to be mended is an event; so is what lags, once, and that it does no more."""
        kept = await self._records.catch_up()
        if (mended := kept.mended) is not None:
            await self._dispatch(
                NoteMirror(
                    **self._stamp("service"),
                    problem=mended.problem,
                    bytes_cut=mended.bytes_cut,
                    lines_written=mended.lines_written,
                )
            )
        for problem in kept.rebuilt:
            await self._dispatch(NoteViews(**self._stamp("service"), problem=problem))
        mirror = views = None
        if kept.mirror is not None:
            lag = kept.mirror
            mirror = NoteMirrorLag(**self._stamp("service"), behind=lag.events, problem=lag.problem)
        if kept.views is not None:
            views = NoteViewsLag(**self._stamp("service"), problem=kept.views)
        await self._tell("mirror", mirror, NoteMirrorRestored)
        await self._tell("views", views, NoteViewsRestored)
        await self._feed.advance()

    async def _tell(
        self, what: str, lag: Command | None, over: type[NoteMirrorRestored] | type[NoteViewsRestored]
    ) -> None:
        now = trio.current_time()
        since = self._lagging.get(what)
        if lag is not None and since is None:
            self._lagging[what] = now
            await self._dispatch(lag)
        if lag is None and since is not None:
            del self._lagging[what]
            await self._dispatch(over(**self._stamp("service"), lagged_s=now - since))
