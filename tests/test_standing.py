"""The status of a task: one rule for every fold, whatever order people, workers and clocks do things in."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from handlers.attempt import ATTEMPT
from handlers.decider import Refused
from handlers.policies import breaking, queueing
from handlers.scheduling import CLAIMABLE, choose
from handlers.task import TASK
from projections.all_views import ALL
from projections.artifact import build
from projections.live import LiveViews
from projections.projection import Row
from schemas import names
from schemas.attempt import (
    ClaimTask,
    EndAttempt,
    ExtendLease,
    FinishStep,
    InterruptAttempt,
    NoteCheck,
    NoteFiles,
    RejectStale,
)
from schemas.files import RecordArtifact
from schemas.service import SystemCommand
from schemas.standing import UNKNOWN, Standing
from schemas.task import (
    CancelTask,
    PauseTask,
    QueueTask,
    ReceiveTask,
    RecordArchived,
    ReleaseTask,
    ResumeTask,
    RetryTask,
    TaskCommand,
)
from schemas.turn import AttemptCommand, FinishTurn, NoteAgent, NoteTool, StartTurn
from tests.rule_bench import CONDITIONS, CWD, SECOND, STREAM, TASK_ID, Bench, check, report, spec

HELD = (names.TASK_PAUSED, names.TASK_RESUMED)
WAITS: dict[str, dict[str, Any]] = {"waits_for": {"waits_for": ["a"]}, "none": {"waits_for": []}}
STEPS = st.sampled_from(
    [
        (names.TASK_RECEIVED, {}),
        (names.TASK_QUEUED, {"waits_for": ["a"]}),
        (names.TASK_QUEUED, {"waits_for": []}),
        (names.TASK_RELEASED, {}),
        (names.TASK_CLAIMED, {}),
        (names.TASK_INTERRUPTED, {}),
        (names.RETRY_SCHEDULED, {}),
        (names.QUOTA_WAIT_STARTED, {}),
        (names.RETRY_REQUESTED, {"waits_for": []}),
        *((name, {}) for name in (*HELD, *sorted(names.ENDS), names.TOOL_USED, names.CANCEL_REQUESTED)),
    ]
)


def folded(steps: list[tuple[str, dict[str, Any]]]) -> Standing:
    standing = UNKNOWN
    for name, data in steps:
        standing = standing.after(name, data)
    return standing


@given(st.lists(STEPS, max_size=20))
def test_after_any_events_a_task_is_what_it_is_beneath_unless_it_is_paused(
    steps: list[tuple[str, dict[str, Any]]],
) -> None:
    standing = folded(steps)
    assert standing.status in (*names.STATUSES, "unknown")
    if standing.paused:
        assert standing.status in ("paused", "running")
        assert not standing.ended
    else:
        assert standing.status == standing.beneath


@given(st.lists(STEPS, max_size=20))
def test_what_is_beneath_a_pause_is_what_would_be_without_it(
    steps: list[tuple[str, dict[str, Any]]],
) -> None:
    without = folded([step for step in steps if step[0] not in HELD])
    assert folded(steps).beneath == without.status
    resumed = folded(steps).after(names.TASK_RESUMED, {})
    assert resumed == Standing(without.status, without.status)


@pytest.mark.parametrize("name", [names.TASK_INTERRUPTED, names.RETRY_SCHEDULED, names.QUOTA_WAIT_STARTED])
def test_a_running_task_that_is_paused_is_paused_when_its_attempt_is_over(name: str) -> None:
    running = folded([(names.TASK_CLAIMED, {}), (names.TASK_PAUSED, {})])
    assert (running.status, running.paused) == ("running", True)
    assert running.after(name, {}).status == "paused"


@pytest.mark.parametrize("name", sorted(names.ENDS))
def test_an_end_lifts_a_pause(name: str) -> None:
    ended = folded([(names.TASK_CLAIMED, {}), (names.TASK_PAUSED, {}), (name, {})])
    status = names.STATUS_OF_END[name]
    assert ended == Standing(status, status)
    again = ended.after(names.RETRY_REQUESTED, {"waits_for": []})
    assert again == Standing("queued", "queued")


# every fold over what the deciders make

OFF = st.sampled_from([0, 0, 0, 0, 0, -1, 1])
"""Mostly the open attempt, sometimes another one."""
FAILED = {"is_error": True, "exit_code": 1, "result_text": "no"}
WAYS: dict[str, dict[str, Any]] = {
    "well": {},
    "turn_cap": {**FAILED, "subtype": "error_max_turns"},
    "network": {**FAILED, "api_error_status": 529},
    "limit": {**FAILED, "api_error_status": 429},
    "quota": {**FAILED, "api_error_status": 429, "rate_limit_rejected": True},
    "timeout": {"ended": "timeout", "exit_code": -15, "has_result": False},
    "silent": {"ended": "inactivity", "exit_code": -15, "has_result": False},
    "killed": {"exit_code": -9, "has_result": False},
    "stopped": {"ended": "interrupted", "exit_code": None, "has_result": False},
    "not_started": {"ended": "not_started", "exit_code": None, "has_result": False},
}
WAY = st.sampled_from(sorted(WAYS))
BEFORE: dict[str, frozenset[str]] = {
    names.TASK_RECEIVED: frozenset({"unknown"}),
    names.TASK_CLAIMED: CLAIMABLE,
    # Queued: for a moment that is still to come.
    names.RETRY_REQUESTED: names.ENDED | {"queued", "waiting_retry", "waiting_quota"},
    names.CANCEL_REQUESTED: frozenset({"running"}),
    names.TASK_INTERRUPTED: frozenset({"running"}),
    names.RETRY_SCHEDULED: frozenset({"running"}),
    names.QUOTA_WAIT_STARTED: frozenset({"running"}),
    names.LEASE_EXPIRED: frozenset({"running"}),
    names.TURN_FINISHED: frozenset({"running"}),
    names.TASK_SUCCEEDED: frozenset({"running"}),
}
"""The statuses in which an event may come; what is not here has a rule of its own below."""


class Life(RuleBasedStateMachine):
    """Any commands in any order: the log tells a life, and whoever folds it reads the same status."""

    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench()
        self.views = LiveViews(ALL)
        self.told = UNKNOWN
        self.asked, self.ends, self.attempts = 1, 0, 0
        self.place: str | None = "inbox"
        self.rejected: set[int] = set()

    # asking

    def ask(self, kind: type[TaskCommand] | type[SystemCommand], **over: Any) -> bool:
        """Whether the rule allowed it. Asking twice is asking once."""
        self.bench.now += SECOND
        command = self.bench.command(kind, **over)
        try:
            places = self.bench.dispatch(command)
        except Refused:
            return False
        head = self.bench.log.head()
        assert self.bench.dispatch(command) == places
        assert self.bench.log.head() == head
        self.look()
        return True

    def look(self) -> None:
        """Fold what is new; break circuits, as the policy does at once."""
        for event in self.bench.log.all(self.views.position):
            if event.stream == STREAM:
                self.the_log_tells_a_life(event.type, event.data)
        self.views.apply(self.bench.log.all(self.views.position))
        for switch in breaking(self.views.rows("executors"), self.bench.now):
            assert self.bench.dispatch(switch), "a row that is due stays due for ever"
            self.look()

    def attempt(self, off: int) -> int:
        return max(0, int(self.bench.state(ATTEMPT).attempt) + off)

    def row(self, view: str) -> Row | None:
        return self.views.row(view, TASK_ID.lower())

    @property
    def status(self) -> str:
        return str(self.bench.state(TASK).status)

    # what people, policies and clocks do

    @initialize(
        after=st.sampled_from([(), (), ("a",)]),
        wait=st.sampled_from([None, None, 0, 40]),
        due=st.booleans(),
        early=st.sampled_from([None, None, None, PauseTask, CancelTask]),
    )
    def receive(
        self, after: tuple[str, ...], wait: int | None, due: bool, early: type[TaskCommand] | None
    ) -> None:
        self.every_fold_says_the_same()
        not_before = None if wait is None else self.bench.now + wait * SECOND
        criteria = ({"text": "tests pass", "check": "make test"},) if due else ()
        self.ask(ReceiveTask, spec=spec(after=after, not_before=not_before, criteria=criteria))
        if early is not None:
            self.ask(early)
        self.queue()

    def queue(self) -> None:
        for command in queueing(self.views.rows("received"), self.bench.now):
            assert self.bench.dispatch(command)
        self.look()
        assert self.views.rows("received") == {}
        self.ask(QueueTask)

    @precondition(lambda self: self.told.beneath == "waiting_dependency")
    @rule(succeeded=st.sampled_from([(), ("a",), ("a",)]))
    def release(self, succeeded: tuple[str, ...]) -> None:
        self.ask(ReleaseTask, succeeded=succeeded)

    @rule(
        kind=st.sampled_from([ReceiveTask, QueueTask, ReleaseTask, RetryTask, *[PauseTask] * 2, CancelTask])
    )
    def somebody_wants(self, kind: type[TaskCommand]) -> None:
        self.ask(kind)

    @precondition(lambda self: self.told.paused)
    @rule()
    def resume(self) -> None:
        assert self.ask(ResumeTask)
        assert self.told.status == self.told.beneath

    @precondition(lambda self: self.told.ended or self.told.status in ("waiting_retry", "waiting_quota"))
    @rule()
    def retry(self) -> None:
        assert self.ask(RetryTask)
        assert self.status in ("queued", "waiting_dependency")

    @rule(seconds=st.sampled_from([1, 60, 4000]))
    def time_goes_by(self, seconds: int) -> None:
        self.bench.now += seconds * SECOND

    # what workers do

    @precondition(lambda self: self.told.status in CLAIMABLE)
    @rule(cwd=st.sampled_from([*[CWD] * 9, None]), cap=st.sampled_from([None, None, 0.05]))
    def claim(self, cwd: str | None, cap: float | None) -> None:
        conditions = CONDITIONS.model_copy(update={"max_budget_usd": cap})
        self.ask(ClaimTask, cwd=cwd, conditions=conditions)

    @precondition(lambda self: self.told.status in CLAIMABLE)
    @rule(way=WAY, passed=st.booleans(), lives=st.booleans())
    def a_worker_takes_what_is_next(self, way: str, passed: bool, lives: bool) -> None:
        rows, executors = self.views.rows("queue").values(), self.views.rows("executors")
        self.bench.now += SECOND
        if choose(rows, self.bench.now, executors) is None:
            self.bench.now += 3600 * SECOND
            return
        self.bench.now -= SECOND
        assert self.ask(ClaimTask), "a worker that is sent to a task that it may not have asks for ever"
        assert self.ask(FinishStep, attempt=self.attempt(0))
        self.turn(0, lives and way != "not_started", way)
        self.ask(NoteCheck, attempt=self.attempt(0), result=check(passed=passed))
        assert self.ask(EndAttempt, attempt=self.attempt(0))

    @precondition(lambda self: self.told.status == "running")
    @rule(off=OFF, lives=st.booleans(), way=WAY)
    def turn(self, off: int, lives: bool, way: str) -> None:
        attempt, carry = self.attempt(off), self.bench.state(ATTEMPT).carry
        self.ask(StartTurn, attempt=attempt, resumed=carry is not None)
        if lives:
            self.ask(NoteAgent, attempt=attempt)
        resets = {"resets_at": self.bench.now + 600 * SECOND} if way == "quota" else {}
        self.ask(FinishTurn, attempt=attempt, report=report(cost_usd=0.02, **WAYS[way], **resets))

    @precondition(lambda self: self.attempts > 0)
    @rule(off=OFF, kind=st.sampled_from([NoteAgent, NoteTool, NoteFiles, ExtendLease, EndAttempt]))
    def work(self, off: int, kind: type[AttemptCommand]) -> None:
        self.ask(kind, attempt=self.attempt(off))

    @precondition(lambda self: self.told.status == "running")
    @rule(off=OFF, died=st.booleans(), expired=st.booleans())
    def interrupt(self, off: int, died: bool, expired: bool) -> None:
        self.ask(InterruptAttempt, attempt=self.attempt(off), worker_died=died, lease_expired=expired)

    @precondition(lambda self: self.attempts > 0)
    @rule(off=OFF)
    def reject(self, off: int) -> None:
        self.ask(RejectStale, attempt=self.attempt(off))

    # files

    @precondition(lambda self: self.row("to_archive") is not None)
    @rule(goes=st.integers(0, 9))
    def archive(self, goes: int) -> None:
        """What the archiver does; once in a while somebody has taken the file away."""
        self.place = None if goes == 0 else self.place
        row = self.row("to_archive")
        if row is not None and row["pending"]:
            if self.place == ("inbox" if row["have"] is None else row["have"]):
                self.place = row["want"]
            path = row["want"] if self.place == row["want"] else None
            assert self.ask(RecordArchived, subject=row["subject"], path=path, status=row["status"])
            left = self.row("to_archive")
            assert left is None or not left["pending"], "what is done is due for ever"
        if self.told.ended and self.place is not None:
            assert self.place == f"tasks/processed/{TASK_ID}.{self.told.status}.task.md"

    @precondition(lambda self: self.row("to_write") is not None)
    @rule()
    def write(self) -> None:
        artifact = build(list(self.bench.log.stream(STREAM)))
        if self.told.ended:
            assert artifact["success"] == (self.told.status == "succeeded")
        assert self.ask(RecordArtifact, upto=(self.row("to_write") or {})["upto"])
        assert self.row("to_write") is None

    # what must hold

    def the_log_tells_a_life(self, name: str, data: Any) -> None:
        """Whether an event may follow those before it."""
        before = self.told
        assert before.status in BEFORE.get(name, frozenset({before.status}))
        match name:
            case names.TASK_QUEUED:
                assert before.beneath == "received"
            case names.TASK_RELEASED:
                assert before.beneath == "waiting_dependency"
            case names.TASK_CLAIMED:
                assert data["attempt"] == self.attempts + 1
                self.attempts += 1
            case names.RETRY_REQUESTED:
                assert (data["was"], data["attempt"]) == (before.status, self.attempts)
                self.asked += before.ended
            case names.TASK_RESUMED:
                assert before.paused
            case names.STALE_RESULT_REJECTED:
                assert data["attempt"] <= self.attempts
                assert data["attempt"] not in self.rejected
                assert data["attempt"] < self.attempts or before.status != "running"
                self.rejected.add(data["attempt"])
            case _ if name in names.ENDS:
                assert before.status not in (*names.ENDED, "unknown")
                self.ends += 1
        self.told = before.after(name, data)
        assert self.asked - 1 <= self.ends <= self.asked, "one end for each time that it is asked for"
        assert self.told.ended == (self.ends == self.asked)

    @invariant()
    def every_fold_says_the_same(self) -> None:
        task, attempt = self.bench.state(TASK), self.bench.state(ATTEMPT)
        assert task.standing == attempt.standing == self.told
        assert attempt.open == (self.told.status == "running")
        assert task.attempt == attempt.attempt == self.attempts
        assert task.cancel_requested == attempt.cancel_requested
        shared = {"status": self.told.status, "beneath": self.told.beneath, "paused": self.told.paused}
        told, queued = self.row("tasks"), self.row("queue")
        if told is None:
            assert self.told == UNKNOWN
            return
        assert {name: told[name] for name in shared} == shared
        assert (queued is None) == (self.told.ended or self.told.beneath == "received")
        if queued is None:
            assert self.row("timers") is None
            return
        assert {name: queued[name] for name in shared} == shared
        assert queued["cancel_requested"] == told["cancel_requested"] == task.cancel_requested
        if self.told.status == "running":
            assert (queued["lease_until"], self.row("timers")) == (attempt.lease_until, None)
            return
        timer = self.row("timers")
        assert queued["not_before"] == told["not_before"] == attempt.not_before
        assert (None if timer is None else timer["wake_at"]) == attempt.not_before

    @invariant()
    def every_fold_counts_the_same_money(self) -> None:
        money, told = self.bench.state(ATTEMPT).money, self.row("tasks")
        costs = self.views.row("costs", f"task:{TASK_ID.lower()}")
        spent = 0.0 if costs is None else costs["usd"] - costs["rejected_usd"]
        assert spent == pytest.approx(money.usd)
        assert (told["cost_usd"] if told else 0.0) == pytest.approx(money.usd)


TestALifeOfATask = Life.TestCase
TestALifeOfATask.settings = settings(max_examples=120, stateful_step_count=50)
