"""A task's rules: received once, queued once, released when all it waits for succeeded, cancelled."""

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from eventstore.event import ANY, Event
from handlers.attempt import ATTEMPT
from handlers.decider import Refused
from handlers.task import TASK, TaskState
from schemas import names
from schemas.attempt import ClaimTask, EndAttempt, FinishStep, InterruptAttempt, NoteFiles, StartStep
from schemas.files import RecordArtifact
from schemas.task import (
    CancelRequested,
    CancelTask,
    QueueTask,
    ReceiveTask,
    RecordArchived,
    ReleaseTask,
    TaskCommand,
)
from schemas.turn import AttemptCommand, FinishTurn, NoteAgent, NoteTool, StartTurn
from schemas.word import Fact
from tests.rule_bench import (
    CANCELLING,
    CWD,
    OTHER_SHA,
    RELEASED,
    RUNNING,
    SECOND,
    SHA,
    STATUSES,
    STREAM,
    TASK_ID,
    Bench,
    claimed,
    interrupted,
    queued,
    received,
    report,
    spec,
    types,
)

ENDED = ("succeeded", "failed", "cancelled")
AFTER = st.sampled_from([(), (), ("a",), ("a", "b")])
OFF = st.sampled_from([0, 0, 0, 0, -1, 1])
"""Mostly the open attempt, sometimes another one."""


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
    bench.do(RecordArchived)
    bench.log.append(STREAM, [Event("an-id", "task_dreamt", {"x": 1}, 1, "a", "urn:x")], ANY)
    assert bench.state(TASK) == before


@pytest.mark.parametrize("status", ENDED)
def test_an_end_is_told_by_its_event(status: str) -> None:
    facts: tuple[Fact, ...] = STATUSES[status]
    assert names.STATUS_OF_END[facts[-1].TYPE] == status
    assert types(list(Bench(*facts).log.all()))[-1] in names.ENDS


class Life(RuleBasedStateMachine):
    """Any commands in any order: what the log then holds is still a life that a task may have."""

    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench()

    def ask(self, kind: type[TaskCommand], **over: Any) -> None:
        self.bench.now += SECOND
        command = self.bench.command(kind, **over)
        try:
            places = self.bench.dispatch(command)
        except Refused:
            return
        head = self.bench.log.head()
        assert self.bench.dispatch(command) == places
        assert self.bench.log.head() == head

    def attempt(self, off: int) -> int:
        return max(0, int(self.bench.state(ATTEMPT).attempt) + off)

    @rule(sha=st.sampled_from([SHA, OTHER_SHA]), after=AFTER, wait=st.integers(0, 40))
    def receive(self, sha: str, after: tuple[str, ...], wait: int) -> None:
        not_before = self.bench.now + wait * SECOND
        self.ask(ReceiveTask, content_sha256=sha, spec=spec(after=after, not_before=not_before))

    @rule()
    def queue(self) -> None:
        self.ask(QueueTask)

    @rule(succeeded=AFTER)
    def release(self, succeeded: tuple[str, ...]) -> None:
        self.ask(ReleaseTask, succeeded=succeeded)

    @rule(cwd=st.sampled_from([CWD, CWD, CWD, CWD, None, "/elsewhere"]))
    def claim(self, cwd: str | None) -> None:
        self.ask(ClaimTask, cwd=cwd)

    @rule(kind=st.sampled_from([StartStep, FinishStep, NoteAgent, NoteTool, NoteFiles]), off=OFF)
    def work(self, kind: type[AttemptCommand], off: int) -> None:
        self.ask(kind, attempt=self.attempt(off))

    @rule(off=OFF)
    def turn(self, off: int) -> None:
        self.ask(StartTurn, attempt=self.attempt(off))

    @rule(off=OFF, ended=st.sampled_from(["exited", "timeout", "interrupted"]), good=st.booleans())
    def finish(self, off: int, ended: str, good: bool) -> None:
        self.ask(FinishTurn, attempt=self.attempt(off), report=report(ended=ended, is_error=not good))

    @rule(off=OFF)
    def end(self, off: int) -> None:
        self.ask(EndAttempt, attempt=self.attempt(off))

    @rule(off=OFF, died=st.booleans())
    def interrupt(self, off: int, died: bool) -> None:
        self.ask(InterruptAttempt, attempt=self.attempt(off), worker_died=died)

    @rule()
    def cancel(self) -> None:
        self.ask(CancelTask)

    @rule(upto=st.integers(1, 9))
    def write(self, upto: int) -> None:
        self.ask(RecordArtifact, upto=upto)

    @rule(path=st.sampled_from(["a", "b"]))
    def archive(self, path: str) -> None:
        self.ask(RecordArchived, path=path)

    @invariant()
    def the_log_tells_a_life(self) -> None:
        status, opened, attempts, due, ends, turns = "unknown", 0, 0, 0, 0, 0
        for event in self.bench.log.stream(STREAM):
            data = event.data
            match event.type:
                case names.TASK_RECEIVED:
                    assert status == "unknown"
                    status = "received"
                case names.TASK_QUEUED:
                    assert status == "received"
                    status = "waiting_dependency" if data["waits_for"] else "queued"
                    due = data["not_before"]
                case names.TASK_RELEASED:
                    assert status == "waiting_dependency"
                    status = "queued"
                case names.TASK_CLAIMED:
                    assert status == "queued"
                    assert event.time >= due
                    assert data["attempt"] == attempts + 1
                    status, attempts = "running", attempts + 1
                    opened = attempts
                case names.TASK_INTERRUPTED:
                    assert status == "running"
                    assert data["attempt"] == opened
                    status, opened = "queued", 0
                case names.TASK_SUCCEEDED | names.TASK_FAILED | names.TASK_CANCELLED:
                    assert data["attempt"] == attempts
                    assert status not in (*ENDED, "unknown")
                    status, ends = names.STATUS_OF_END[event.type], ends + 1
                case names.CANCEL_REQUESTED:
                    assert status == "running"
                case names.ARTIFACT_WRITTEN | names.TASK_ARCHIVED:
                    pass
                case _:
                    assert status == "running"
                    assert data["attempt"] == opened
                    turns += event.type == names.TURN_STARTED
                    assert data.get("turn_index", turns - 1) == turns - 1
        assert ends <= 1
        for decider in (TASK, ATTEMPT):
            assert self.bench.state(decider).status == status


TestALifeOfATask = Life.TestCase
TestALifeOfATask.settings = settings(max_examples=120, stateful_step_count=40)
