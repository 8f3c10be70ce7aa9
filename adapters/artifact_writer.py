"""Write artifact, summary and index of every task that asks for it, and record the receipt."""

import hashlib
from collections.abc import Mapping
from typing import Any

from adapters.feed import Feed
from adapters.stamp import Stamp
from adapters.todo import each, keep_drained
from handlers.dispatch import AsyncDispatch
from handlers.ports import AsyncLog, Outputs
from projections.artifact import build, index, render, summary
from schemas.files import RecordArtifact
from schemas.names import task_stream

INDEX = "results/index.json"


class ArtifactWriter:
    def __init__(
        self, feed: Feed, log: AsyncLog, outputs: Outputs, dispatch: AsyncDispatch, stamp: Stamp
    ) -> None:
        self._feed = feed
        self._log = log
        self._outputs = outputs
        self._dispatch = dispatch
        self._stamp = stamp

    async def run(self) -> None:
        await keep_drained(self._feed, self.drain)

    async def drain(self) -> None:
        """Write what the to-do list names now."""
        await each(list(self._feed.live.rows("to_write").items()), self._write)

    async def _write(self, item: tuple[str, Mapping[str, Any]]) -> None:
        key, upto = item[0], int(item[1]["upto"])
        events = [
            event
            for event in await self._log.read_stream(task_stream(key), -1)
            if event.global_position <= upto
        ]
        document = build(events)
        task_id = str(document["task_id"])
        artifact, text = render(document), summary(events).encode()
        path, summary_path = f"results/{task_id}.json", f"summaries/{task_id}_summary.txt"
        await self._outputs.write(path, artifact)
        await self._outputs.write(summary_path, text)
        written = {**self._feed.live.rows("artifacts"), key: {"task_id": task_id, "path": path}}
        await self._outputs.write(INDEX, index(written))
        await self._dispatch(
            RecordArtifact(
                **self._stamp("service", causation_id=events[-1].id, key=f"{events[-1].id}:artifact"),
                task_id=task_id,
                path=path,
                sha256=hashlib.sha256(artifact).hexdigest(),
                summary_path=summary_path,
                summary_sha256=hashlib.sha256(text).hexdigest(),
                upto=upto,
            )
        )
        # The index of the next one names this one too: its receipt must be seen first.
        await self._feed.advance()
