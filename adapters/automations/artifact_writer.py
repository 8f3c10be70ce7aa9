"""Write artifact, summary and index of every task that asks for it, and record the receipt."""

import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

from adapters.automations.feed import Feed
from adapters.automations.stamp import Stamp
from adapters.automations.todo import each, keep_drained
from handlers.dispatch import AsyncDispatch
from handlers.ports.files import Outputs
from handlers.ports.log import AsyncLog
from projections.artifact import build, index, render, summary
from projections.projection import Row
from schemas.files import NoteArtifactTrouble, RecordArtifact
from schemas.names import task_stream

INDEX = "results/index.json"
AT_ONCE = 100
"""So many artifacts at most before their receipts: a crash makes no more to be written again."""


@dataclass(frozen=True)
class Written:
    """A task whose files have been written, and what is to be said of that."""

    key: str
    receipt: RecordArtifact


Rows = Callable[[], Awaitable[Mapping[str, Row]]]


class ArtifactWriter:
    """`stored` gives the rows of the view `artifacts`. There is one for each task there ever was, so
    they are not read at the start, but when the first index is to be written.
    """

    def __init__(
        self,
        feed: Feed,
        log: AsyncLog,
        outputs: Outputs,
        dispatch: AsyncDispatch,
        stamp: Stamp,
        stored: Rows,
    ) -> None:
        self._feed = feed
        self._log = log
        self._outputs = outputs
        self._dispatch = dispatch
        self._stamp = stamp
        self._stored = stored
        self._indexed: dict[str, Row] | None = None

    async def run(self) -> None:
        await keep_drained(self._feed, self.drain)

    async def drain(self) -> None:
        """Write what the to-do list names now; the index once for many.

        The index comes before the receipts: a crash leaves work to do again, never an index
        that lacks what a receipt tells of.
        """
        tasks = iter(self._feed.live.rows("to_write").items())
        while some := list(islice(tasks, AT_ONCE)):
            written: list[Written] = []
            try:
                await each(some, partial(self._write, written))
            finally:
                if written:
                    await self._tell(written)

    async def _write(self, written: list[Written], item: tuple[str, Mapping[str, Any]]) -> None:
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
        try:
            await self._outputs.write(path, artifact)
            await self._outputs.write(summary_path, text)
        except OSError as trouble:
            await self._note(task_id, path, trouble, upto)
            raise
        cause = events[-1].id
        written.append(
            Written(
                key,
                RecordArtifact(
                    **self._stamp("service", causation_id=cause, key=f"{cause}:artifact"),
                    task_id=task_id,
                    path=path,
                    sha256=hashlib.sha256(artifact).hexdigest(),
                    summary_path=summary_path,
                    summary_sha256=hashlib.sha256(text).hexdigest(),
                    upto=upto,
                ),
            )
        )

    async def _note(self, task_id: str, path: str, trouble: OSError, upto: int) -> None:
        """The task tells of it, once for each artifact; what it should say stands in the log all the same."""
        await self._dispatch(
            NoteArtifactTrouble(
                **self._stamp("service"),
                task_id=task_id,
                path=path,
                problem=trouble.strerror or str(trouble),
                upto=upto,
            )
        )

    async def _tell(self, written: Sequence[Written]) -> None:
        if self._indexed is None:
            rows = await self._stored()
            self._indexed = {
                key: {"task_id": row["task_id"], "path": row["path"]} for key, row in rows.items()
            }
        new = {one.key: {"task_id": one.receipt.task_id, "path": one.receipt.path} for one in written}
        known = {**self._indexed, **new}
        if known != self._indexed:
            await self._outputs.write(INDEX, index(known))
        for one in written:
            await self._dispatch(one.receipt)
        self._indexed = known
        # The index of the next ones names these too: their receipts must be seen first.
        await self._feed.advance()
