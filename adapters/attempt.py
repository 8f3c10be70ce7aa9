"""One attempt at a task: snapshot, the agent's turns, what changed, the checks, the verdict."""

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import trio

from adapters.claims import Claim, Claims
from adapters.claims import Fenced as Fenced
from adapters.feed import Feed
from adapters.file_feed import FileFeed
from adapters.stamp import Stamp
from handlers.attempt import ATTEMPT
from handlers.decider import Refused
from handlers.dispatch import AsyncDispatch
from handlers.ending import full_verdict
from handlers.outcome import EDITING
from handlers.ports import Agent, AgentEnd, AgentOrder, Blobs, Checks, Folders, WorkTree
from handlers.prompt import compose, compose_resume
from handlers.session import session_lost
from handlers.stream import StreamState, answered, hear, report
from handlers.tools import granted, offered
from handlers.verification import due_checks
from schemas.attempt import (
    EndAttempt,
    ExtendLease,
    FileChange,
    FinishStep,
    InterruptAttempt,
    NoteCheck,
    NoteFiles,
    Phase,
    RejectStale,
    StartCheck,
    StartStep,
)
from schemas.names import task_stream
from schemas.process import ProcessIdentity
from schemas.turn import (
    AttemptCommand,
    Captured,
    FinishTurn,
    NoteAgent,
    NoteTool,
    StartTurn,
    TurnReport,
)

INSTRUCTIONS_LIMIT = 256 * 1024
PERCENT: Mapping[Phase, int] = {"snapshot": 5, "agent": 85, "compare": 90, "checks": 100}


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
    checks: Checks
    tree: WorkTree
    blobs: Blobs
    folders: Folders
    denied: tuple[str, ...]
    max_turns: int
    inactivity_s: float


class Attempt:
    def __init__(self, worker: str, shop: Workshop, claim: Claim) -> None:
        self._shop = shop
        self._claim = claim
        self._actor = f"worker:{worker}"
        self._lease_until = claim.lease_until
        self._called_off = ""
        self._compared = claim.state.owed is not None
        self._ending = False
        self._files = FileFeed(shop.tree, claim.cwd, self._note_files)

    def _held(self) -> dict[str, Any]:
        return {
            **self._shop.stamp(self._actor),
            "task_id": self._claim.task_id,
            "attempt": self._claim.attempt,
        }

    async def run(self) -> None:
        """Raises only what is a bug, a failed log, Fenced, or the service's own cancellation."""
        try:
            await self._work()
        except BaseException as ending:
            if only_cancelled(ending):
                with trio.CancelScope(shield=True):
                    await self._give_back("the service was stopped")
            raise

    async def _work(self) -> None:
        # An attempt before this one was interrupted when nothing but its checks was left.
        if self._claim.state.owed is None:
            await self._do()
        if not self._called_off:
            await self._check()
        if self._called_off == "paused":
            await self._give_back("the task was paused")
            return
        self._ending = True
        await self._say(EndAttempt(**self._held()))
        await self._shop.feed.advance()

    async def _do(self) -> None:
        """The agent's part, and what it changed."""
        async with self._step("snapshot") as made:
            snapshot = await self._files.begin()
            made |= await self._keep(snapshot)
        await self._agent()
        if self._called_off != "paused":
            async with self._step("compare") as made:
                made["note"] = await self._files.finish()
            self._compared = True

    async def _keep(self, snapshot: bytes) -> dict[str, str]:
        """The blob, or why there is none: what an attempt changed that is lost is not found out then."""
        measured = hashlib.sha256(snapshot).hexdigest()
        try:
            kept = await self._shop.blobs.put(snapshot)
        except OSError as refusal:
            note = f"artifact_write: it could not be kept ({refusal.strerror or refusal})"
            return {"note": note, "measured": measured}
        # A name in it that looks like a secret was redacted: what is kept would tell of changes
        # that nobody made.
        if kept != measured:
            return {"note": "a name in it looks like a secret", "measured": measured}
        return {"blob": kept}

    async def _say(self, command: AttemptCommand, cost_usd: float | None = None) -> None:
        """Raises Fenced when the attempt is no longer ours; that it was tried stands in the log then."""
        try:
            await self._shop.dispatch(command)
        except Refused as refused:
            if refused.code != "stale":
                raise
            await self._reject(type(command).__name__, cost_usd)
            raise Fenced(refused.sentence) from refused

    async def _reject(self, command: str, cost_usd: float | None = None) -> None:
        await self._shop.dispatch(RejectStale(**self._held(), command=command, cost_usd=cost_usd))

    async def _give_back(self, why: str) -> None:
        """The attempt is closed, the task keeps its place; nothing where it is closed already."""
        state, _ = await self._shop.dispatch.state(ATTEMPT, task_stream(self._claim.task_id))
        if not (state.open and state.attempt == self._claim.attempt):
            if not self._ending:
                await self._reject("InterruptAttempt")
            return
        # What changed since the comparison is the checks' doing, not the agent's.
        reasons = [why, None if self._compared else await self._files.finish()]
        reason = "; ".join(filter(None, reasons))
        await self._shop.dispatch(InterruptAttempt(**self._held(), reason=reason))
        await self._shop.feed.advance()

    @asynccontextmanager
    async def _step(self, phase: Phase) -> AsyncIterator[dict[str, Any]]:
        began = self._shop.stamp.clock.now()
        await self._say(StartStep(**self._held(), phase=phase))
        made: dict[str, Any] = {}
        yield made
        elapsed_ms = max(0, (self._shop.stamp.clock.now() - began) // 1000)
        percent = PERCENT[phase]
        step = FinishStep(
            **self._held(), phase=phase, elapsed_ms=elapsed_ms, percent_complete=percent, **made
        )
        await self._say(step)
        await self._renew()

    async def _renew(self) -> None:
        """Progress extends the lease, but is no news each time: only when half of it is gone."""
        now, whole = self._shop.stamp.clock.now(), int(self._claim.lease_s * 1_000_000)
        if now > self._lease_until - whole // 2:
            self._lease_until = now + whole
            await self._say(ExtendLease(**self._held(), lease_until=self._lease_until))

    async def _agent(self) -> None:
        """One turn; a second one where the session that should go on is not there any more."""
        carry = self._claim.state.carry
        async with self._step("agent"):
            turn = await self._turn(await self._order(carry))
            if carry is not None and session_lost(turn) and not self._called_off:
                await self._turn(await self._order(None))

    async def _turn(self, order: AgentOrder) -> TurnReport:
        turn = StartTurn(
            **self._held(),
            session_id=order.session_id,
            executable=self._shop.agent.executable,
            prompt_sha256=hashlib.sha256(order.prompt.encode()).hexdigest(),
            tools=order.tools,
            resumed=order.resume,
        )
        await self._say(turn)
        heard, end = _Heard(), None
        began = self._shop.stamp.clock.now()

        async def work() -> None:
            nonlocal end
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._files.run)
                end = await self._shop.agent.run(order, self._started, lambda line: self._line(heard, line))
                nursery.cancel_scope.cancel()

        await self._unless_called_off(work)
        if end is None:
            elapsed_ms = max(0, (self._shop.stamp.clock.now() - began) // 1000)
            ended = "cancelled" if self._called_off == "cancelled" else "interrupted"
            end = AgentEnd(ended, None, elapsed_ms, Captured(), Captured(), 0)
        told = report(heard.state, end, order.session_id)
        finish = FinishTurn(**self._held(), report=told, silent_s=order.inactivity_s)
        await self._say(finish, cost_usd=told.cost_usd)
        return told

    async def _order(self, carry: str | None) -> AgentOrder:
        state = self._claim.state
        spec: Mapping[str, Any] = state.spec or {}
        task_type = str(spec["task_type"])
        fence = f"----- {self._shop.stamp.ids.new()} -----"
        prompt = compose(spec, fence) if carry is None else compose_resume(spec, fence, state.why)
        instructions = await self._shop.folders.read_text(self._claim.cwd, "CLAUDE.md", INSTRUCTIONS_LIMIT)
        return AgentOrder(
            session_id=carry or self._shop.stamp.ids.new(),
            cwd=self._claim.cwd,
            prompt=prompt,
            tools=offered(task_type),
            allowed=granted(task_type),
            instructions=instructions,
            denied=self._shop.denied,
            max_turns=int(spec["max_turns"] or self._shop.max_turns),
            max_budget_usd=state.money.left,
            timeout_s=self._claim.timeout_s,
            inactivity_s=self._shop.inactivity_s,
            resume=carry is not None,
        )

    async def _unless_called_off(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do it; stop when the task is called off. Raises Fenced when the attempt was taken away."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch, nursery.cancel_scope)
            await work()
            nursery.cancel_scope.cancel()
        if self._called_off == "lost":
            await self._reject("the work itself")
            raise Fenced(f"attempt {self._claim.attempt} of task {self._claim.task_id} was taken away.")

    async def _watch(self, scope: trio.CancelScope) -> None:
        while True:
            position = await self._shop.feed.advance()
            if reason := self._reason_to_stop():
                self._called_off = reason
                scope.cancel()
            await self._shop.feed.moved(position)

    def _reason_to_stop(self) -> str:
        row = self._shop.feed.live.row("queue", self._claim.task_id.lower())
        if row is None or row["status"] != "running" or row["attempt"] != self._claim.attempt:
            return "lost"
        if row["cancel_requested"]:
            return "cancelled"
        return "paused" if row["paused"] else ""

    async def _check(self) -> None:
        """Run the task's checks where the agent says that it is done: what they say is evidence."""
        state, _ = await self._shop.dispatch.state(ATTEMPT, task_stream(self._claim.task_id))
        due = due_checks(state.spec or {})
        if not due or full_verdict(state).kind == "failed":
            return

        async def work() -> None:
            for index, command in due:
                session_id = self._shop.stamp.ids.new()
                start = StartCheck(**self._held(), index=index, command=command, session_id=session_id)
                await self._say(start)
                result = await self._shop.checks.run(index, command, self._claim.cwd, session_id)
                await self._say(NoteCheck(**self._held(), result=result))
                await self._renew()

        async with self._step("checks"):
            await self._unless_called_off(work)

    async def _started(self, process: ProcessIdentity) -> None:
        await self._say(NoteAgent(**self._held(), process=process))

    async def _line(self, heard: "_Heard", line: Mapping[str, Any]) -> None:
        """What the agent says arrives in the log while it works."""
        before = heard.state
        heard.state, used = hear(before, line)
        for tool in used:
            note = NoteTool(**self._held(), tool=tool.name, tool_use_id=tool.use_id, detail=tool.detail)
            await self._say(note)
        if answered(before, heard.state) & EDITING:
            self._files.stir()
        await self._renew()

    async def _note_files(self, files: tuple[FileChange, ...]) -> None:
        await self._say(NoteFiles(**self._held(), files=files))


@dataclass
class _Heard:
    """What one turn's stream has said so far."""

    state: StreamState = field(default_factory=StreamState)
