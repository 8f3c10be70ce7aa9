"""A worker's hold on an open attempt: what it says, its steps and lease, and whether it is called off."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import trio

from adapters.automations.claims import Claim, Claims, Fenced
from adapters.automations.feed import Feed
from adapters.automations.mediator import Mediator
from adapters.automations.stamp import Stamp
from handlers.attempt import ATTEMPT
from handlers.attempt_state import AttemptState
from handlers.decider import Refused
from handlers.dispatch import AsyncDispatch
from handlers.ports.agent import Agent, Checks
from handlers.ports.files import Blobs, Folders, WorkTree
from schemas.attempt import ExtendLease, FinishStep, Phase, RejectStale, StartStep
from schemas.mediation import MediationCommand, Purpose
from schemas.names import task_stream
from schemas.turn import AttemptCommand

PERCENT: Mapping[Phase, int] = {
    "shape": 2,
    "snapshot": 5,
    "agent": 85,
    "compare": 90,
    "checks": 98,
    "summarise": 100,
}


@dataclass(frozen=True)
class Workshop:
    """What every worker shares."""

    feed: Feed
    dispatch: AsyncDispatch
    stamp: Stamp
    claims: Claims
    agent: Agent
    mediator: Mediator
    checks: Checks
    tree: WorkTree
    blobs: Blobs
    folders: Folders
    denied: tuple[str, ...]
    max_turns: int
    inactivity_s: float


class Hold:
    """`called_off` says why the work is to end: `cancelled`, `paused`, or nothing."""

    def __init__(self, worker: str, shop: Workshop, claim: Claim) -> None:
        self.shop = shop
        self.claim = claim
        self.called_off = ""
        self._actor = f"worker:{worker}"
        self._lease_until = claim.lease_until

    def is_off(self) -> bool:
        """Whether the work is to end; asked anew after every wait."""
        return bool(self.called_off)

    def held(self) -> dict[str, Any]:
        """The envelope of the next command of this attempt."""
        return {
            **self.shop.stamp(self._actor),
            "task_id": self.claim.task_id,
            "attempt": self.claim.attempt,
        }

    async def state(self) -> AttemptState:
        """The attempt as the log tells it now."""
        state: AttemptState
        state, _ = await self.shop.dispatch.state(ATTEMPT, task_stream(self.claim.task_id))
        return state

    async def say(self, command: AttemptCommand | MediationCommand, cost_usd: float | None = None) -> None:
        """Raises Fenced when the attempt is no longer ours; that it was tried stands in the log then."""
        try:
            await self.shop.dispatch(command)
        except Refused as refused:
            if refused.code != "stale":
                raise
            await self.reject(type(command).__name__, cost_usd)
            raise Fenced(refused.sentence) from refused

    async def reject(self, command: str, cost_usd: float | None = None) -> None:
        """Record that this worker wanted to write what is no longer its own to write."""
        await self.shop.dispatch(RejectStale(**self.held(), command=command, cost_usd=cost_usd))

    async def mediate(self, purpose: Purpose, said: str = "") -> None:
        """Ask the local model, unless the task is called off. Raises Fenced."""
        spec = (await self.state()).spec or {}

        async def work() -> None:
            await self.shop.mediator.ask(purpose, self.held, self.say, spec, said)

        await self.unless_called_off(work)
        await self.renew()

    @asynccontextmanager
    async def step(self, phase: Phase) -> AsyncIterator[dict[str, Any]]:
        """A phase of the work: what the body puts into the mapping goes into its last event."""
        began = self.shop.stamp.clock.now()
        await self.say(StartStep(**self.held(), phase=phase))
        made: dict[str, Any] = {}
        yield made
        elapsed_ms = max(0, (self.shop.stamp.clock.now() - began) // 1000)
        percent = PERCENT[phase]
        step = FinishStep(
            **self.held(), phase=phase, elapsed_ms=elapsed_ms, percent_complete=percent, **made
        )
        await self.say(step)
        await self.renew()

    async def renew(self) -> None:
        """Progress extends the lease, but is no news each time: only when half of it is gone."""
        now, whole = self.shop.stamp.clock.now(), int(self.claim.lease_s * 1_000_000)
        if now > self._lease_until - whole // 2:
            self._lease_until = now + whole
            await self.say(ExtendLease(**self.held(), lease_until=self._lease_until))

    async def unless_called_off(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do it; stop when the task is called off. Raises Fenced when the attempt was taken away."""
        lost = False

        async def watch(scope: trio.CancelScope) -> None:
            nonlocal lost
            while True:
                position = await self.shop.feed.advance()
                if reason := self._reason_to_stop():
                    lost = reason == "lost"
                    self.called_off = reason
                    scope.cancel()
                await self.shop.feed.moved(position)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch, nursery.cancel_scope)
            await work()
            nursery.cancel_scope.cancel()
        if lost:
            await self.reject("the work itself")
            raise Fenced(f"attempt {self.claim.attempt} of task {self.claim.task_id} was taken away.")

    def _reason_to_stop(self) -> str:
        row = self.shop.feed.live.row("queue", self.claim.task_id.lower())
        if row is None or row["status"] != "running" or row["attempt"] != self.claim.attempt:
            return "lost"
        if row["cancel_requested"]:
            return "cancelled"
        return "paused" if row["paused"] else ""
