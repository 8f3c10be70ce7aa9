"""Fencing: whose attempt is over may not write, and that it was tried stands in the log once."""

import pytest

from handlers.attempt import ATTEMPT
from handlers.decider import Refused
from schemas.attempt import InterruptAttempt, RejectStale
from schemas.turn import FinishTurn
from tests.rule_bench import (
    ANSWERED,
    OWN,
    STATUSES,
    TURNING,
    Bench,
    agent_started,
    claimed,
    interrupted,
    turn_finished,
    types,
)


@pytest.mark.parametrize(("attempt", "command"), [(1, "FinishTurn"), (0, "NoteTool")])
def test_a_stale_word_is_recorded_once_for_each_attempt(attempt: int, command: str) -> None:
    bench = Bench(*TURNING, interrupted(), claimed(2))
    (event,) = bench.do(RejectStale, attempt=attempt, command=command)
    assert event.type == "stale_result_rejected"
    assert event.data == {
        "attempt": attempt,
        "current_attempt": 2,
        "command": command,
        "cost_usd": 0.25,
    }
    assert bench.do(RejectStale, attempt=attempt) == []
    assert types(bench.do(RejectStale, attempt=1 - attempt)) == ["stale_result_rejected"]
    assert bench.state(ATTEMPT).status == "running"


@pytest.mark.parametrize("attempt", [2, 3])
def test_the_attempt_that_holds_the_task_is_never_called_stale(attempt: int) -> None:
    assert Bench(*TURNING, interrupted(), claimed(2)).do(RejectStale, attempt=attempt) == []


def test_the_last_attempt_of_an_ended_task_is_stale() -> None:
    assert types(Bench(*STATUSES["succeeded"]).do(RejectStale)) == ["stale_result_rejected"]


def test_a_lease_that_expired_stands_before_the_interruption() -> None:
    bench = Bench(*TURNING)
    expired, lost = bench.do(InterruptAttempt, lease_expired=True)
    assert expired.type == "lease_expired"
    assert expired.data["worker"] == "w1"
    assert expired.data["process"] == OWN.model_dump()
    assert (lost.type, lost.data["worker_died"]) == ("task_interrupted", False)
    with pytest.raises(Refused) as refused:
        bench.do(FinishTurn)
    assert refused.value.code == "stale"


@pytest.mark.parametrize("carried", [True, False])
def test_whoever_takes_over_from_a_holder_that_may_live_still_begins_a_session_of_its_own(
    carried: bool,
) -> None:
    bench = Bench(*TURNING, agent_started())
    if carried:
        bench.given(interrupted(), claimed(2))
    bench.do(InterruptAttempt, attempt=1 + carried, lease_expired=True)
    assert bench.state(ATTEMPT).carry is None


def test_a_silence_that_is_judged_after_the_lease_expired_goes_on_in_no_session() -> None:
    bench = Bench(*TURNING, agent_started(), turn_finished(ended="inactivity", has_result=False))
    expired, _, again = bench.do(InterruptAttempt, lease_expired=True)
    assert (expired.type, again.type) == ("lease_expired", "retry_scheduled")
    assert again.data["resume"] is False
    assert bench.state(ATTEMPT).carry is None


def test_a_lease_that_expired_after_the_answer_takes_the_answer() -> None:
    bench = Bench(*ANSWERED)
    assert types(bench.do(InterruptAttempt, lease_expired=True)) == [
        "lease_expired",
        "validated",
        "task_succeeded",
    ]
