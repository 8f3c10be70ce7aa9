"""A bench for rules: facts are laid into a log in memory, commands go through the real dispatch."""

from typing import Any

from eventstore.event import ANY, Event, Recorded
from eventstore.ids import command_event_id
from eventstore.memory_log import MemoryLog
from handlers.decider import Decider
from handlers.deciders import DECIDERS
from handlers.dispatch import Dispatch
from handlers.spending import totals
from schemas import names
from schemas.attempt import (
    CheckFinished,
    CheckResult,
    ClaimTask,
    Conditions,
    EndAttempt,
    ExtendLease,
    FinishStep,
    InterruptAttempt,
    NoteCheck,
    NoteFiles,
    QuotaWaitStarted,
    RejectStale,
    RetryScheduled,
    StartStep,
    StepFinished,
    TaskCancelled,
    TaskClaimed,
    TaskFailed,
    TaskInterrupted,
    TaskSucceeded,
)
from schemas.executor import CloseCircuit, NoteDailyBudget, OpenCircuit, PauseQueue, ResumeQueue
from schemas.files import RecordArtifact
from schemas.process import ProcessIdentity
from schemas.task import (
    CancelRequested,
    CancelTask,
    PauseTask,
    ReceiveTask,
    RecordArchived,
    ReleaseTask,
    ResumeTask,
    RetryTask,
    TaskPaused,
    TaskQueued,
    TaskReceived,
    TaskReleased,
    TaskSpec,
)
from schemas.turn import (
    AgentStarted,
    Captured,
    FinishTurn,
    NoteAgent,
    NoteTool,
    StartTurn,
    TurnFinished,
    TurnReport,
    TurnStarted,
)
from schemas.word import Command, Fact

TASK_ID = "Fix-1"
STREAM = names.task_stream(TASK_ID)
CWD = "/ground/project"
ROOT = "/ground"
HOME = "/homes/evt"
START = 1_700_000_000_000_000
SECOND = 1_000_000
SHA = "ab" * 32
OTHER_SHA = "cd" * 32
SESSION = "5f0c0f6e-0000-4000-8000-000000000001"
OWN = ProcessIdentity(pid=10, started=100, boot_id="boot")
AGENT = ProcessIdentity(pid=20, started=200, boot_id="boot")
CONDITIONS = Conditions(
    executable="claude",
    executable_found=True,
    max_turns=30,
    timeout_s=60.0,
    skip_permissions=False,
    workers=2,
    watcher_running=True,
)


def spec(**over: Any) -> TaskSpec:
    values = {
        "title": "Mend the sum",
        "task_type": "bug_fix",
        "agent": "bug_fix",
        "prompt": "Mend it.",
        "cwd": CWD,
        "allowed_root": ROOT,
    }
    return TaskSpec.model_validate({**values, **over})


def report(**over: Any) -> TurnReport:
    """A turn that went well, unless something else is said."""
    values = {
        "ended": "exited",
        "exit_code": 0,
        "elapsed_ms": 1500,
        "has_result": True,
        "subtype": "success",
        "num_turns": 2,
        "result_text": "Done.",
    }
    return TurnReport.model_validate({**values, **over})


def stderr(text: str) -> Captured:
    return Captured(head=text, tail=text, text=text, size=len(text))


def received(**over: Any) -> TaskReceived:
    return TaskReceived(
        task_id=TASK_ID, origin="inbox", file_name="fix.task.md", content_sha256=SHA, spec=spec(**over)
    )


def queued(*waits_for: str, not_before: int | None = None) -> TaskQueued:
    return TaskQueued(
        priority="medium",
        cwd=CWD,
        waits_for=waits_for,
        not_before=not_before,
        title="Mend the sum",
        task_type="bug_fix",
    )


def claimed(attempt: int = 1, max_budget_usd: float | None = None) -> TaskClaimed:
    conditions = CONDITIONS.model_copy(update={"max_budget_usd": max_budget_usd})
    return TaskClaimed(
        attempt=attempt, worker="w1", lease_until=START, process=OWN, cwd=CWD, conditions=conditions
    )


def snapshot(attempt: int = 1, blob: str = SHA) -> StepFinished:
    return StepFinished(attempt=attempt, phase="snapshot", elapsed_ms=5, percent_complete=5, blob=blob)


def turn_started(
    attempt: int = 1, turn_index: int = 0, session_id: str = SESSION, *, resumed: bool = False
) -> TurnStarted:
    return TurnStarted(
        attempt=attempt,
        turn_index=turn_index,
        session_id=session_id,
        executable="claude",
        prompt_sha256=SHA,
        tools=("Read",),
        resumed=resumed,
    )


def agent_started(attempt: int = 1) -> AgentStarted:
    return AgentStarted(attempt=attempt, turn_index=0, process=AGENT)


def turn_finished(attempt: int = 1, **over: Any) -> TurnFinished:
    """A turn whose process counted nothing but itself."""
    told = report(**over)
    return TurnFinished(attempt=attempt, turn_index=0, session_id=SESSION, report=told, spent=totals(told))


def check(index: int = 0, *, passed: bool = True, **over: Any) -> CheckResult:
    values = {
        "index": index,
        "command": "make test",
        "ended": "exited",
        "exit_code": 0 if passed else 1,
        "passed": passed,
        "elapsed_ms": 1200,
    }
    return CheckResult.model_validate({**values, **over})


def checked(attempt: int = 1, index: int = 0, *, passed: bool = True, **over: Any) -> CheckFinished:
    return CheckFinished(attempt=attempt, result=check(index, passed=passed, **over))


def retry_scheduled(
    attempt: int = 1, error_class: str = "network", retry: int = 1, wake_at: int = START
) -> RetryScheduled:
    return RetryScheduled.model_validate(
        {
            "attempt": attempt,
            "executor": names.EXECUTOR,
            "error_class": error_class,
            "reason": error_class,
            "sentence": f"{error_class}!",
            "retry": retry,
            "delay_s": 1.5,
            "wake_at": wake_at,
            "resume": True,
        }
    )


def quota_wait(attempt: int = 1, wake_at: int = START) -> QuotaWaitStarted:
    return QuotaWaitStarted(
        attempt=attempt,
        executor=names.EXECUTOR,
        resets_at=wake_at,
        wake_at=wake_at,
        sentence="quota!",
        resume=True,
    )


def interrupted(attempt: int = 1, *, worker_died: bool = False) -> TaskInterrupted:
    return TaskInterrupted(attempt=attempt, reason="it stopped", worker_died=worker_died)


def succeeded(attempt: int = 1) -> TaskSucceeded:
    return TaskSucceeded(**_end(attempt), claimed="Done.", verified="unchecked")


def failed(attempt: int = 1) -> TaskFailed:
    return TaskFailed(**_end(attempt), error_class="fatal", reason="no_result", sentence="no result.")


def cancelled(attempt: int = 0) -> TaskCancelled:
    return TaskCancelled(**_end(attempt), reason="wrong file", by="cli:ann")


def _end(attempt: int) -> dict[str, Any]:
    return {
        "attempt": attempt,
        "task_type": "bug_fix",
        "agent": "bug_fix",
        "priority": "medium",
        "elapsed_ms": 0,
        "waited_ms": 0,
    }


RUNNING = (received(), queued(), claimed())
TURNING = (*RUNNING, snapshot(), turn_started())
ANSWERED = (*TURNING, turn_finished())
STATUSES: dict[str, tuple[Fact, ...]] = {
    "unknown": (),
    "received": (received(after=("a",)),),
    "waiting_dependency": (received(after=("a",)), queued("a")),
    "queued": (received(), queued()),
    "running": RUNNING,
    "waiting_retry": (*TURNING, agent_started(), turn_finished(ended="timeout"), retry_scheduled()),
    "waiting_quota": (*TURNING, agent_started(), turn_finished(is_error=True), quota_wait()),
    "paused": (received(), queued(), TaskPaused(reason="wait")),
    "succeeded": (*ANSWERED, succeeded()),
    "failed": (*ANSWERED, failed()),
    "cancelled": (received(), queued(), cancelled()),
}
"""What a log holds of a task in each status that a task can have today; what waits for a moment is due."""

RELEASED = (received(after=("a",)), queued("a"), TaskReleased(waited_for=("a",)))
CANCELLING = (*ANSWERED, CancelRequested(reason="wrong file"))

USUAL: dict[type[Command], dict[str, Any]] = {
    ReceiveTask: {"origin": "inbox", "file_name": "fix.task.md", "content_sha256": SHA, "spec": spec()},
    ReleaseTask: {"succeeded": ("a",)},
    CancelTask: {"reason": "wrong file"},
    RetryTask: {"reason": "once more"},
    PauseTask: {"reason": "wait"},
    ResumeTask: {"reason": "go on"},
    ClaimTask: {
        "worker": "w1",
        "lease_until": START + 120 * SECOND,
        "process": OWN,
        "cwd": CWD,
        "allowed_root": ROOT,
        "home": HOME,
        "windows": False,
        "conditions": CONDITIONS,
    },
    StartStep: {"phase": "snapshot"},
    FinishStep: {"phase": "snapshot", "elapsed_ms": 5, "percent_complete": 5, "blob": SHA},
    StartTurn: {
        "session_id": SESSION,
        "executable": "claude",
        "prompt_sha256": SHA,
        "tools": ("Read", "Edit"),
    },
    NoteAgent: {"process": AGENT},
    NoteTool: {"tool": "Read", "tool_use_id": "toolu_1", "detail": "sum.py"},
    NoteFiles: {"files": ({"path": "sum.py", "change": "modified"},)},
    FinishTurn: {"report": report()},
    InterruptAttempt: {"reason": "the service died"},
    ExtendLease: {"lease_until": START + 3600 * SECOND},
    NoteCheck: {"result": check()},
    RejectStale: {"command": "FinishTurn", "cost_usd": 0.25},
    PauseQueue: {"reason": "holidays"},
    ResumeQueue: {"reason": "back again"},
    OpenCircuit: {"executor": names.EXECUTOR, "failures": 3, "error_class": "network", "sentence": "no."},
    CloseCircuit: {"executor": names.EXECUTOR},
    NoteDailyBudget: {
        "executor": names.EXECUTOR,
        "day": "2023-11-14",
        "spent_usd": 5.0,
        "budget_usd": 4.0,
        "wake_at": START + 86_400 * SECOND,
    },
    RecordArtifact: {
        "path": "results/Fix-1.json",
        "sha256": SHA,
        "summary_path": "summaries/Fix-1_summary.txt",
        "summary_sha256": OTHER_SHA,
        "upto": 4,
    },
    RecordArchived: {
        "subject": TASK_ID,
        "path": "tasks/processed/Fix-1.succeeded.task.md",
        "status": "succeeded",
    },
}


class Bench:
    """One log, one task in it, and a clock that is moved by hand."""

    def __init__(self, *given: Fact) -> None:
        self.log = MemoryLog()
        self.dispatch = Dispatch(self.log, "urn:evt:bench", DECIDERS)
        self.now = START
        self._made = 0
        self.given(*given)

    def given(self, *facts: Fact, actor: str = "cli:ann", stream: str = STREAM) -> None:
        """Lay facts into the log, a second apart, without asking any rule."""
        for fact in facts:
            event = Event(
                id=self._fresh("event"),
                type=fact.TYPE,
                data=fact.model_dump(mode="json"),
                time=self.now,
                actor=actor,
                source="urn:evt:bench",
                schema=fact.SCHEMA,
            )
            self.log.append(stream, [event], ANY)
            self.now += SECOND

    def command(self, kind: type[Command], **over: Any) -> Command:
        """A command about the task as it is usually given; the open attempt is 1."""
        fields = dict(USUAL.get(kind, {}))
        if "task_id" in kind.model_fields:
            fields["task_id"] = TASK_ID
        if "attempt" in kind.model_fields:
            fields["attempt"] = 1
        envelope = {"command_id": self._fresh("command"), "time": self.now, "actor": "cli:ann"}
        return kind.model_validate({**envelope, **fields, **over})

    def do(self, kind: type[Command], **over: Any) -> list[Recorded]:
        """Give a command; what it appended."""
        head = self.log.head()
        self.dispatch(self.command(kind, **over))
        return list(self.log.all(head))

    def end(self, **over: Any) -> list[Recorded]:
        """Judge the attempt: what follows from it. What was measured of it is left out."""
        return [event for event in self.do(EndAttempt, **over) if event.type != names.VALIDATED]

    def state(self, decider: Decider[Any]) -> Any:
        state, _ = self.dispatch.state(decider, STREAM)
        return state

    @property
    def types(self) -> list[str]:
        return [event.type for event in self.log.all()]

    def _fresh(self, kind: str) -> str:
        self._made += 1
        return command_event_id(f"{kind}-{self._made}", 0)


def types(events: list[Recorded]) -> list[str]:
    return [event.type for event in events]
