"""An agent that ends with a question, in virtual time: who answers it, and what becomes of its answer."""

from collections.abc import Mapping
from typing import Any

import pytest

from handlers.ports.agent import AgentEnd, AgentOrder
from projections.artifact import build
from schemas import names
from schemas.process import ProcessIdentity
from schemas.turn import Captured
from tests.fake_model import FakeModel, end
from tests.fakes import FakeAgent
from tests.test_mediator_world import FILE, told, world_with
from tests.world import serve


class AskingAgent:
    """Ends its first turn with a question, and does the work in the next one."""

    def __init__(self, agent: FakeAgent) -> None:
        self.executable = agent.executable
        self._agent = agent
        self._asked = False

    async def run(self, order: AgentOrder, started: Any, heard: Any) -> AgentEnd:
        if self._asked:
            return await self._agent.run(order, started, heard)
        self._asked = True
        self._agent.world.orders.append(order)
        await started(ProcessIdentity(pid=77, started=1, boot_id="b"))
        result = {"type": "result", "subtype": "success", "is_error": False, "num_turns": 1}
        await heard({**result, "result": "I found it.\nShould I change cart.py?", "total_cost_usd": 0.01})
        return AgentEnd("exited", 0, 10, Captured(), Captured(), 0)


def test_an_agent_that_asks_goes_on_with_an_answer_out_of_the_tasks_words() -> None:
    world = world_with(a=FILE)
    model = FakeModel({"answer": {"can_answer": True, "answer": "Yes: the task says so."}})
    assert serve(world, model=model, wrap_agent=AskingAgent)
    assert model.purposes == ["shape", "answer", "summary"]
    first, second = world.orders
    assert second.resume and second.session_id == first.session_id
    assert "Yes: the task says so." in second.prompt and "Should I change cart.py?" in second.prompt
    assert (second.tools, second.allowed, second.cwd) == (first.tools, first.allowed, first.cwd)
    assert second.timeout_s < first.timeout_s, "both turns share the attempt's time"
    assert len(told(world, names.TURN_FINISHED)) == 2 and len(told(world, names.TASK_CLAIMED)) == 1
    assert told(world, names.TASK_SUCCEEDED)


@pytest.mark.parametrize("said", [{"can_answer": False, "answer": "yes"}, "no JSON", end(problem="silent")])
def test_a_question_that_nobody_can_answer_is_evidence_and_no_failure(said: Any) -> None:
    world = world_with(a=FILE)
    assert serve(world, model=FakeModel({"answer": said}), wrap_agent=AskingAgent)
    assert len(world.orders) == 1
    (ended,) = told(world, names.TASK_SUCCEEDED)
    assert any("it seems to ask" in line for line in ended.data["evidence"])


def test_an_agent_that_asks_without_end_is_answered_once() -> None:
    class AsksAlways(AskingAgent):
        async def run(self, order: AgentOrder, started: Any, heard: Any) -> AgentEnd:
            self._asked = False
            return await super().run(order, started, heard)

    world = world_with(a=FILE)
    model = FakeModel({"answer": {"can_answer": True, "answer": "Yes."}})
    assert serve(world, model=model, wrap_agent=AsksAlways)
    assert model.purposes.count("answer") == 1 and len(world.orders) == 2
    assert told(world, names.TASK_SUCCEEDED)


class DoneAndAsking(AskingAgent):
    """Its first turn is a good answer that ends with an offer; the next one goes as `then` says."""

    then: Mapping[str, Any] = {}

    async def run(self, order: AgentOrder, started: Any, heard: Any) -> AgentEnd:
        self._agent.world.orders.append(order)
        first = len(self._agent.world.orders) == 1
        await started(ProcessIdentity(pid=77, started=1, boot_id="b"))
        good = {"type": "result", "subtype": "success", "is_error": False, "num_turns": 1}
        if first:
            await heard({**good, "result": "The sum is wrong in line 3.\nShould I look at the tests too?"})
            return AgentEnd("exited", 0, 10, Captured(), Captured(), 0)
        if self.then.get("dies"):
            return AgentEnd("exited", 137, 10, Captured(), Captured(), 0)
        await heard({**good, **self.then})
        return AgentEnd("exited", int(bool(self.then.get("is_error"))), 10, Captured(), Captured(), 0)


@pytest.mark.parametrize(
    ("then", "claimed"),
    [
        (
            {"result": "Nothing more."},
            "The sum is wrong in line 3.\nShould I look at the tests too?\n\nNothing more.",
        ),
        ({"result": "", "subtype": "error_max_turns", "is_error": True}, "The sum is wrong in line 3."),
        ({"result": "API Error", "is_error": True}, "The sum is wrong in line 3."),
        ({"dies": True}, "The sum is wrong in line 3."),
    ],
    ids=["more", "turn cap", "error", "death"],
)
def test_a_good_answer_is_not_lost_by_the_turn_after_it(then: Mapping[str, Any], claimed: str) -> None:
    world = world_with(a=FILE.replace(b"bug_fix", b"analyze"))
    model = FakeModel({"answer": {"can_answer": True, "answer": "Only the sum."}})
    agent = type("Agent", (DoneAndAsking,), {"then": then})
    assert serve(world, model=model, wrap_agent=agent)
    assert len(world.orders) == 2
    (ended,) = told(world, *names.ENDS)
    assert ended.type == names.TASK_SUCCEEDED and ended.data["claimed"].startswith(claimed)
    artifact = build(told(world))
    assert artifact["success"] and artifact["parsed_output"]["result"].startswith(claimed)


def test_a_crash_at_every_append_of_an_answered_task_ends_it_once() -> None:
    def model() -> FakeModel:
        return FakeModel({"answer": {"can_answer": True, "answer": "Yes."}})

    whole = world_with(a=FILE)
    assert serve(whole, model=model(), wrap_agent=AskingAgent)
    for crash_at in range(1, whole.appends + 1):
        for after in (False, True):
            world = world_with(a=FILE)
            world.crash_at, world.crash_after = crash_at, after
            if not serve(world, model=model(), wrap_agent=AskingAgent):
                world.restart()
                assert serve(world, model=model(), wrap_agent=AskingAgent)
            assert [event.type for event in told(world, *names.ENDS)] == [names.TASK_SUCCEEDED], (
                crash_at,
                after,
            )
            assert not world.alive
