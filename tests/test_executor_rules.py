"""What holds tasks up together: a circuit that opens and closes, a day's money, a paused queue."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.decider import Decider
from handlers.executor import EXECUTOR, FIRST_DELAY_S, LONGEST_DELAY_S, QUEUE
from handlers.policies import BREAKING, breaking
from schemas import names
from schemas.executor import (
    CloseCircuit,
    ExecutorCommand,
    NoteDailyBudget,
    OpenCircuit,
    PauseQueue,
    ResumeQueue,
    executor_stream,
)
from schemas.service import SystemCommand
from schemas.word import Command
from tests.rule_bench import SECOND, Bench, types

DAY, NEXT_DAY = "2023-11-14", "2023-11-15"


def circuit(bench: Bench) -> Any:
    state, _ = bench.dispatch.state(EXECUTOR, executor_stream(names.EXECUTOR))
    return state


# the circuit


@pytest.mark.parametrize("failures", [0, 1, 2])
def test_two_failures_in_a_row_open_no_circuit(failures: int) -> None:
    assert Bench().do(OpenCircuit, failures=failures) == []


def test_the_third_failure_in_a_row_opens_the_circuit() -> None:
    bench = Bench()
    (event,) = bench.do(OpenCircuit, error_class="auth", sentence="who are you?")
    assert (event.type, event.stream) == ("circuit_opened", "executor-claude")
    assert event.data == {
        "executor": "claude",
        "failures": 3,
        "error_class": "auth",
        "sentence": "who are you?",
        "delay_s": FIRST_DELAY_S,
        "wake_at": event.time + 30 * SECOND,
    }


def test_each_opening_without_an_answer_between_waits_twice_as_long_up_to_a_quarter_of_an_hour() -> None:
    bench = Bench()
    delays = [bench.do(OpenCircuit, failures=failures)[0].data["delay_s"] for failures in range(3, 20)]
    assert delays[:6] == [30, 60, 120, 240, 480, LONGEST_DELAY_S]
    assert set(delays[5:]) == {LONGEST_DELAY_S} == {900}


def test_an_answer_closes_the_circuit_once_and_begins_the_count_anew() -> None:
    bench = Bench()
    assert bench.do(CloseCircuit) == []
    bench.do(OpenCircuit, failures=3)
    bench.do(OpenCircuit, failures=4)
    (event,) = bench.do(CloseCircuit)
    assert (event.type, event.data) == ("circuit_closed", {"executor": "claude"})
    assert bench.do(CloseCircuit) == []
    (event,) = bench.do(OpenCircuit, failures=3)
    assert event.data["delay_s"] == FIRST_DELAY_S


def test_failures_counted_from_one_again_mean_an_answer_that_nobody_told_of() -> None:
    bench = Bench()
    bench.do(OpenCircuit, failures=3)
    bench.do(OpenCircuit, failures=4)
    closed, opened = bench.do(OpenCircuit, failures=3)
    assert (closed.type, opened.type) == ("circuit_closed", "circuit_opened")
    assert opened.data["delay_s"] == FIRST_DELAY_S
    assert circuit(bench).opened == 1


def test_executors_have_a_circuit_each() -> None:
    bench = Bench()
    bench.do(OpenCircuit)
    (event,) = bench.do(OpenCircuit, executor="other")
    assert (event.stream, event.data["delay_s"]) == ("executor-other", FIRST_DELAY_S)


ROW = {"event_id": "failed-1", "failures": 3, "error_class": "network", "failure": "no answer."}


@pytest.mark.parametrize(("due", "kinds"), [("open", [OpenCircuit]), ("close", [CloseCircuit]), (None, [])])
def test_the_policy_asks_for_what_is_due(due: str | None, kinds: list[type[ExecutorCommand]]) -> None:
    commands = breaking({"claude": {**ROW, "due": due}}, 7)
    assert [type(command) for command in commands] == kinds
    assert all((command.actor, command.executor) == (BREAKING, "claude") for command in commands)
    assert all(command.causation_id == "failed-1" for command in commands)


def test_a_policy_that_looks_twice_opens_a_circuit_once() -> None:
    bench = Bench()
    for now in (bench.now, bench.now + SECOND):
        for command in breaking({"claude": {**ROW, "due": "open"}}, now):
            bench.dispatch(command)
    assert bench.types == ["circuit_opened"]


@given(st.lists(st.integers(0, 6) | st.none(), max_size=30))
def test_a_circuit_is_open_after_a_failure_too_many_and_closed_after_an_answer(
    story: list[int | None],
) -> None:
    bench, opened = Bench(), False
    for failures in story:
        if failures is None:
            bench.do(CloseCircuit)
        else:
            bench.do(OpenCircuit, failures=failures)
        opened = failures is not None and (opened or failures >= names.CIRCUIT_FAILURES)
        assert bool(circuit(bench).opened) == opened
    told = [kind for kind in bench.types if kind == "circuit_closed"]
    assert len(told) <= bench.types.count("circuit_opened"), "only what is open is closed"


# a day's money


def test_a_day_s_budget_is_reached_once_a_day() -> None:
    bench = Bench()
    (event,) = bench.do(NoteDailyBudget, day=DAY, spent_usd=4.0)
    assert event.type == "daily_budget_reached"
    assert (event.data["day"], event.data["spent_usd"], event.data["budget_usd"]) == (DAY, 4.0, 4.0)
    assert event.data["wake_at"] > event.time
    assert bench.do(NoteDailyBudget, day=DAY, spent_usd=4.5) == []
    assert bench.do(NoteDailyBudget, day=NEXT_DAY, spent_usd=0.0) == []
    assert types(bench.do(NoteDailyBudget, day=NEXT_DAY, spent_usd=4.1)) == ["daily_budget_reached"]


@pytest.mark.parametrize("budget", [None, 6.0])
def test_a_budget_that_is_raised_or_taken_away_is_lifted_once(budget: float | None) -> None:
    bench = Bench()
    assert bench.do(NoteDailyBudget, day=DAY, budget_usd=budget) == []
    bench.do(NoteDailyBudget, day=DAY)
    (event,) = bench.do(NoteDailyBudget, day=DAY, budget_usd=budget)
    assert (event.type, event.data["budget_usd"]) == ("daily_budget_lifted", budget)
    assert bench.do(NoteDailyBudget, day=DAY, budget_usd=budget) == []


@pytest.mark.parametrize(("spent", "budget"), [(3.99, 4.0), (0.0, 0.01), (100.0, None)])
def test_what_is_left_of_a_budget_may_be_spent(spent: float, budget: float | None) -> None:
    assert Bench().do(NoteDailyBudget, spent_usd=spent, budget_usd=budget) == []


# the queue


def test_the_queue_is_paused_once_and_resumed_once() -> None:
    bench = Bench()
    assert bench.do(ResumeQueue) == []
    (event,) = bench.do(PauseQueue, actor="cli:bob")
    assert (event.type, event.stream, event.data) == ("queue_paused", "system", {"reason": "holidays"})
    assert bench.do(PauseQueue) == []
    (event,) = bench.do(ResumeQueue)
    assert (event.type, event.data) == ("queue_resumed", {"reason": "back again"})
    assert bench.do(ResumeQueue) == []


@pytest.mark.parametrize(
    ("base", "decider", "fields"),
    [(ExecutorCommand, EXECUTOR, {"executor": names.EXECUTOR}), (SystemCommand, QUEUE, {})],
)
def test_a_command_that_is_no_executor_s_is_a_bug(
    base: type[Command], decider: Decider[Any], fields: dict[str, str]
) -> None:
    dream = type("Dream", (base,), {"__module__": __name__})
    with pytest.raises(TypeError, match="Dream"):
        decider.decide(Bench().command(dream, **fields), decider.initial)
