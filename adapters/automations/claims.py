"""Who works on what: one claim at a time, decided by the owner of the home alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import trio

from adapters.automations.feed import Feed
from adapters.automations.stamp import Stamp
from handlers.attempt import ATTEMPT
from handlers.attempt_state import AttemptState
from handlers.decider import Refused
from handlers.dispatch import AsyncDispatch
from handlers.intake import Ground
from handlers.ports.agent import Agents, AgentUnusable, Processes
from handlers.ports.files import Folders
from handlers.prompt import check_task
from handlers.scheduling import EVERY, choose
from handlers.service import SERVING
from schemas.agent import Agent, BrokenAgent
from schemas.attempt import ClaimTask, Conditions, Hindrance
from schemas.executor import NoteDailyBudget
from schemas.names import EXECUTOR, SYSTEM, task_stream
from schemas.process import ProcessIdentity

LEASE_MARGIN_S = 60.0
"""A lease outlasts the longest silence that an attempt may keep by this much."""


class Fenced(Exception):
    """Another service has taken over this home: this one writes and begins nothing more."""


async def refuse_if_taken_over(dispatch: AsyncDispatch, own: ProcessIdentity) -> None:
    """Raises Fenced when a service has started here after ours, whatever has become of the lock."""
    said, _ = await dispatch.state(SERVING, SYSTEM)
    if said is not None and (last := ProcessIdentity.model_validate(said)) != own:
        raise Fenced(f"the process {last.pid} has started to serve it since.")


@dataclass(frozen=True)
class Claim:
    """A task held by a worker. `state` is the attempt as it was when it was claimed, `agent` who works."""

    task_id: str
    attempt: int
    cwd: str
    timeout_s: float
    lease_s: float
    lease_until: int
    state: AttemptState
    agent: Agent


@dataclass(frozen=True)
class Thresholds:
    """What the settings say of them for every agent; None: each agent's own hold."""

    similarity: float | None = None
    entropy: float | None = None


class Claims:
    def __init__(
        self,
        feed: Feed,
        dispatch: AsyncDispatch,
        stamp: Stamp,
        folders: Folders,
        processes: Processes,
        agents: Agents,
        ground: Ground,
        conditions: Conditions,
        thresholds: Thresholds = Thresholds(),
        daily_budget_usd: float | None = None,
        lease_margin_s: float = LEASE_MARGIN_S,
    ) -> None:
        self._feed = feed
        self._dispatch = dispatch
        self._stamp = stamp
        self._folders = folders
        self._processes = processes
        self._agents = agents
        self._thresholds = thresholds
        self._ground = ground
        self._conditions = conditions
        self._daily_budget_usd = daily_budget_usd
        self._lease_margin_s = lease_margin_s
        self._one_at_a_time = trio.Lock()
        self.closed = False

    async def next(self, worker: str) -> Claim:
        """Wait for a task that this worker may start, and claim it. Raises Fenced."""
        while True:
            async with self._one_at_a_time:
                position = await self._feed.advance()
                live = self._feed.live
                rows, executors = live.rows("queue").values(), live.rows("executors")
                row = None if self.closed else choose(rows, self._stamp.clock.now(), executors)
                if row is not None:
                    await refuse_if_taken_over(self._dispatch, self._processes.own())
                if row is not None and not await self.day_is_spent():
                    claim = await self._claim(
                        str(row["task_id"]), str(row["cwd"]), str(row["executor"]), worker
                    )
                    if claim is not None:
                        return claim
                    continue
            await self._feed.moved(position)

    async def day_is_spent(self) -> bool:
        """Whether today (UTC) has cost what a day may cost; when that changes, it is an event."""
        live, clock = self._feed.live, self._stamp.clock
        today = datetime.fromtimestamp(clock.now() / 1_000_000, UTC)
        day = today.date().isoformat()
        spent = (live.row("metrics", f"day:{day}") or {}).get("cost_micro_usd_sum", 0) / 1_000_000
        reached = self._daily_budget_usd is not None and spent >= self._daily_budget_usd
        said = live.row("executors", EVERY)
        if reached != (said is not None and said["why"] == "daily_budget" and said["day"] == day):
            midnight = datetime(today.year, today.month, today.day, tzinfo=UTC) + timedelta(days=1)
            await self._dispatch(
                NoteDailyBudget(
                    **self._stamp("service"),
                    executor=EXECUTOR,
                    day=day,
                    spent_usd=spent,
                    budget_usd=self._daily_budget_usd,
                    wake_at=int(midnight.timestamp() * 1_000_000),
                )
            )
            await self._feed.advance()
        return reached

    async def _claim(self, task_id: str, wanted: str, executor: str, worker: str) -> Claim | None:
        before, _ = await self._dispatch.state(ATTEMPT, task_stream(task_id))
        spec = before.spec or {}
        timeout_s = float(spec.get("timeout_sec") or self._conditions.timeout_s)
        lease_s = (self._conditions.inactivity_s or timeout_s) + self._lease_margin_s
        cwd = await self._folders.real(wanted)
        stamp = self._stamp(f"worker:{worker}")
        lease_until = stamp["time"] + int(lease_s * 1_000_000)
        agent = await self._agent(spec)
        command = ClaimTask(
            **stamp,
            task_id=task_id,
            worker=worker,
            lease_until=lease_until,
            executor=executor,
            process=self._processes.own(),
            cwd=cwd,
            allowed_root=self._ground.allowed_root,
            home=self._ground.home,
            private=self._ground.private,
            windows=self._ground.windows,
            conditions=self._conditions_of(spec, agent),
            agent_trouble=agent if isinstance(agent, Hindrance) else None,
        )
        try:
            await self._dispatch(command)
        except Refused:
            # Somebody else moved it (a cancel, say): the view will show it, choose again.
            await self._feed.advance()
            return None
        await self._feed.advance()
        state, _ = await self._dispatch.state(ATTEMPT, task_stream(task_id))
        if not state.open or isinstance(agent, Hindrance):
            return None
        return Claim(task_id, state.attempt, cwd or wanted, timeout_s, lease_s, lease_until, state, agent)

    async def _agent(self, spec: Mapping[str, Any]) -> Agent | Hindrance:
        """The task's agent as its file is now, or why it cannot be told this task."""
        try:
            agent = await self._agents.get(str(spec.get("agent")))
            check_task(agent, spec)
        except AgentUnusable as no:
            return Hindrance(code=no.code, sentence=no.sentence, remedy=no.hint)
        except BrokenAgent as broken:
            return Hindrance(code="agent_broken", sentence=broken.reason, remedy=broken.remedy)
        return agent

    def _conditions_of(self, spec: Mapping[str, Any], agent: Agent | Hindrance) -> Conditions:
        cap = spec.get("max_budget_usd") or self._conditions.max_budget_usd
        own: dict[str, Any] = {"max_budget_usd": cap}
        if isinstance(agent, Agent):
            similarity, entropy = self._thresholds.similarity, self._thresholds.entropy
            own["similarity_threshold"] = agent.similarity if similarity is None else similarity
            own["entropy_threshold"] = agent.entropy if entropy is None else entropy
        return self._conditions.model_copy(update=own)
