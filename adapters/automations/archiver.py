"""Move task files to the archive after their events stand in the log: append first, move after."""

from collections.abc import Mapping
from typing import Any

from adapters.automations.feed import Feed
from adapters.automations.stamp import Stamp
from adapters.automations.todo import each, keep_drained
from handlers.dispatch import AsyncDispatch
from handlers.ports.files import Inbox
from schemas.task import RecordArchived, RecordRefusedArchived


class Archiver:
    def __init__(self, feed: Feed, inbox: Inbox, dispatch: AsyncDispatch, stamp: Stamp) -> None:
        self._feed = feed
        self._inbox = inbox
        self._dispatch = dispatch
        self._stamp = stamp
        self._drained = -1

    async def run(self) -> None:
        await keep_drained(self._feed, self.drain)

    async def drain(self) -> None:
        """Move what the to-do list names now."""
        touched = self._feed.live.touched("to_archive")
        if touched == self._drained:
            return  # the list keeps a row for every file there ever was: it is not gone through in vain
        pending = [row for row in self._feed.live.rows("to_archive").values() if row["pending"]]
        await each(pending, self._move)
        await self._feed.advance()
        # A receipt touches the list too: then it is gone through once more.
        self._drained = touched

    async def _move(self, row: Mapping[str, Any]) -> None:
        want = str(row["want"])
        if row["have"] is None:
            path = await self._inbox.archive(str(row["file_name"]), row["content_sha256"], want)
        else:
            path = await self._inbox.rearchive(str(row["have"]), want)
        note = None if path else "the file was changed or taken away before it could be moved"
        receipt = {
            **self._stamp("service"),
            "subject": row["subject"],
            "path": path,
            "status": row["status"],
            "note": note,
        }
        if row["task_id"] is None:
            said = row["reason"]
            beside = (path or want).removesuffix(".task.md") + ".reason.txt"
            await self._inbox.write_reason(beside, f"{said['reason']}\n{said['remedy']}\n")
            await self._dispatch(RecordRefusedArchived(**receipt))
        else:
            await self._dispatch(RecordArchived(**receipt, task_id=row["task_id"]))
