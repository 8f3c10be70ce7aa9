"""A task's rules: received, queued and released once; cancelled, done again, paused and resumed."""

import pytest

from eventstore.event import ANY, Event
from handlers.attempt import ATTEMPT
from handlers.decider import Refused
from handlers.task import TASK, TaskState
from schemas import names
from schemas.attempt import ClaimTask, InterruptAttempt
from schemas.files import RecordArtifact
from schemas.task import (
    CancelRequested,
    CancelTask,
    PauseTask,
    QueueTask,
    ReceiveTask,
    RecordArchived,
    ReleaseTask,
    ResumeTask,
    RetryTask,
    TaskCommand,
    TaskPaused,
)
from schemas.word import Fact
from tests.rule_bench import (
    CANCELLING,
    OTHER_SHA,
    RELEASED,
    RUNNING,
    SECOND,
    STATUSES,
    STREAM,
    TASK_ID,
    Bench,
    cancelled,
    claimed,
    interrupted,
    queued,
    received,
    spec,
    types,
)

ENDED = ("succeeded", "failed", "cancelled")


@pytest.mark.parametrize("status", STATUSES)
def test_a_state_says_the_status_that_the_log_says(status: str) -> None:
    assert Bench(*STATUSES[status]).state(TASK).status == status


def test_what_was_received_is_what_was_asked_for() -> None:
    (event,) = Bench().do(ReceiveTask, spec=spec(priority="high", after=("a",)))
    assert (event.type, event.stream, event.correlation_id) == ("task_received", STREAM, STREAM)
    assert event.data["task_id"] == TASK_ID
    assert event.data["spec"]["priority"] == "high"
    assert event.data["spec"]["after"] == ["a"]


@pytest.mark.parametrize("status", [status for status in STATUSES if status != "unknown"])
def test_the_same_bytes_again_are_the_task_that_they_became(status: str) -> None:
    bench = Bench(*STATUSES[status])
    with pytest.raises(Refused) as refused:
        bench.do(ReceiveTask)
    assert refused.value.code == "already_known"
    assert status in refused.value.sentence
    assert TASK_ID in refused.value.hint


@pytest.mark.parametrize("status", [status for status in STATUSES if status != "unknown"])
def test_other_bytes_under_a_taken_id_are_refused(status: str) -> None:
    bench = Bench(*STATUSES[status])
    with pytest.raises(Refused) as refused:
        bench.do(ReceiveTask, content_sha256=OTHER_SHA)
    assert refused.value.code == "id_conflict"


def test_an_id_is_taken_whatever_its_case() -> None:
    bench = Bench(received())
    with pytest.raises(Refused, match="FIX-1"):
        bench.do(ReceiveTask, task_id="FIX-1", content_sha256=OTHER_SHA)


def test_a_task_is_queued_with_what_its_file_says() -> None:
    bench = Bench(received(priority="low", after=("a", "B"), not_before=5, title="T", task_type="analyze"))
    (event,) = bench.do(QueueTask)
    assert event.type == "task_queued"
    assert event.data == {
        "priority": "low",
        "cwd": "/ground/project",
        "waits_for": ["a", "B"],
        "not_before": 5,
        "title": "T",
        "task_type": "analyze",
        "executor": "claude",
        "agent": "bug_fix",
        "target_files": None,
        "alternatives": [],
        "decided": {},
    }
    assert bench.state(TASK).status == "waiting_dependency"


@pytest.mark.parametrize("status", [status for status in STATUSES if status != "received"])
def test_a_task_asked_for_twice_is_queued_once(status: str) -> None:
    assert Bench(*STATUSES[status]).do(QueueTask) == []


@pytest.mark.parametrize("seen", [("a", "b"), ("b", "x", "a")])
def test_a_task_goes_on_when_all_that_it_waits_for_has_succeeded(seen: tuple[str, ...]) -> None:
    bench = Bench(received(after=("a", "b")), queued("a", "b"))
    (event,) = bench.do(ReleaseTask, succeeded=seen)
    assert (event.type, event.data["waited_for"]) == ("task_released", ["a", "b"])
    assert bench.state(TASK).status == "queued"


@pytest.mark.parametrize("seen", [(), ("a",), ("b",), ("x", "y")])
def test_a_task_stays_while_one_that_it_waits_for_has_not_succeeded(seen: tuple[str, ...]) -> None:
    bench = Bench(received(after=("a", "b")), queued("a", "b"))
    assert bench.do(ReleaseTask, succeeded=seen) == []
    assert bench.state(TASK).status == "waiting_dependency"


@pytest.mark.parametrize("status", [status for status in STATUSES if status != "waiting_dependency"])
def test_only_a_waiting_task_is_released(status: str) -> None:
    assert Bench(*STATUSES[status]).do(ReleaseTask) == []
    assert Bench(*RELEASED).do(ReleaseTask) == []


@pytest.mark.parametrize("status", ["received", "waiting_dependency", "queued"])
def test_a_task_that_nobody_works_on_is_cancelled_at_once(status: str) -> None:
    bench = Bench(*STATUSES[status])
    (event,) = bench.do(CancelTask)
    assert event.type == "task_cancelled"
    assert (event.data["reason"], event.data["by"], event.data["attempt"]) == ("wrong file", "cli:ann", 0)
    assert event.data["elapsed_ms"] == 0
    assert event.data["waited_ms"] == len(STATUSES[status]) * 1000
    assert bench.do(CancelTask) == []


def test_a_running_task_is_asked_to_stop_once() -> None:
    bench = Bench(*RUNNING)
    (event,) = bench.do(CancelTask)
    assert (event.type, event.data) == ("cancel_requested", {"reason": "wrong file"})
    assert bench.do(CancelTask) == []
    assert bench.state(TASK).status == "running"


def test_a_task_between_two_attempts_is_cancelled_at_once_and_says_how_long_it_took() -> None:
    bench = Bench(*RUNNING, interrupted())
    (event,) = bench.do(CancelTask)
    assert event.data["attempt"] == 1
    assert event.data["elapsed_ms"] == 2000, "from the claim to the end"
    assert event.data["waited_ms"] == 2000, "from arrival to the first claim"


def test_the_wait_ends_with_the_first_claim_and_the_clock_of_an_attempt_with_the_last() -> None:
    bench = Bench(*RUNNING, interrupted(), claimed(2), interrupted(2))
    (event,) = bench.do(CancelTask)
    assert (event.data["waited_ms"], event.data["elapsed_ms"]) == (2000, 2000)


def test_one_that_was_asked_to_stop_is_not_done_again_before_it_has_stopped() -> None:
    bench = Bench(*RUNNING)
    bench.do(CancelTask)
    with pytest.raises(Refused) as refused:
        bench.do(RetryTask)
    assert refused.value.code == "conflict"
    assert "has not stopped yet" in refused.value.sentence


def test_a_cancelled_task_is_cancelled_again_without_a_word() -> None:
    assert Bench(*STATUSES["cancelled"]).do(CancelTask) == []


@pytest.mark.parametrize("status", ["succeeded", "failed"])
def test_what_has_ended_otherwise_cannot_be_cancelled(status: str) -> None:
    with pytest.raises(Refused) as refused:
        Bench(*STATUSES[status]).do(CancelTask)
    assert refused.value.code == "conflict"
    assert status in refused.value.sentence


def test_what_is_not_there_cannot_be_cancelled() -> None:
    with pytest.raises(Refused) as refused:
        Bench().do(CancelTask)
    assert refused.value.code == "not_found"


def test_a_clock_that_went_back_makes_no_negative_wait() -> None:
    bench = Bench(received(), queued())
    bench.now -= 60 * SECOND
    (event,) = bench.do(CancelTask)
    assert event.data["waited_ms"] == 0


def test_a_wish_to_stop_is_kept_in_the_state() -> None:
    assert not Bench(*RUNNING).state(TASK).cancel_requested
    assert Bench(*CANCELLING).state(TASK).cancel_requested
    assert Bench(*RUNNING, CancelRequested(reason="x")).state(TASK).cancel_requested


def test_a_command_that_is_no_task_s_is_a_bug() -> None:
    class Dream(TaskCommand):
        """No decider knows it."""

    with pytest.raises(TypeError, match="Dream"):
        TASK.decide(Bench().command(Dream), TaskState())


def test_events_of_other_deciders_and_of_no_registry_leave_the_state_alone() -> None:
    bench = Bench(*STATUSES["queued"])
    before = bench.state(TASK)
    bench.do(RecordArtifact)
    bench.log.append(STREAM, [Event("an-id", "task_dreamt", {"x": 1}, 1, "a", "urn:x")], ANY)
    assert bench.state(TASK) == before


@pytest.mark.parametrize("status", ENDED)
def test_an_end_is_told_by_its_event(status: str) -> None:
    facts: tuple[Fact, ...] = STATUSES[status]
    assert names.STATUS_OF_END[facts[-1].TYPE] == status
    assert types(list(Bench(*facts).log.all()))[-1] in names.ENDS


def refusal(bench: Bench, kind: type[TaskCommand]) -> str:
    with pytest.raises(Refused) as refused:
        bench.do(kind)
    assert refused.value.hint
    return refused.value.code


# done again


@pytest.mark.parametrize("status", ENDED)
def test_an_ended_task_that_is_asked_for_again_gets_a_new_place(status: str) -> None:
    bench = Bench(*STATUSES[status])
    attempts = bench.state(TASK).attempt
    (event,) = bench.do(RetryTask)
    assert event.type == "retry_requested"
    assert event.data == {
        "task_id": TASK_ID,
        "priority": "medium",
        "cwd": "/ground/project",
        "waits_for": [],
        "not_before": None,
        "title": "Mend the sum",
        "task_type": "bug_fix",
        "executor": "claude",
        "agent": "bug_fix",
        "attempt": attempts,
        "was": status,
        "reason": "once more",
        "archived": None,
    }
    assert bench.state(TASK).status == bench.state(ATTEMPT).status == "queued"
    assert bench.do(RetryTask) == [], "twice is once"
    (claim,) = bench.do(ClaimTask)
    assert claim.data["attempt"] == attempts + 1


@pytest.mark.parametrize("status", ["waiting_retry", "waiting_quota"])
def test_a_task_that_waits_for_a_moment_waits_no_longer(status: str) -> None:
    bench = Bench(*STATUSES[status][:-1])
    last = STATUSES[status][-1]
    bench.given(last.model_copy(update={"wake_at": bench.now + 3600 * SECOND}))
    assert refusal_of_claim(bench) == "conflict"
    (event,) = bench.do(RetryTask)
    assert (event.type, event.data["was"]) == ("retry_requested", status)
    assert types(bench.do(ClaimTask)) == ["task_claimed"]


def refusal_of_claim(bench: Bench) -> str:
    with pytest.raises(Refused) as refused:
        bench.do(ClaimTask)
    return refused.value.code


@pytest.mark.parametrize("status", ["received", "waiting_dependency", "queued", "running"])
def test_what_has_its_place_or_a_worker_needs_no_second_one(status: str) -> None:
    assert Bench(*STATUSES[status]).do(RetryTask) == []


@pytest.mark.parametrize(("status", "code"), [("unknown", "not_found"), ("paused", "conflict")])
def test_what_is_not_there_or_paused_is_not_done_again(status: str, code: str) -> None:
    assert refusal(Bench(*STATUSES[status]), RetryTask) == code


@pytest.mark.parametrize("queue_first", [True, False])
def test_a_task_that_was_cancelled_while_it_waited_waits_again_when_it_is_done_again(
    queue_first: bool,
) -> None:
    bench = Bench(received(after=("a", "B")), *((queued("a", "B"),) if queue_first else ()), cancelled())
    (event,) = bench.do(RetryTask)
    assert event.data["waits_for"] == ["a", "B"]
    assert bench.state(TASK).status == bench.state(ATTEMPT).status == "waiting_dependency"
    assert types(bench.do(ReleaseTask, succeeded=("a", "B"))) == ["task_released"]


def test_a_task_that_was_released_does_not_wait_again() -> None:
    bench = Bench(*RELEASED, claimed(), interrupted(), cancelled(1))
    (event,) = bench.do(RetryTask)
    assert event.data["waits_for"] == []


def test_a_retry_says_where_the_file_lies_and_that_it_is_gone() -> None:
    bench = Bench(*STATUSES["failed"])
    bench.do(RecordArchived, path="tasks/processed/Fix-1.failed.task.md", status="failed")
    (event,) = bench.do(RetryTask)
    assert event.data["archived"] == "tasks/processed/Fix-1.failed.task.md"
    bench.do(CancelTask)
    bench.do(RecordArchived, path=None, status="cancelled")
    (event,) = bench.do(RetryTask)
    assert event.data["archived"] is None


def test_an_old_wish_to_cancel_does_not_concern_a_task_that_is_done_again() -> None:
    bench = Bench(*RUNNING)
    bench.do(CancelTask)
    bench.do(InterruptAttempt)
    bench.do(RetryTask)
    assert not bench.state(TASK).cancel_requested
    assert not bench.state(ATTEMPT).cancel_requested
    bench.do(ClaimTask)
    assert types(bench.do(InterruptAttempt, attempt=2)) == ["task_interrupted"]


# paused, resumed


@pytest.mark.parametrize(
    "status", ["received", "waiting_dependency", "queued", "waiting_retry", "waiting_quota"]
)
def test_a_waiting_task_is_paused_once_and_goes_on_where_it_was(status: str) -> None:
    bench = Bench(*STATUSES[status])
    assert types(bench.do(PauseTask)) == ["task_paused"]
    assert bench.do(PauseTask) == []
    assert bench.state(TASK).status == bench.state(ATTEMPT).status == "paused"
    assert refusal_of_claim(bench) == "conflict"
    (event,) = bench.do(ResumeTask)
    assert (event.type, event.data) == ("task_resumed", {"reason": "go on"})
    assert bench.do(ResumeTask) == []
    assert bench.state(TASK).status == bench.state(ATTEMPT).status == status


def test_a_running_task_that_is_paused_runs_until_its_worker_gives_it_back() -> None:
    bench = Bench(*RUNNING)
    assert types(bench.do(PauseTask)) == ["task_paused"]
    assert bench.state(TASK).status == "running"
    assert bench.state(TASK).standing.paused
    bench.do(InterruptAttempt)
    assert bench.state(TASK).status == "paused"
    bench.do(ResumeTask)
    assert bench.state(TASK).status == "queued"


def test_a_running_task_that_goes_on_at_once_was_never_away() -> None:
    bench = Bench(*RUNNING)
    bench.do(PauseTask)
    bench.do(ResumeTask)
    assert bench.state(TASK).standing == Bench(*RUNNING).state(TASK).standing


def test_a_task_that_was_paused_before_it_had_a_place_says_so_again_to_the_queue() -> None:
    bench = Bench(*STATUSES["received"])
    bench.do(PauseTask)
    assert types(bench.do(QueueTask)) == ["task_queued", "task_paused"]
    bench.do(ResumeTask)
    assert bench.state(TASK).status == "waiting_dependency"


def test_a_paused_task_is_released_beneath_its_pause() -> None:
    bench = Bench(*STATUSES["waiting_dependency"], TaskPaused(reason="wait"))
    assert types(bench.do(ReleaseTask)) == ["task_released"]
    assert bench.state(TASK).status == "paused"
    bench.do(ResumeTask)
    assert bench.state(TASK).status == "queued"


@pytest.mark.parametrize("status", ["paused", "waiting_retry", "waiting_quota"])
def test_a_paused_or_waiting_task_is_cancelled_at_once(status: str) -> None:
    bench = Bench(*STATUSES[status])
    assert types(bench.do(CancelTask)) == ["task_cancelled"]
    assert bench.state(TASK).status == bench.state(ATTEMPT).status == "cancelled"


@pytest.mark.parametrize("kind", [PauseTask, ResumeTask])
@pytest.mark.parametrize("status", [*ENDED, "unknown"])
def test_what_has_ended_or_never_was_is_neither_paused_nor_resumed(
    status: str, kind: type[TaskCommand]
) -> None:
    expected = "not_found" if status == "unknown" else "conflict"
    assert refusal(Bench(*STATUSES[status]), kind) == expected


@pytest.mark.parametrize("status", ["received", "queued", "running", "waiting_retry"])
def test_what_is_not_paused_need_not_be_resumed(status: str) -> None:
    assert Bench(*STATUSES[status]).do(ResumeTask) == []
