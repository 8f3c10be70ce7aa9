"""What follows from a judged attempt: the reason is told to the agent's session, and counted as a retry."""

from typing import Any

import pytest

from eventstore.event import ANY, Event
from handlers.attempt import ATTEMPT
from handlers.attempt_state import AttemptState
from handlers.ending import owes_checks
from schemas.attempt import ClaimTask, EndAttempt, FinishStep, InterruptAttempt, NoteCheck, NoteFiles
from schemas.task import CancelTask, PauseTask, ResumeTask, RetryTask
from schemas.turn import FinishTurn, NoteAgent, StartTurn
from tests.rule_bench import (
    OTHER_SHA,
    SHA,
    STREAM,
    TURNING,
    Bench,
    agent_started,
    check,
    claimed,
    queued,
    received,
    report,
    snapshot,
    turn_finished,
    turn_started,
    types,
)

EMPTY: dict[str, Any] = {"result_text": ""}
TESTS = {"text": "tests pass", "check": "make test"}


def asked(task_type: str = "bug_fix", **over: Any) -> tuple[Any, ...]:
    """A task in the queue."""
    placed = queued().model_copy(update={"task_type": task_type})
    return received(task_type=task_type, agent=task_type, **over), placed


def begun(bench: Bench, blob: str = SHA) -> int:
    """The next attempt, with its snapshot and a living agent; its number."""
    bench.now = max(bench.now, bench.state(ATTEMPT).not_before or 0)
    bench.do(ClaimTask)
    state: AttemptState = bench.state(ATTEMPT)
    bench.do(FinishStep, attempt=state.attempt, blob=blob)
    session = state.carry or f"session-{state.attempt}"
    bench.do(StartTurn, attempt=state.attempt, session_id=session, resumed=state.carry is not None)
    bench.do(NoteAgent, attempt=state.attempt)
    return state.attempt


def tried(bench: Bench, blob: str = SHA, files: tuple[str, ...] = (), **turn: Any) -> list[Any]:
    """One more attempt that changes such files and ends with such a turn; what its end appended."""
    attempt = begun(bench, blob)
    bench.do(FinishTurn, attempt=attempt, report=report(**turn))
    if files:
        changes = tuple({"path": path, "change": "modified"} for path in files)
        bench.do(NoteFiles, attempt=attempt, files=changes)
    return bench.do(EndAttempt, attempt=attempt)


def test_what_was_measured_stands_before_what_follows_in_one_commit() -> None:
    bench = Bench(*asked())
    first = tried(bench, **EMPTY)
    assert types(first) == ["validated", "retry_scheduled"]
    assert first[0].position + 1 == first[1].position
    second = tried(bench, **EMPTY)
    assert types(second) == ["validated", "task_failed"]
    assert [event.data["attempt"] for event in (first[0], second[0])] == [1, 2]


def test_a_retry_goes_on_in_the_session_and_is_told_what_was_wrong() -> None:
    bench = Bench(*asked())
    _, again = tried(bench, **EMPTY)
    assert (again.data["resume"], again.data["error_class"], again.data["reason"]) == (
        True,
        "validation",
        "empty_output",
    )
    state = bench.state(ATTEMPT)
    assert (state.carry, state.correcting, state.why) == ("session-1", True, again.data["sentence"])
    _, end = tried(bench)
    assert (end.type, end.data["attempt"]) == ("task_succeeded", 2)


def test_another_retry_corrects_nothing() -> None:
    bench = Bench(*asked())
    tried(bench, ended="timeout", has_result=False)
    assert not bench.state(ATTEMPT).correcting
    tried(bench, **EMPTY)
    assert bench.state(ATTEMPT).correcting
    tried(bench, api_error_status=529, is_error=True)
    assert not bench.state(ATTEMPT).correcting, "the agent has been told"


def test_what_was_wrong_is_kept_until_an_agent_has_been_told() -> None:
    bench = Bench(*asked())
    _, again = tried(bench, **EMPTY)
    why = again.data["sentence"]
    bench.now = bench.state(ATTEMPT).not_before
    bench.do(ClaimTask)
    bench.do(InterruptAttempt, attempt=2)
    state = bench.state(ATTEMPT)
    assert (state.correcting, state.why, state.carry) == (True, why, "session-1")
    bench.do(ClaimTask)
    bench.do(StartTurn, attempt=3)
    bench.do(FinishTurn, attempt=3, report=report(ended="not_started", has_result=False, exit_code=None))
    bench.do(EndAttempt, attempt=3)
    state = bench.state(ATTEMPT)
    assert (state.correcting, state.why) == (True, why)
    bench.now = state.not_before
    bench.do(ClaimTask)
    bench.do(StartTurn, attempt=4)
    bench.do(NoteAgent, attempt=4)
    bench.do(InterruptAttempt, attempt=4)
    assert not bench.state(ATTEMPT).correcting


def test_a_session_that_is_gone_has_nothing_to_correct() -> None:
    bench = Bench(*asked())
    tried(bench, **EMPTY)
    bench.now = bench.state(ATTEMPT).not_before
    bench.do(ClaimTask)
    bench.do(InterruptAttempt, attempt=2, worker_died=True)
    state = bench.state(ATTEMPT)
    assert (state.correcting, state.carry) == (False, None)


def test_who_asks_for_it_at_once_loses_no_word_of_what_was_wrong() -> None:
    bench = Bench(*asked())
    _, again = tried(bench, **EMPTY)
    bench.do(RetryTask)
    state = bench.state(ATTEMPT)
    assert (state.correcting, state.why, state.carry) == (True, again.data["sentence"], "session-1")
    tried(bench, **EMPTY)
    tried(bench, **EMPTY)
    bench.do(RetryTask)
    state = bench.state(ATTEMPT)
    assert (state.correcting, state.why, state.carry) == (False, "", None), "what had ended begins anew"


def test_all_that_is_wrong_with_answers_is_counted_together() -> None:
    bench = Bench(*asked())
    tried(bench, **EMPTY)
    _, end = tried(bench, answer_cut=True)
    assert (end.type, end.data["reason"]) == ("task_failed", "truncated_output")


# edits in a task that may only read


def test_a_second_attempt_answers_for_what_it_changed_itself() -> None:
    bench = Bench(*asked("analyze"))
    _, again = tried(bench, files=("cart.py",))
    assert (again.type, again.data["reason"]) == ("retry_scheduled", "edit_in_readonly_task")
    assert again.data["sentence"] == "1 file changed during a task that may only read: cart.py."
    measured, end = tried(bench, blob=OTHER_SHA)
    assert end.type == "task_succeeded", "nobody can take back what an agent without tools did not do"
    assert bench.state(ATTEMPT).files == ("cart.py",), "it is told all the same"
    (signal,) = [one for one in measured.data["result"]["issues"] if one["code"] == "edit_in_readonly_task"]
    assert (signal["decides"], signal["measured"]) == (False, "1 file: cart.py")


def test_a_second_attempt_under_which_files_change_again_is_the_last() -> None:
    bench = Bench(*asked("code_review"))
    tried(bench, files=("cart.py",))
    _, end = tried(bench, blob=OTHER_SHA, files=("shop.py",))
    assert (end.type, end.data["reason"]) == ("task_failed", "edit_in_readonly_task")
    assert "shop.py" in end.data["sentence"]
    assert "cart.py" not in end.data["sentence"]
    assert len(end.data["suggested_actions"]) == 2


@pytest.mark.parametrize("task_type", ["bug_fix", "documentation"])
def test_a_task_that_may_edit_is_not_blamed_for_it(task_type: str) -> None:
    _, end = tried(Bench(*asked(task_type)), files=("cart.py",))
    assert end.type == "task_succeeded"


def test_an_attempt_without_a_snapshot_of_its_own_is_not_blamed_for_the_one_before() -> None:
    bench = Bench(*asked("analyze"))
    tried(bench, files=("cart.py",))
    bench.now = bench.state(ATTEMPT).not_before
    bench.given(claimed(2), turn_started(2, 1), turn_finished(2))
    assert types(bench.end(attempt=2)) == ["task_succeeded"]


def test_no_check_is_run_for_an_answer_that_does_not_stand() -> None:
    bench = Bench(*asked("analyze", criteria=[TESTS]))
    attempt = begun(bench)
    bench.do(FinishTurn, attempt=attempt, report=report())
    assert owes_checks(bench.state(ATTEMPT))
    bench.do(NoteFiles, attempt=attempt)
    assert not owes_checks(bench.state(ATTEMPT))


# checks


def test_after_a_failed_check_the_agent_works_again_even_where_the_attempt_only_ran_checks() -> None:
    bench = Bench(*asked(criteria=[TESTS]))
    attempt = begun(bench)
    bench.do(FinishTurn, attempt=attempt, report=report())
    bench.do(InterruptAttempt, attempt=attempt)
    assert bench.state(ATTEMPT).owed is not None
    bench.do(ClaimTask)
    bench.do(NoteCheck, attempt=2, result=check(passed=False))
    (again,) = bench.end(attempt=2)
    assert (again.type, again.data["reason"], again.data["resume"]) == (
        "retry_scheduled",
        "check_failed",
        True,
    )
    state = bench.state(ATTEMPT)
    assert (state.owed, state.carry, state.correcting) == (None, "session-1", True)
    bench.now = state.not_before
    bench.do(ClaimTask)
    assert bench.state(ATTEMPT).report is None, "nothing of it is judged a second time"


# what wins over a retry


def test_a_budget_that_is_spent_wins_over_a_retry() -> None:
    bench = Bench(*asked(), claimed(1, max_budget_usd=0.5), snapshot(), turn_started(), agent_started())
    bench.given(turn_finished(**EMPTY, cost_usd=0.5))
    (end,) = bench.end()
    assert (end.type, end.data["reason"]) == ("task_failed", "empty_output")
    assert "its budget is spent" in end.data["sentence"]


@pytest.mark.parametrize("turn", [EMPTY, {"answer_cut": True}])
def test_the_wish_to_cancel_wins_over_a_retry(turn: dict[str, Any]) -> None:
    bench = Bench(*TURNING, agent_started())
    bench.do(CancelTask)
    bench.do(FinishTurn, report=report(**turn))
    assert types(bench.do(EndAttempt)) == ["task_cancelled"]


def test_a_task_that_is_paused_waits_with_its_correction() -> None:
    bench = Bench(*asked())
    tried(bench, **EMPTY)
    bench.do(PauseTask)
    assert bench.state(ATTEMPT).status == "paused"
    bench.do(ResumeTask)
    assert (bench.state(ATTEMPT).status, bench.state(ATTEMPT).correcting) == ("waiting_retry", True)


def test_an_answer_that_was_paid_for_is_measured_though_its_worker_died() -> None:
    bench = Bench(*TURNING, agent_started(), turn_finished(**EMPTY))
    assert types(bench.do(InterruptAttempt, worker_died=True)) == ["validated", "retry_scheduled"]


def test_a_used_up_quota_is_measured_and_waited_for() -> None:
    bench = Bench(*asked())
    told = tried(bench, is_error=True, api_error_status=429, rate_limit_rejected=True)
    assert types(told) == ["validated", "quota_wait_started"]
    assert told[0].data["result"] == {"valid": False, "similarity": None, "entropy": None, "issues": []}


# logs of older versions


def test_a_log_whose_claims_and_reports_know_nothing_of_validation_still_folds() -> None:
    bench = Bench(*asked())
    claim = claimed().model_dump(mode="json")
    for name in ("similarity_threshold", "entropy_threshold", "validation_retries", "validation_backoff"):
        del claim["conditions"][name]
    turn = turn_finished(**EMPTY).model_dump(mode="json")
    del turn["report"]["answer_cut"]
    began = turn_started()
    for name, data in (
        ("task_claimed", claim),
        (began.TYPE, began.model_dump(mode="json")),
        ("turn_finished", turn),
    ):
        event = Event(
            id=f"old-{name}",
            type=name,
            data=data,
            time=bench.now,
            actor="worker:w1",
            source="urn:evt:bench",
            schema=1,
        )
        bench.log.append(STREAM, [event], ANY)
    measured, again = bench.do(EndAttempt)
    assert (measured.data["similarity_threshold"], measured.data["entropy_threshold"]) == (0.7, 0.8)
    assert again.type == "retry_scheduled"
