"""What follows a failed attempt: another one, a wait for quota, or the end, by the class of the error."""

from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventstore.event import Recorded
from handlers.attempt import ATTEMPT
from handlers.ending import MOST_DEATHS
from handlers.retry import (
    JITTER,
    LONGEST_S,
    MULTIPLIER,
    NONE,
    RETRIES,
    Retries,
    delay,
    retries_for,
)
from schemas.attempt import (
    ClaimTask,
    EndAttempt,
    ErrorClass,
    InterruptAttempt,
    NoteCheck,
)
from schemas.task import CancelTask, PauseTask, ResumeTask, RetryTask
from schemas.turn import FinishTurn, NoteAgent, StartTurn
from tests.rule_bench import (
    CONDITIONS,
    SECOND,
    STATUSES,
    TURNING,
    Bench,
    agent_started,
    check,
    claimed,
    interrupted,
    report,
    turn_finished,
    types,
)

FAILED: dict[str, Any] = {"is_error": True, "exit_code": 1, "result_text": "no"}
WAYS: dict[str, dict[str, Any]] = {
    "timeout": {"ended": "timeout", "exit_code": -15, "has_result": False},
    "inactivity": {"ended": "inactivity", "exit_code": -15, "has_result": False},
    "network": {**FAILED, "api_error_status": 529},
    "rate_limit": {**FAILED, "api_error_status": 429},
    "auth": {**FAILED, "api_error_status": 401},
    "turn_cap": {**FAILED, "subtype": "error_max_turns"},
    "budget": {**FAILED, "subtype": "error_max_budget_usd"},
    "interactive": {"deferred": True},
    "validation": {"result_text": ""},
    "fatal": FAILED,
}
"""A turn for each class of error that a turn can have."""
MOST = {"timeout": 1, "inactivity": 2, "network": 3, "rate_limit": 3, "validation": 1}
NOT_STARTED: dict[str, Any] = {"ended": "not_started", "exit_code": None, "has_result": False}
DEATHS: list[dict[str, Any]] = [
    {"exit_code": code, "has_result": False} for code in (137, 143, 139, -9, -15, -11)
]
DAY = 86_400 * SECOND


def again(bench: Bench, *, agent: bool = True, **turn: Any) -> list[Recorded]:
    """One more attempt that ends with such a turn: what its end appended."""
    bench.now = max(bench.now, bench.state(ATTEMPT).not_before or 0)
    bench.do(ClaimTask)
    attempt, carry = bench.state(ATTEMPT).attempt, bench.state(ATTEMPT).carry
    session = carry or f"session-{attempt}"
    bench.do(StartTurn, attempt=attempt, session_id=session, resumed=carry is not None)
    if agent:
        bench.do(NoteAgent, attempt=attempt)
    bench.do(FinishTurn, attempt=attempt, report=report(**turn))
    bench.now += SECOND
    return bench.end(attempt=attempt)


def quota(bench: Bench, resets_in: int) -> dict[str, Any]:
    """A turn that found its quota used up; `resets_in` is in microseconds from now."""
    return {**WAYS["rate_limit"], "rate_limit_rejected": True, "resets_at": bench.now + resets_in}


# how often


@pytest.mark.parametrize("error_class", WAYS)
def test_a_class_is_tried_again_as_often_as_it_is_worth(error_class: str) -> None:
    bench = Bench(*STATUSES["queued"])
    for retry in range(1, MOST.get(error_class, 0) + 1):
        (event,) = again(bench, **WAYS[error_class])
        assert event.type == "retry_scheduled"
        assert (event.data["error_class"], event.data["retry"]) == (error_class, retry)
        assert (event.data["attempt"], event.data["executor"]) == (retry, "claude")
        state = bench.state(ATTEMPT)
        assert (state.status, state.open) == ("waiting_retry", False)
        assert state.not_before == event.data["wake_at"] > bench.now
    (end,) = again(bench, **WAYS[error_class])
    assert (end.type, end.data["error_class"]) == ("task_failed", error_class)
    if error_class in MOST:
        assert end.data["sentence"].endswith(f"It was tried {MOST[error_class] + 1} times.")
    else:
        assert "tried" not in end.data["sentence"]


def test_no_other_class_is_ever_tried_again() -> None:
    assert set(RETRIES) == set(MOST)
    assert {name: RETRIES[name].most for name in RETRIES} == MOST
    for error_class in get_args(ErrorClass):
        assert (retries_for(error_class, "") == NONE) == (error_class not in MOST)


def test_retries_are_counted_for_each_class_alone() -> None:
    bench = Bench(*STATUSES["queued"])
    story = ["network", "timeout", "network", "inactivity", "rate_limit", "network", "inactivity"]
    told = [again(bench, **WAYS[error_class])[0].data["retry"] for error_class in story]
    assert told == [1, 1, 2, 1, 1, 3, 2]
    assert types(again(bench, **WAYS["network"])) == ["task_failed"]


@pytest.mark.parametrize("ended", [False, True])
def test_whoever_asks_for_a_task_again_gives_it_all_its_retries_back(ended: bool) -> None:
    bench = Bench(*STATUSES["queued"])
    for _ in range(MOST["network"] + ended):
        again(bench, **WAYS["network"])
    bench.do(RetryTask)
    assert [again(bench, **WAYS["network"])[0].data["retry"] for _ in range(3)] == [1, 2, 3]


def test_an_agent_that_cannot_be_started_never_ends_a_task() -> None:
    bench = Bench(*STATUSES["queued"])
    for retry in range(1, 40):
        (event,) = again(bench, agent=False, **NOT_STARTED)
        assert (event.type, event.data["reason"]) == ("retry_scheduled", "agent_not_started")
        assert event.data["retry"] == retry
        assert event.data["delay_s"] <= LONGEST_S * JITTER[1]


def test_a_folder_that_was_lost_ends_a_task_though_its_agent_was_not_started() -> None:
    bench = Bench(*STATUSES["queued"])
    lost = {**NOT_STARTED, "note": "The working directory /ground/project is gone."}
    (event,) = again(bench, agent=False, **lost)
    assert (event.type, event.data["reason"]) == ("task_failed", "cwd_lost")


# how long


@given(st.sampled_from(sorted(RETRIES)), st.integers(1, 8), st.text(max_size=40))
def test_a_delay_is_doubled_each_time_and_spread_within_bounds(
    error_class: str, retry: int, command_id: str
) -> None:
    retries = RETRIES[error_class]
    base = retries.delay_s * MULTIPLIER ** (retry - 1)
    assert (JITTER, MULTIPLIER) == ((0.85, 1.35), 2)
    found = delay(retries, retry, command_id)
    assert JITTER[0] * base - 0.001 <= found <= JITTER[1] * base + 0.001
    assert delay(retries, retry, command_id) == found


@given(st.integers(1, 10**6), st.text(max_size=8))
def test_no_delay_is_longer_than_ten_minutes_and_its_spread(retry: int, command_id: str) -> None:
    assert 0 < delay(Retries(10**6, 5.0), retry, command_id) <= LONGEST_S * JITTER[1]


def test_two_tasks_that_failed_together_do_not_come_back_together() -> None:
    found = {delay(RETRIES["network"], 1, f"command-{number}") for number in range(50)}
    assert len(found) > 25


def test_the_same_command_decided_twice_wakes_at_the_same_moment() -> None:
    bench = Bench(*TURNING, agent_started(), turn_finished(**WAYS["network"]))
    command, state = bench.command(EndAttempt), bench.state(ATTEMPT)
    first, second = ATTEMPT.decide(command, state), ATTEMPT.decide(command, state)
    assert first == second
    (event,) = bench.end()
    elapsed = event.data["wake_at"] - event.time
    assert elapsed == int(event.data["delay_s"] * SECOND)


# money, and the wish to stop


@pytest.mark.parametrize("way", [*MOST, "quota"])
def test_what_has_spent_its_budget_is_not_tried_again(way: str) -> None:
    bench = Bench(*STATUSES["queued"], claimed(1, max_budget_usd=0.5), *TURNING[4:], agent_started())
    turn = quota(bench, 600 * SECOND) if way == "quota" else WAYS[way]
    bench.given(turn_finished(**{**turn, "cost_usd": 0.5}))
    (end,) = bench.end()
    expected = "rate_limit" if way == "quota" else way
    assert (end.type, end.data["error_class"]) == ("task_failed", expected)
    assert "its budget is spent" in end.data["sentence"]


@pytest.mark.parametrize(
    ("spent", "kind"), [(0.2, "task_failed"), (0.3, "task_failed"), (0.1, "task_claimed")]
)
def test_a_task_whose_budget_is_spent_is_not_claimed_again(spent: float, kind: str) -> None:
    bench = Bench(*TURNING, turn_finished(cost_usd=spent), interrupted())
    (event,) = bench.do(ClaimTask, conditions=CONDITIONS.model_copy(update={"max_budget_usd": 0.2}))
    assert event.type == kind
    if kind == "task_failed":
        assert (event.data["error_class"], event.data["reason"]) == ("budget", "max_budget")
        assert f"{spent:.2f}" in event.data["sentence"]
        assert event.data["suggested_actions"]


@pytest.mark.parametrize("way", ["well", "network", "quota", "killed", "not_started", "check_failed"])
def test_the_wish_to_cancel_beats_whatever_became_of_the_attempt(way: str) -> None:
    bench = Bench(*TURNING, agent_started())
    bench.do(CancelTask, reason="wrong file", actor="cli:bob")
    turns = {"network": WAYS["network"], "killed": DEATHS[0], "not_started": NOT_STARTED}
    turn = quota(bench, 600 * SECOND) if way == "quota" else turns.get(way, {})
    bench.do(FinishTurn, report=report(**turn))
    if way == "check_failed":
        bench.do(NoteCheck, result=check(passed=False))
    (end,) = bench.end()
    assert (end.type, end.data["by"], end.data["reason"]) == ("task_cancelled", "cli:bob", "wrong file")


# deaths


@pytest.mark.parametrize("death", DEATHS, ids=lambda death: str(death["exit_code"]))
def test_a_death_of_the_agent_is_done_again_and_the_third_ends_the_task(death: dict[str, Any]) -> None:
    bench = Bench(*STATUSES["queued"])
    for _ in range(2):
        (event,) = again(bench, **death)
        assert (event.type, event.data["agent_died"]) == ("task_interrupted", True)
        assert bench.state(ATTEMPT).status == "queued"
    lost, end = again(bench, **death)
    assert (lost.type, end.type) == ("task_interrupted", "task_failed")
    assert (end.data["error_class"], end.data["reason"]) == ("worker_lost", "worker_lost")
    assert "3 times" in end.data["sentence"]


@pytest.mark.parametrize("death", DEATHS, ids=lambda death: str(death["exit_code"]))
def test_an_answer_counts_whatever_the_exit_code_says(death: dict[str, Any]) -> None:
    (event,) = again(Bench(*STATUSES["queued"]), exit_code=death["exit_code"])
    assert event.type == "task_succeeded"


def die(bench: Bench, *, worker_died: bool) -> list[str]:
    """One more attempt that is claimed and lost."""
    bench.do(ClaimTask)
    attempt = bench.state(ATTEMPT).attempt
    return types(bench.do(InterruptAttempt, attempt=attempt, worker_died=worker_died))


def test_deaths_of_agent_and_worker_are_counted_together() -> None:
    bench = Bench(*STATUSES["queued"])
    assert die(bench, worker_died=True) == ["task_interrupted"]
    assert types(again(bench, **DEATHS[0])) == ["task_interrupted"]
    assert die(bench, worker_died=True) == ["task_interrupted", "task_failed"]


def test_deaths_of_the_service_do_not_count() -> None:
    bench = Bench(*STATUSES["queued"])
    for _ in range(MOST_DEATHS + 2):
        assert die(bench, worker_died=False) == ["task_interrupted"]
    assert bench.state(ATTEMPT).status == "queued"
    assert die(bench, worker_died=True) == ["task_interrupted"]
    assert die(bench, worker_died=True) == ["task_interrupted"]
    assert die(bench, worker_died=False) == ["task_interrupted"]
    assert die(bench, worker_died=True) == ["task_interrupted", "task_failed"]
    (end,) = list(bench.log.all(types=frozenset({"task_failed"})))
    assert "the service died" in end.data["sentence"], "the reason of the last one is told"


def test_a_task_that_is_asked_for_again_has_all_its_lives_back() -> None:
    bench = Bench(*STATUSES["queued"])
    for _ in range(MOST_DEATHS):
        die(bench, worker_died=True)
    bench.do(RetryTask)
    assert die(bench, worker_died=True) == ["task_interrupted"]


# the session that goes on


@pytest.mark.parametrize("way", [*MOST, "quota"])
def test_the_session_goes_on_where_its_agent_had_begun(way: str) -> None:
    bench = Bench(*STATUSES["queued"])
    (event,) = again(bench, **(quota(bench, SECOND) if way == "quota" else WAYS[way]))
    assert event.data["resume"] is True
    assert bench.state(ATTEMPT).carry == "session-1"


@pytest.mark.parametrize("way", [*MOST, "quota"])
def test_no_session_goes_on_where_no_agent_has_lived(way: str) -> None:
    bench = Bench(*STATUSES["queued"])
    (event,) = again(bench, agent=False, **(quota(bench, SECOND) if way == "quota" else WAYS[way]))
    assert event.data["resume"] is False
    assert bench.state(ATTEMPT).carry is None


def test_an_agent_that_cannot_be_started_leaves_the_session_to_the_next_one() -> None:
    bench = Bench(*STATUSES["queued"])
    again(bench, **WAYS["network"])
    (event,) = again(bench, agent=False, **NOT_STARTED)
    assert event.data["resume"] is True
    assert bench.state(ATTEMPT).carry == "session-1"


def test_a_service_that_stops_keeps_the_session_of_a_living_agent() -> None:
    bench = Bench(*TURNING)
    bench.do(InterruptAttempt)
    assert bench.state(ATTEMPT).carry is None
    bench.do(ClaimTask)
    bench.do(StartTurn, attempt=2, session_id="second")
    bench.do(NoteAgent, attempt=2)
    bench.do(InterruptAttempt, attempt=2)
    assert bench.state(ATTEMPT).carry == "second"
    bench.do(ClaimTask)
    bench.do(InterruptAttempt, attempt=3)
    assert bench.state(ATTEMPT).carry == "second", "an attempt without a turn changes nothing"


@pytest.mark.parametrize("by_worker", [True, False])
def test_a_session_that_saw_a_death_does_not_go_on(by_worker: bool) -> None:
    bench = Bench(*STATUSES["queued"])
    again(bench, **WAYS["network"])
    if by_worker:
        bench.now += 60 * SECOND
        die(bench, worker_died=True)
    else:
        again(bench, **DEATHS[0])
    assert bench.state(ATTEMPT).carry is None


def test_a_task_that_ended_begins_anew_and_one_that_waited_goes_on() -> None:
    waited, ended = Bench(*STATUSES["queued"]), Bench(*STATUSES["queued"])
    again(waited, **WAYS["network"])
    waited.do(RetryTask)
    assert waited.state(ATTEMPT).carry == "session-1"
    again(ended, **WAYS["network"])
    again(ended, **WAYS["fatal"])
    ended.do(RetryTask)
    assert ended.state(ATTEMPT).carry is None


def test_a_pause_keeps_the_session() -> None:
    bench = Bench(*TURNING, agent_started())
    bench.do(PauseTask)
    bench.do(FinishTurn, report=report(ended="interrupted", exit_code=None, has_result=False))
    bench.do(InterruptAttempt)
    bench.do(ResumeTask)
    state = bench.state(ATTEMPT)
    assert (state.status, state.carry) == ("queued", TURNING[-1].model_dump()["session_id"])


def test_what_the_next_agent_is_told_is_why_the_one_before_stopped() -> None:
    bench = Bench(*STATUSES["queued"])
    (event,) = again(bench, **WAYS["inactivity"])
    assert bench.state(ATTEMPT).why == event.data["sentence"]
    bench.do(RetryTask)
    assert bench.state(ATTEMPT).why == ""
