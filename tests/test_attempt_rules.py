"""An attempt's rules: who may claim, what its worker may say, and how the task ends."""

from typing import Any

import pytest

from eventstore.line import ERASED
from handlers.attempt import ATTEMPT
from handlers.attempt_state import AttemptState
from handlers.decider import Refused
from handlers.scheduling import CLAIMABLE
from schemas.attempt import (
    ClaimTask,
    EndAttempt,
    ExtendLease,
    FinishStep,
    InterruptAttempt,
    NoteCheck,
    NoteFiles,
    StartStep,
)
from schemas.task import CancelRequested, CancelTask, TaskCommand
from schemas.turn import AttemptCommand, FinishTurn, NoteAgent, NoteTool, StartTurn
from schemas.word import Fact
from tests.rule_bench import (
    AGENT,
    ANSWERED,
    CANCELLING,
    OWN,
    RELEASED,
    RUNNING,
    SECOND,
    SESSION,
    SHA,
    STATUSES,
    TURNING,
    Bench,
    agent_started,
    check,
    claimed,
    interrupted,
    queued,
    received,
    report,
    turn_finished,
    turn_started,
    types,
)

WORKER_COMMANDS = (
    StartStep,
    FinishStep,
    StartTurn,
    NoteAgent,
    NoteTool,
    NoteFiles,
    NoteCheck,
    ExtendLease,
    FinishTurn,
    EndAttempt,
)
DENIED = {"tool": "Write", "tool_use_id": "toolu_9", "detail": "x.py"}


def refusal(bench: Bench, kind: type[TaskCommand], **over: Any) -> str:
    with pytest.raises(Refused) as refused:
        bench.do(kind, **over)
    return refused.value.code


# claiming


@pytest.mark.parametrize("facts", [STATUSES["queued"], RELEASED])
def test_a_queued_task_is_claimed(facts: tuple[Fact, ...]) -> None:
    bench = Bench(*facts)
    (event,) = bench.do(ClaimTask, worker="w7", lease_until=99)
    assert event.type == "task_claimed"
    assert (event.data["attempt"], event.data["worker"], event.data["lease_until"]) == (1, "w7", 99)
    assert event.data["process"] == OWN.model_dump()
    state = bench.state(ATTEMPT)
    assert (state.status, state.open, state.attempt, state.worker) == ("running", True, 1, "w7")


@pytest.mark.parametrize("status", [status for status in STATUSES if status not in CLAIMABLE])
def test_only_a_task_that_waits_for_a_worker_is_claimed(status: str) -> None:
    assert refusal(Bench(*STATUSES[status]), ClaimTask) == "conflict"


def test_a_task_is_not_claimed_before_its_time() -> None:
    bench = Bench(received())
    due = bench.now + 60 * SECOND
    bench.given(queued(not_before=due))
    assert refusal(bench, ClaimTask, time=due - 1) == "conflict"
    assert types(bench.do(ClaimTask, time=due)) == ["task_claimed"]


@pytest.mark.parametrize("status", ["waiting_retry", "waiting_quota"])
def test_a_task_that_waited_is_claimed_when_its_moment_has_come(status: str) -> None:
    bench = Bench(*STATUSES[status][:-1])
    due = bench.now + 60 * SECOND
    bench.given(STATUSES[status][-1].model_copy(update={"wake_at": due}))
    assert refusal(bench, ClaimTask, time=due - 1) == "conflict"
    (event,) = bench.do(ClaimTask, time=due)
    assert (event.type, event.data["attempt"]) == ("task_claimed", 2)


def test_a_task_that_ends_at_its_claim_has_begun_no_attempt_of_an_executor() -> None:
    bench = Bench(*TURNING, agent_started(), interrupted())
    (event,) = bench.do(ClaimTask, cwd=None)
    assert (event.data["attempt"], event.data["executor"]) == (1, None)


def test_a_task_whose_prompt_was_erased_ends_before_an_agent_is_told_nothing() -> None:
    bench = Bench(received(prompt=ERASED), queued())
    (event,) = bench.do(ClaimTask)
    assert (event.type, event.data["reason"]) == ("task_failed", "prompt_erased")


def test_a_working_directory_that_is_gone_ends_the_task() -> None:
    bench = Bench(*STATUSES["queued"])
    (event,) = bench.do(ClaimTask, cwd=None)
    assert event.type == "task_failed"
    assert (event.data["error_class"], event.data["reason"]) == ("fatal", "cwd_missing")
    assert "/ground/project" in event.data["sentence"]
    assert (event.data["attempt"], event.data["elapsed_ms"], event.data["waited_ms"]) == (0, 0, 2000)


@pytest.mark.parametrize(
    ("over", "reason"),
    [
        ({"cwd": "/elsewhere"}, "outside_root"),
        ({"allowed_root": "/ground/other"}, "outside_root"),
        ({"cwd": "/ground/tasks", "home": "/ground"}, "own_state"),
        ({"cwd": "/ground/project/.git"}, "guarded_folder"),
        ({"home": "/ground/project"}, "home_with_shell"),
        ({"cwd": "/ground/elsewhere"}, "cwd_moved"),
        (
            {"cwd": "C:\\work", "allowed_root": "C:\\ground", "home": "C:\\home", "windows": True},
            "outside_root",
        ),
    ],
)
def test_the_working_directory_is_judged_again_at_the_claim(over: dict[str, Any], reason: str) -> None:
    (event,) = Bench(*STATUSES["queued"]).do(ClaimTask, **over)
    assert event.type == "task_failed"
    assert (event.data["error_class"], event.data["reason"]) == ("security", reason)
    assert event.data["suggested_actions"]


def test_attempts_are_counted_and_each_begins_anew() -> None:
    bench = Bench(*TURNING, agent_started(), interrupted())
    (event,) = bench.do(ClaimTask)
    assert event.data["attempt"] == 2
    state = bench.state(ATTEMPT)
    assert (state.session_id, state.agent, state.snapshot, state.report) == (None, None, None, None)
    assert state.turns == 1, "turns are counted over the whole task"


# what a worker says


@pytest.mark.parametrize("kind", WORKER_COMMANDS)
@pytest.mark.parametrize("attempt", [0, 1, 3])
def test_a_worker_whose_attempt_is_over_is_stale(kind: type[AttemptCommand], attempt: int) -> None:
    bench = Bench(*ANSWERED, interrupted(), claimed(2), turn_started(2, 1), turn_finished(2))
    assert refusal(bench, kind, attempt=attempt) == "stale"


@pytest.mark.parametrize("kind", WORKER_COMMANDS)
@pytest.mark.parametrize("status", [status for status in STATUSES if status != "running"])
def test_a_worker_without_an_open_attempt_is_stale(kind: type[AttemptCommand], status: str) -> None:
    assert refusal(Bench(*STATUSES[status]), kind) == "stale"


def test_a_step_is_written_down_as_it_is_told() -> None:
    bench = Bench(*RUNNING)
    (started,) = bench.do(StartStep, phase="snapshot")
    assert (started.type, started.data) == ("step_started", {"attempt": 1, "phase": "snapshot"})
    (finished,) = bench.do(FinishStep)
    assert (finished.type, finished.data["blob"]) == ("step_finished", SHA)
    assert bench.state(ATTEMPT).snapshot == SHA


def test_only_the_snapshot_s_blob_is_the_snapshot() -> None:
    bench = Bench(*RUNNING)
    bench.do(FinishStep, phase="compare")
    assert bench.state(ATTEMPT).snapshot is None


def test_a_turn_is_numbered_over_the_whole_task() -> None:
    bench = Bench(*TURNING, interrupted(), claimed(2))
    (event,) = bench.do(StartTurn, attempt=2)
    assert (event.type, event.data["turn_index"], event.data["session_id"]) == ("turn_started", 1, SESSION)
    (agent,) = bench.do(NoteAgent, attempt=2)
    assert (agent.type, agent.data["turn_index"]) == ("agent_started", 1)
    assert bench.state(ATTEMPT).agent == AGENT.model_dump()


@pytest.mark.parametrize("kind", [NoteAgent, FinishTurn])
@pytest.mark.parametrize("facts", [RUNNING, (*TURNING, interrupted(), claimed(2))])
def test_an_agent_belongs_to_a_turn_of_its_own_attempt(
    kind: type[AttemptCommand], facts: tuple[Fact, ...]
) -> None:
    bench = Bench(*facts)
    assert refusal(bench, kind, attempt=bench.state(ATTEMPT).attempt) == "conflict"


def test_a_tool_and_files_are_written_down_as_they_are_told() -> None:
    bench = Bench(*TURNING)
    (used,) = bench.do(NoteTool)
    assert used.type == "tool_used"
    assert used.data == {"attempt": 1, "tool": "Read", "tool_use_id": "toolu_1", "detail": "sum.py"}
    (found,) = bench.do(NoteFiles)
    assert found.type == "files_modified"
    assert found.data["files"] == [{"path": "sum.py", "change": "modified", "moved_from": None}]


def test_denied_tools_stand_before_the_turn_that_tells_of_them() -> None:
    bench = Bench(*TURNING)
    denied, finished = bench.do(FinishTurn, report=report(denials=(DENIED,)))
    assert (denied.type, denied.data) == ("permission_denied", {"attempt": 1, **DENIED})
    assert (finished.type, finished.data["turn_index"]) == ("turn_finished", 0)
    assert finished.data["session_id"] == SESSION
    assert finished.data["report"]["denials"] == [DENIED]


@pytest.mark.parametrize(("later", "told"), [(1, True), (0, False), (-1, False)])
def test_progress_makes_a_lease_longer_and_never_shorter(later: int, told: bool) -> None:
    bench = Bench(*RUNNING)
    until = bench.state(ATTEMPT).lease_until + later
    events = bench.do(ExtendLease, lease_until=until)
    assert [(event.type, event.data) for event in events] == (
        [("lease_extended", {"attempt": 1, "lease_until": until})] if told else []
    )
    assert bench.state(ATTEMPT).lease_until == (until if told else until - later)


def test_a_check_is_written_down_as_it_is_told_and_forgotten_by_the_next_attempt() -> None:
    bench = Bench(*TURNING)
    (event,) = bench.do(NoteCheck, result=check(passed=False))
    assert (event.type, event.data["result"]["passed"]) == ("check_finished", False)
    assert len(bench.state(ATTEMPT).checks) == 1
    bench.given(interrupted(), claimed(2))
    assert bench.state(ATTEMPT).checks == ()


def test_a_silence_stands_before_the_turn_that_it_ended() -> None:
    bench = Bench(*TURNING)
    silent, finished = bench.do(
        FinishTurn, report=report(ended="inactivity", has_result=False), silent_s=120.0
    )
    assert (silent.type, silent.data) == (
        "inactivity_timeout",
        {"attempt": 1, "turn_index": 0, "silent_s": 120.0},
    )
    assert finished.type == "turn_finished"


# the end


def test_a_good_turn_ends_the_task_well() -> None:
    bench = Bench(*ANSWERED)
    (event,) = bench.end()
    assert event.type == "task_succeeded"
    assert (event.data["claimed"], event.data["verified"]) == ("Done.", "unchecked")
    assert "no file was modified" in event.data["evidence"]
    assert (event.data["task_type"], event.data["agent"], event.data["priority"]) == (
        "bug_fix",
        "bug_fix",
        "medium",
    )
    assert (event.data["elapsed_ms"], event.data["waited_ms"]) == (4000, 2000)
    assert bench.state(ATTEMPT).status == "succeeded"


def test_a_bad_turn_ends_the_task_with_class_reason_and_advice() -> None:
    bench = Bench(*TURNING, turn_finished(subtype="error_max_turns", is_error=True))
    (event,) = bench.end()
    assert event.type == "task_failed"
    assert (event.data["error_class"], event.data["reason"]) == ("turn_cap", "max_turns")
    assert event.data["suggested_actions"] == ["Raise `max_turns`."]
    assert bench.state(ATTEMPT).status == "failed"


def test_files_that_were_found_count_in_the_verdict() -> None:
    denied = turn_finished(denials=(DENIED,))
    assert types(Bench(*TURNING, denied).end()) == ["task_failed"]
    bench = Bench(*TURNING, denied)
    bench.do(NoteFiles)
    assert types(bench.end()) == ["task_succeeded"]


@pytest.mark.parametrize("facts", [RUNNING, TURNING, (*ANSWERED, interrupted(), claimed(2))])
def test_no_attempt_ends_without_a_turn_of_its_own(facts: tuple[Fact, ...]) -> None:
    bench = Bench(*facts)
    assert refusal(bench, EndAttempt, attempt=bench.state(ATTEMPT).attempt) == "conflict"


def test_a_task_that_was_to_stop_is_cancelled_even_after_a_good_turn() -> None:
    bench = Bench(*RUNNING)
    bench.do(CancelTask, reason="wrong file", actor="cli:bob")
    bench.given(turn_started(), turn_finished())
    (event,) = bench.end(actor="worker:w1")
    assert event.type == "task_cancelled"
    assert (event.data["reason"], event.data["by"], event.data["attempt"]) == ("wrong file", "cli:bob", 1)


# interruptions


@pytest.mark.parametrize("facts", [RUNNING, TURNING])
def test_an_interrupted_task_goes_back_to_its_place(facts: tuple[Fact, ...]) -> None:
    bench = Bench(*facts)
    (event,) = bench.do(InterruptAttempt, agent_was_alive=True)
    assert event.type == "task_interrupted"
    assert event.data == {
        "attempt": 1,
        "reason": "the service died",
        "agent_was_alive": True,
        "owes_checks": False,
        "worker_died": False,
        "agent_died": False,
        "service_died": False,
    }
    state = bench.state(ATTEMPT)
    assert (state.status, state.open) == ("queued", False)


@pytest.mark.parametrize("attempt", [0, 2])
def test_an_interruption_of_another_attempt_is_nothing(attempt: int) -> None:
    assert Bench(*RUNNING).do(InterruptAttempt, attempt=attempt) == []


@pytest.mark.parametrize("status", [status for status in STATUSES if status != "running"])
def test_an_interruption_of_nothing_is_nothing(status: str) -> None:
    assert Bench(*STATUSES[status]).do(InterruptAttempt) == []


def test_an_interruption_ends_what_was_to_be_cancelled() -> None:
    bench = Bench(*TURNING, CancelRequested(reason="wrong file"))
    assert types(bench.do(InterruptAttempt)) == ["task_interrupted", "task_cancelled"]


@pytest.mark.parametrize(
    ("over", "end"),
    [
        ({}, "task_succeeded"),
        ({"subtype": "error_max_turns"}, "task_failed"),
        ({"ended": "timeout", "has_result": False}, "retry_scheduled"),
        ({"ended": "inactivity", "has_result": False}, "retry_scheduled"),
    ],
)
def test_an_answer_that_was_paid_for_is_judged_and_not_asked_for_again(
    over: dict[str, Any], end: str
) -> None:
    bench = Bench(*TURNING, turn_finished(**over))
    assert types(bench.do(InterruptAttempt, worker_died=True)) == ["validated", end]
    assert types(Bench(*CANCELLING).do(InterruptAttempt)) == ["task_cancelled"]


@pytest.mark.parametrize(
    "over",
    [
        {"ended": "interrupted", "exit_code": -15, "has_result": False},
        {"ended": "interrupted", "subtype": "error_during_execution"},
        {"ended": "exited", "exit_code": 143, "has_result": False},
        {"ended": "not_started", "exit_code": None, "has_result": False},
    ],
)
def test_a_turn_without_an_answer_is_done_again(over: dict[str, Any]) -> None:
    bench = Bench(*TURNING, turn_finished(**over))
    assert types(bench.do(InterruptAttempt)) == ["task_interrupted"]


def test_a_clock_that_went_back_makes_no_negative_time() -> None:
    bench = Bench(*ANSWERED)
    (event,) = bench.end(time=1)
    assert event.data["elapsed_ms"] == 0


@pytest.mark.parametrize("base", [TaskCommand, AttemptCommand])
def test_a_command_that_is_no_attempt_s_is_a_bug(base: type[TaskCommand]) -> None:
    dream = type("Dream", (base,), {"__module__": __name__})
    with pytest.raises(TypeError, match="Dream"):
        ATTEMPT.decide(Bench().command(dream), AttemptState(open=True, attempt=1))
