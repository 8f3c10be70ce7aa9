"""Plausible lives of tasks, as events in a log, told by hand."""

from hashlib import sha256

from eventstore.event import ANY, Event, Place
from eventstore.log import Log
from handlers.spending import totals
from schemas import names
from schemas.attempt import (
    CheckFinished,
    CheckResult,
    Conditions,
    FileChange,
    FilesModified,
    QuotaWaitStarted,
    RetryScheduled,
    StepFinished,
    TaskCancelled,
    TaskClaimed,
    TaskFailed,
    TaskSucceeded,
)
from schemas.files import ArtifactWritten
from schemas.process import ProcessIdentity
from schemas.task import (
    Placed,
    RetryRequested,
    TaskArchived,
    TaskQueued,
    TaskReceived,
    TaskRefused,
    TaskSpec,
)
from schemas.turn import (
    AgentStarted,
    Captured,
    ToolUsed,
    TurnFinished,
    TurnReport,
    TurnStarted,
    Usage,
)
from schemas.word import Fact

PROCESS = ProcessIdentity(pid=42, started=4_200, boot_id="boot")
CONDITIONS = Conditions(
    executable="/usr/bin/claude",
    executable_found=True,
    max_turns=0,
    timeout_s=300.0,
    skip_permissions=False,
    workers=3,
    watcher_running=True,
)
PRIORITIES = ("high", "medium", "low")
SECOND = 1_000_000
BEGINNING = 1_790_000_000 * SECOND


def hash_of(text: str) -> str:
    return sha256(text.encode()).hexdigest()


class Lives:
    """Appends facts to a log, each a second after the one before."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self.now = BEGINNING
        self._count = 0

    def say(self, stream: str, fact: Fact) -> Place:
        return self.raw(stream, fact.TYPE, fact.model_dump(mode="json"))

    def raw(self, stream: str, event_type: str, data: dict[str, object]) -> Place:
        self.now += SECOND
        self._count += 1
        event = Event(
            id=f"event-{self._count}-{event_type}",
            type=event_type,
            data=data,
            time=self.now,
            actor="worker:1",
            source="urn:evt:home",
            correlation_id=stream,
        )
        return self.log.append(stream, [event], ANY)[0]

    def tell(self, task_id: str, *facts: Fact) -> Place:
        """Append facts to the task's stream; the place of the last one."""
        places = [self.say(names.task_stream(task_id), fact) for fact in facts]
        return places[-1]

    def refuse(self, refused_id: str) -> Place:
        return self.say(
            names.SYSTEM,
            TaskRefused(
                refused_id=refused_id,
                file_name=f"{refused_id}.task.md",
                content_sha256=hash_of(refused_id),
                code="empty",
                reason="the file is empty.",
                remedy="Write a task into it.",
            ),
        )

    def whole(self, task_id: str) -> None:
        """A task from its file to its end, without the receipts."""
        self.tell(
            task_id,
            received(task_id),
            queued(),
            claimed(1),
            snapshot(1),
            turn_started(1),
            AgentStarted(attempt=1, turn_index=0, process=PROCESS),
            ToolUsed(attempt=1, tool="Edit", tool_use_id="t1", detail="a.py"),
            files_modified(1, FileChange(path="a.py", change="modified")),
            turn_finished(1),
            succeeded(),
        )


def received(
    task_id: str,
    file_name: str | None = "",
    after: tuple[str, ...] = (),
    title: str = "Mend the roof",
    prompt: str = "Mend it.",
    not_before: int | None = None,
) -> TaskReceived:
    spec = TaskSpec(
        title=title,
        task_type="bug_fix",
        agent="bug_fix",
        prompt=prompt,
        priority="medium",
        cwd="/srv/roof",
        allowed_root="/srv",
        after=after,
        not_before=not_before,
    )
    return TaskReceived(
        task_id=task_id,
        origin="cli" if file_name is None else "inbox",
        file_name=f"{task_id}.task.md" if file_name == "" else file_name,
        content_sha256=hash_of(task_id),
        spec=spec,
    )


def queued(waits_for: tuple[str, ...] = (), not_before: int | None = None, priority: int = 1) -> TaskQueued:
    return TaskQueued(
        priority=("high", "medium", "low")[priority],
        cwd="/srv/roof",
        waits_for=waits_for,
        not_before=not_before,
        title="Mend the roof",
        task_type="bug_fix",
    )


def claimed(attempt: int) -> TaskClaimed:
    return TaskClaimed(
        attempt=attempt,
        worker="1",
        lease_until=BEGINNING + 10_000 * SECOND,
        process=PROCESS,
        cwd="/srv/roof",
        conditions=CONDITIONS,
    )


def snapshot(attempt: int, blob: str = "before") -> StepFinished:
    return StepFinished(
        attempt=attempt, phase="snapshot", elapsed_ms=5, percent_complete=10, blob=hash_of(blob)
    )


def turn_started(attempt: int, turn_index: int = 0) -> TurnStarted:
    return TurnStarted(
        attempt=attempt,
        turn_index=turn_index,
        session_id=f"session-{attempt}-{turn_index}",
        executable="/usr/bin/claude",
        prompt_sha256=hash_of("prompt"),
        tools=("Read", "Edit"),
    )


def files_modified(attempt: int, *files: FileChange) -> FilesModified:
    return FilesModified(attempt=attempt, files=files)


def report(**changed: object) -> TurnReport:
    """A turn that went well, but for what is said otherwise."""
    stdout = Captured(head="he", tail="ad", text="hello", size=5, sha256=hash_of("hello"))
    good: dict[str, object] = {
        "ended": "exited",
        "exit_code": 0,
        "elapsed_ms": 1500,
        "has_result": True,
        "subtype": "success",
        "num_turns": 2,
        "result_text": "The roof is mended.",
        "terminal_reason": "completed",
        "usage": Usage(input_tokens=10, output_tokens=20, cache_read_tokens=30),
        "cost_usd": 0.0125,
        "stdout": stdout,
    }
    return TurnReport.model_validate({**good, **changed})


def turn_finished(attempt: int, turn_index: int = 0, **changed: object) -> TurnFinished:
    told = report(**changed)
    return TurnFinished(
        attempt=attempt,
        turn_index=turn_index,
        session_id=f"session-{attempt}-{turn_index}",
        report=told,
        spent=totals(told),
    )


def checked(attempt: int, index: int = 0, output: str = "ok", *, passed: bool = True) -> CheckFinished:
    """A check; one that printed nothing kept nothing."""
    kept = hash_of(output) if output else None
    result = CheckResult(
        index=index,
        command="make test",
        ended="exited",
        exit_code=0 if passed else 1,
        passed=passed,
        elapsed_ms=1200,
        output=Captured(head=output, tail=output, text=output, size=len(output), sha256=kept),
    )
    return CheckFinished(attempt=attempt, result=result)


def retry_scheduled(
    attempt: int, wake_at: int = BEGINNING, error_class: str = "network", retry: int = 1
) -> RetryScheduled:
    return RetryScheduled.model_validate(
        {
            "attempt": attempt,
            "executor": names.EXECUTOR,
            "error_class": error_class,
            "reason": "unreachable",
            "sentence": "no answer from the model.",
            "retry": retry,
            "delay_s": 1.5,
            "wake_at": wake_at,
            "resume": True,
        }
    )


def quota_wait_started(attempt: int, wake_at: int = BEGINNING) -> QuotaWaitStarted:
    return QuotaWaitStarted(
        attempt=attempt,
        executor=names.EXECUTOR,
        resets_at=wake_at,
        wake_at=wake_at,
        sentence="the quota is used up.",
        resume=True,
    )


def retry_requested(
    task_id: str,
    attempt: int,
    was: str = "failed",
    archived: str | None = None,
    waits_for: tuple[str, ...] = (),
) -> RetryRequested:
    return RetryRequested(
        **queued(waits_for).model_dump(include=set(Placed.model_fields)),
        task_id=task_id,
        attempt=attempt,
        was=was,
        reason="again",
        archived=archived,
    )


def succeeded(attempt: int = 1, elapsed_ms: int = 2000) -> TaskSucceeded:
    return TaskSucceeded(
        attempt=attempt,
        executor=names.EXECUTOR if attempt else None,
        task_type="bug_fix",
        agent="bug_fix",
        priority="medium",
        elapsed_ms=elapsed_ms,
        waited_ms=300,
        claimed="The roof is mended.",
        verified="unchecked",
        evidence=("1 file modified",),
    )


def failed(attempt: int = 1, error_class: str = "fatal", reason: str = "no_result") -> TaskFailed:
    return TaskFailed.model_validate(
        {
            "attempt": attempt,
            "executor": names.EXECUTOR if attempt else None,
            "task_type": "bug_fix",
            "agent": "bug_fix",
            "priority": "medium",
            "elapsed_ms": 4000,
            "waited_ms": 300,
            "error_class": error_class,
            "reason": reason,
            "sentence": "the agent left no result.",
            "suggested_actions": ("Look at stderr.",),
        }
    )


def cancelled(attempt: int = 0) -> TaskCancelled:
    return TaskCancelled(
        attempt=attempt,
        executor=names.EXECUTOR if attempt else None,
        task_type="bug_fix",
        agent="bug_fix",
        priority="medium",
        elapsed_ms=0,
        waited_ms=700,
        reason="not needed",
        by="cli:me",
    )


def written(task_id: str, upto: int) -> ArtifactWritten:
    return ArtifactWritten(
        path=f"results/{task_id}.json",
        sha256=hash_of("artifact"),
        summary_path=f"summaries/{task_id}_summary.txt",
        summary_sha256=hash_of("summary"),
        upto=upto,
    )


def archived(subject: str, status: str) -> TaskArchived:
    return TaskArchived(subject=subject, path=f"tasks/processed/{subject}.{status}.task.md", status=status)
