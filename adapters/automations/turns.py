"""The agent's part of an attempt: its turns, what it says in them, and an answer where it asks."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import trio

from adapters.automations.file_feed import FileFeed
from adapters.automations.hold import Hold
from handlers.outcome import EDITING, judge
from handlers.ports.agent import AgentEnd, AgentOrder
from handlers.prompt import compose, compose_answer, compose_correction, compose_resume
from handlers.session import asks_outright, session_lost
from handlers.stream import StreamState, answered, hear, report
from handlers.tools import granted, offered
from schemas.process import ProcessIdentity
from schemas.turn import Captured, FinishTurn, NoteAgent, NoteTool, StartTurn, TurnReport

INSTRUCTIONS_LIMIT = 256 * 1024
SHORTEST_TURN_S = 5.0
"""With less of its time left an attempt begins no other turn."""


@dataclass(frozen=True)
class _Session:
    """Which session a turn is of, and what its agent is told; `spent_s` of the attempt's time is gone."""

    id: str
    prompt: str
    resume: bool
    spent_s: float = 0.0
    answering: bool = False


class Turns:
    def __init__(self, hold: Hold, files: FileFeed) -> None:
        self._hold = hold
        self._shop = hold.shop
        self._claim = hold.claim
        self._files = files

    async def run(self) -> None:
        """One turn; a second one where the session that should go on is not there any more."""
        carry = self._claim.state.carry
        async with self._hold.step("agent"):
            session = await self._task(carry)
            turn = await self._turn(session)
            if carry is not None and session_lost(turn) and not self._hold.called_off:
                session = await self._task(None)
                turn = await self._turn(session)
            await self._answer(session.id, turn)

    async def _answer(self, session_id: str, turn: TurnReport) -> None:
        """An agent that ended with a question goes on with an answer, once, if the task's words give one."""
        question = asks_outright(turn.result_text)
        if question is None or self._hold.called_off or not self._shop.mediator.on:
            return
        spent_s = turn.elapsed_ms / 1000
        if judge(turn, ()).kind == "failed" or self._claim.timeout_s - spent_s < SHORTEST_TURN_S:
            return
        state = await self._hold.state()
        if state.money.left is not None and state.money.left <= 0:
            return
        await self._hold.mediate("answer", turn.result_text)
        state = await self._hold.state()
        if not state.answer or self._hold.is_off():
            return
        told = compose_answer(self._claim.agent, state.spec or {}, self._fence(), question, state.answer)
        await self._turn(_Session(session_id, told, resume=True, spent_s=spent_s, answering=True))

    async def _turn(self, session: _Session) -> TurnReport:
        hold, order = self._hold, await self._order(session)
        turn = StartTurn(
            **hold.held(),
            session_id=order.session_id,
            executable=self._shop.agent.executable,
            prompt_sha256=hashlib.sha256(order.prompt.encode()).hexdigest(),
            tools=order.tools,
            resumed=order.resume,
            answering=session.answering,
        )
        await hold.say(turn)
        heard, end = _Heard(), None
        began = self._shop.stamp.clock.now()

        async def work() -> None:
            nonlocal end
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._files.run)
                end = await self._shop.agent.run(order, self._started, lambda line: self._line(heard, line))
                nursery.cancel_scope.cancel()

        await hold.unless_called_off(work)
        if end is None:
            elapsed_ms = max(0, (self._shop.stamp.clock.now() - began) // 1000)
            ended = "cancelled" if hold.called_off == "cancelled" else "interrupted"
            end = AgentEnd(ended, None, elapsed_ms, Captured(), Captured(), 0)
        told = report(heard.state, end, order.session_id)
        finish = FinishTurn(**hold.held(), report=told, silent_s=order.inactivity_s)
        await hold.say(finish, cost_usd=told.cost_usd)
        return told

    async def _task(self, carry: str | None) -> _Session:
        """The turn that does the task: in a session of its own, or in the one that goes on."""
        state = await self._hold.state()
        agent, spec, fence = self._claim.agent, state.spec or {}, self._fence()
        if self._claim.state.correcting:
            # What was wrong with an answer is for the agent to mend, in a session of its own as well.
            told = compose_correction(agent, spec, fence, self._claim.state.why, state.shaped)
        elif carry is not None:
            told = compose_resume(agent, spec, fence, self._claim.state.why, state.shaped)
        else:
            told = compose(agent, spec, fence, state.shaped)
        return _Session(carry or self._shop.stamp.ids.new(), told, resume=carry is not None)

    def _fence(self) -> str:
        """A line that nobody could know before."""
        return f"----- {self._shop.stamp.ids.new()} -----"

    async def _order(self, session: _Session) -> AgentOrder:
        state = await self._hold.state()
        spec: Mapping[str, Any] = state.spec or {}
        task_type = str(spec["task_type"])
        instructions = await self._shop.folders.read_text(self._claim.cwd, "CLAUDE.md", INSTRUCTIONS_LIMIT)
        return AgentOrder(
            session_id=session.id,
            cwd=self._claim.cwd,
            prompt=session.prompt,
            tools=offered(task_type, self._claim.agent.tools),
            allowed=granted(task_type, self._claim.agent.tools),
            permission_mode=self._claim.agent.permission_mode,
            instructions=instructions,
            denied=self._shop.denied,
            max_turns=int(spec["max_turns"] or self._shop.max_turns),
            max_budget_usd=state.money.left,
            timeout_s=self._claim.timeout_s - session.spent_s,
            inactivity_s=self._shop.inactivity_s,
            resume=session.resume,
        )

    async def _started(self, process: ProcessIdentity) -> None:
        await self._hold.say(NoteAgent(**self._hold.held(), process=process))

    async def _line(self, heard: "_Heard", line: Mapping[str, Any]) -> None:
        """What the agent says arrives in the log while it works."""
        before = heard.state
        heard.state, used = hear(before, line)
        for tool in used:
            note = NoteTool(**self._hold.held(), tool=tool.name, tool_use_id=tool.use_id, detail=tool.detail)
            await self._hold.say(note)
        if answered(before, heard.state) & EDITING:
            self._files.stir()
        await self._hold.renew()


@dataclass
class _Heard:
    """What one turn's stream has said so far."""

    state: StreamState = field(default_factory=StreamState)
