"""Watch the room on the disk: while there is too little nothing is taken in or begun, and the log says so."""

from collections.abc import Awaitable, Callable
from typing import Final

import trio

from adapters.automations.feed import Feed
from adapters.automations.stamp import Stamp
from adapters.automations.waiting_log import WaitingLog
from handlers.disk import has_room, is_low
from handlers.dispatch import AsyncDispatch
from handlers.ports.files import Disk
from handlers.ports.log import NotNow
from handlers.scheduling import low_disk
from schemas.disk import NoteDisk

LOOK_S: Final = 5.0


class DiskWatch:
    """`dispatch` is one that does not wait, so that what it says is true when it is written.

    `check` raises when the log's own files are no longer to be trusted: it is looked at here for a
    service that has nothing to write. With `reserve_bytes` 0 only what the log itself refused counts.
    """

    def __init__(
        self,
        feed: Feed,
        disk: Disk,
        log: WaitingLog,
        check: Callable[[], Awaitable[None]],
        reserve_bytes: int,
        dispatch: AsyncDispatch,
        stamp: Stamp,
    ) -> None:
        self._feed = feed
        self._disk = disk
        self._check = check
        self._reserve_bytes = reserve_bytes
        self._dispatch = dispatch
        self._stamp = stamp
        self._least: int | None = None
        self.path = disk.path
        self.log = log

    async def run(self) -> None:
        while True:
            await self.look()
            with trio.move_on_after(LOOK_S):
                await self.log.refused()

    async def look(self) -> None:
        """Look once; what has changed is an event, written as soon as there is room for it."""
        await self._check()
        while (command := await self._news()) is not None:
            try:
                await self._dispatch(command)
            except NotNow as refusal:
                await self.log.pause(refusal)
                continue
            if command.refused_since is not None:
                self.log.told()
            self._least = None
            await self._feed.advance()

    async def _news(self) -> NoteDisk | None:
        refused, free = self.log.refused_since, await self._disk.free()
        low = low_disk(self._feed.live.rows("executors")) is not None
        changed = has_room(free, self._reserve_bytes) if low else is_low(free, self._reserve_bytes)
        if refused is None and not changed:
            return None
        if refused is not None:
            self._least = free = free if self._least is None else min(free, self._least)
        return NoteDisk(
            **self._stamp("service"),
            path=self._disk.path,
            free_bytes=free,
            reserve_bytes=self._reserve_bytes,
            refused_since=refused,
        )
