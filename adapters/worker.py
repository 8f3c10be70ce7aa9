"""A worker: claim a task, let the agent do it, find out what changed, have it judged."""

import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import trio

from adapters.claims import Claim, Claims
from adapters.feed import Feed
from adapters.file_feed import FileFeed
from adapters.stamp import Stamp
from handlers.dispatch import AsyncDispatch
from handlers.outcome import EDITING
from handlers.ports import Agent, AgentEnd, AgentOrder, Blobs, Folders, WorkTree
from handlers.prompt import compose
from handlers.stream import StreamState, answered, hear, report
from handlers.tools import granted, offered
from schemas.attempt import EndAttempt, FileChange, FinishStep, InterruptAttempt, NoteFiles, Phase, StartStep
from schemas.process import ProcessIdentity
from schemas.turn import Captured, FinishTurn, NoteAgent, NoteTool, StartTurn

INSTRUCTIONS_LIMIT = 256 * 1024
PERCENT = {"snapshot": 5, "agent": 90, "compare": 100}


def only_cancelled(ending: BaseException) -> bool:
    """Whether nothing went wrong but that the surrounding scope was cancelled."""
    if isinstance(ending, BaseExceptionGroup):
        return ending.split(trio.Cancelled)[1] is None
    return isinstance(ending, trio.Cancelled)


@dataclass(frozen=True)
class Workshop:
    """What every worker shares."""

    feed: Feed
    dispatch: AsyncDispatch
    stamp: Stamp
    claims: Claims
    agent: Agent
    tree: WorkTree
    blobs: Blobs
    folders: Folders
    denied: tuple[str, ...]
    max_turns: int
    max_budget_usd: float | None


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
                await Turn(self.name, self._shop, claim).run()
            finally:
                self.busy = False
                self._shop.feed.wake()


class Turn:
    """One attempt's work, from the snapshot to the verdict."""

    def __init__(self, worker: str, shop: Workshop, claim: Claim) -> None:
        self._shop = shop
        self._claim = claim
        self._actor = f"worker:{worker}"
        self._heard = StreamState()
        self._files = FileFeed(shop.tree, claim.cwd, self._note_files)

    def _held(self) -> dict[str, Any]:
        return {
            **self._shop.stamp(self._actor),
            "task_id": self._claim.task_id,
            "attempt": self._claim.attempt,
        }

    async def run(self) -> None:
        """Raises only what is a bug, a failed log, or the service's own cancellation."""
        try:
            async with self._step("snapshot") as made:
                snapshot = await self._files.begin()
                kept = await self._shop.blobs.put(snapshot)
                # A name in it that looks like a secret was redacted: what is kept would then tell
                # of changes that nobody made, should this attempt be lost.
                whole = kept == hashlib.sha256(snapshot).hexdigest()
                made |= {"blob": kept} if whole else {"note": "a name in it looks like a secret"}
            await self._agent()
            async with self._step("compare") as made:
                made["note"] = await self._files.finish()
            await self._shop.dispatch(EndAttempt(**self._held()))
            await self._shop.feed.advance()
        except BaseException as ending:
            if only_cancelled(ending):
                with trio.CancelScope(shield=True):
                    await self._give_back()
            raise

    async def _give_back(self) -> None:
        """The service stops: the attempt is closed, the task keeps its place."""
        reasons = ["the service was stopped", await self._files.finish()]
        reason = "; ".join(filter(None, reasons))
        await self._shop.dispatch(InterruptAttempt(**self._held(), reason=reason))
        await self._shop.feed.advance()

    @asynccontextmanager
    async def _step(self, phase: Phase) -> AsyncIterator[dict[str, Any]]:
        began = self._shop.stamp.clock.now()
        await self._shop.dispatch(StartStep(**self._held(), phase=phase))
        made: dict[str, Any] = {}
        yield made
        elapsed_ms = max(0, (self._shop.stamp.clock.now() - began) // 1000)
        await self._shop.dispatch(
            FinishStep(
                **self._held(), phase=phase, elapsed_ms=elapsed_ms, percent_complete=PERCENT[phase], **made
            )
        )

    async def _agent(self) -> None:
        order = await self._order()
        async with self._step("agent"):
            await self._shop.dispatch(
                StartTurn(
                    **self._held(),
                    session_id=order.session_id,
                    executable=self._shop.agent.executable,
                    prompt_sha256=hashlib.sha256(order.prompt.encode()).hexdigest(),
                    tools=order.tools,
                )
            )
            began = self._shop.stamp.clock.now()
            end = await self._until_cancelled(order)
            if end is None:
                elapsed_ms = max(0, (self._shop.stamp.clock.now() - began) // 1000)
                end = AgentEnd("cancelled", None, elapsed_ms, Captured(), Captured(), 0)
            await self._shop.dispatch(
                FinishTurn(**self._held(), report=report(self._heard, end, order.session_id))
            )

    async def _order(self) -> AgentOrder:
        spec: Mapping[str, Any] = self._claim.state.spec or {}
        task_type = str(spec["task_type"])
        fence = f"----- {self._shop.stamp.ids.new()} -----"
        instructions = await self._shop.folders.read_text(self._claim.cwd, "CLAUDE.md", INSTRUCTIONS_LIMIT)
        return AgentOrder(
            session_id=self._shop.stamp.ids.new(),
            cwd=self._claim.cwd,
            prompt=compose(spec, fence),
            tools=offered(task_type),
            allowed=granted(task_type),
            instructions=instructions,
            denied=self._shop.denied,
            max_turns=int(spec["max_turns"] or self._shop.max_turns),
            max_budget_usd=spec["max_budget_usd"] or self._shop.max_budget_usd,
            timeout_s=self._claim.timeout_s,
        )

    async def _until_cancelled(self, order: AgentOrder) -> AgentEnd | None:
        """Run the agent; None when a person cancelled the task meanwhile."""
        end: AgentEnd | None = None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch_for_cancel, nursery.cancel_scope)
            nursery.start_soon(self._files.run)
            end = await self._shop.agent.run(order, self._started, self._line)
            nursery.cancel_scope.cancel()
        return end

    async def _watch_for_cancel(self, scope: trio.CancelScope) -> None:
        while True:
            position = await self._shop.feed.advance()
            row = self._shop.feed.live.row("queue", self._claim.task_id.lower())
            if row is not None and row["cancel_requested"]:
                scope.cancel()
            await self._shop.feed.moved(position)

    async def _started(self, process: ProcessIdentity) -> None:
        await self._shop.dispatch(NoteAgent(**self._held(), process=process))

    async def _line(self, line: Mapping[str, Any]) -> None:
        """What the agent says arrives in the log while it works."""
        before = self._heard
        self._heard, used = hear(before, line)
        for tool in used:
            await self._shop.dispatch(
                NoteTool(**self._held(), tool=tool.name, tool_use_id=tool.use_id, detail=tool.detail)
            )
        if answered(before, self._heard) & EDITING:
            self._files.stir()

    async def _note_files(self, files: tuple[FileChange, ...]) -> None:
        await self._shop.dispatch(NoteFiles(**self._held(), files=files))
