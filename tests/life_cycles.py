"""Plausible lives of tasks, as events in a log: told by hand, or grown from numbers."""

from collections.abc import Callable, Iterable
from hashlib import sha256

from eventstore.event import ANY, Event, Place
from eventstore.log import Log
from schemas import names
from schemas.attempt import (
    Conditions,
    FileChange,
    FilesModified,
    StepFinished,
    StepStarted,
    TaskCancelled,
    TaskClaimed,
    TaskFailed,
    TaskInterrupted,
    TaskSucceeded,
)
from schemas.files import ArtifactWritten
from schemas.process import ProcessIdentity
from schemas.service import SecretRedacted
from schemas.task import (
    CancelRequested,
    TaskArchived,
    TaskQueued,
    TaskReceived,
    TaskRefused,
    TaskReleased,
    TaskSpec,
)
from schemas.turn import (
    AgentStarted,
    Captured,
    PermissionDenied,
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
    return TurnFinished(
        attempt=attempt,
        turn_index=turn_index,
        session_id=f"session-{attempt}-{turn_index}",
        report=report(**changed),
    )


def succeeded(attempt: int = 1, elapsed_ms: int = 2000) -> TaskSucceeded:
    return TaskSucceeded(
        attempt=attempt,
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


class Grown(Lives):
    """Each number is one step: it picks a task, and one of the things that may happen to it now."""

    IDS = ("A", "b", "c-3", "refused-x", "E.e")

    def __init__(self, log: Log) -> None:
        super().__init__(log)
        self._status = dict.fromkeys(self.IDS, "unknown")
        self._attempt = dict.fromkeys(self.IDS, 0)
        self._upto: dict[str, int] = {}
        self._waits_for: dict[str, tuple[str, ...]] = {}

    def grow(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            number, which = divmod(number, len(self.IDS) + 1)
            if which == len(self.IDS):
                self._beside(number)
                continue
            task_id = self.IDS[which]
            steps = self._steps(task_id)
            status, fact = steps[number % len(steps)](number)
            place = self.tell(task_id, fact)
            self._status[task_id] = status
            if fact.TYPE in names.ENDS or fact.TYPE == names.TURN_FINISHED:
                self._upto[task_id] = place.global_position

    def _beside(self, number: int) -> None:
        match number % 4:
            case 0:
                self.refuse(f"r{number}")
            case 1:
                self.say(names.SYSTEM, archived(f"refused-r{number - 1}", "refused"))
            case 2:
                self.raw("chat-7", "something_of_a_later_version", {"who": "knows"})
            case _:
                self.raw(names.task_stream("A"), "task_dreamt_of", {"number": number})

    def _steps(self, task_id: str) -> list[Callable[[int], tuple[str, Fact]]]:
        status, attempt = self._status[task_id], self._attempt[task_id]
        receipts: list[Callable[[int], tuple[str, Fact]]] = [
            lambda number: (status, archived(task_id, status if status in names.ENDED else "queued")),
            lambda number: (status, written(task_id, self._upto.get(task_id, 1) - number % 2)),
        ]
        match status:
            case "unknown":
                return [
                    lambda number: ("received", received(task_id, None if number % 3 == 0 else "")),
                ]
            case "received":
                return [lambda number: self._queue(task_id, number), lambda n: ("cancelled", cancelled())]
            case "waiting_dependency":
                return [
                    lambda n: ("queued", TaskReleased(waited_for=self._waits_for[task_id])),
                    lambda n: ("cancelled", cancelled()),
                    receipts[0],
                ]
            case "queued":
                return [
                    lambda n: self._claim(task_id),
                    lambda n: ("cancelled", cancelled(attempt)),
                    receipts[0],
                ]
            case "running":
                return [*_working(attempt), *receipts]
            case _:
                return receipts

    def _queue(self, task_id: str, number: int) -> tuple[str, Fact]:
        others = [other for other in self.IDS if other != task_id]
        waits_for = tuple(others[: number % 3]) if number % 2 else ()
        self._waits_for[task_id] = waits_for
        fact = queued(waits_for, self.now if number % 5 == 0 else None, number % 3)
        return ("waiting_dependency" if waits_for else "queued"), fact

    def _claim(self, task_id: str) -> tuple[str, Fact]:
        self._attempt[task_id] += 1
        return "running", claimed(self._attempt[task_id])


def _working(attempt: int) -> list[Callable[[int], tuple[str, Fact]]]:
    changes = ("created", "modified", "deleted")
    facts: list[Callable[[int], Fact]] = [
        lambda n: StepStarted(attempt=attempt, phase="agent"),
        lambda n: snapshot(attempt, f"state {n % 3}"),
        lambda n: turn_started(attempt),
        lambda n: AgentStarted(attempt=attempt, turn_index=0, process=PROCESS),
        lambda n: ToolUsed(attempt=attempt, tool="Edit", tool_use_id=str(n), detail="a.py"),
        lambda n: FilesModified.model_validate(
            {"attempt": attempt, "files": [{"path": f"{n % 4}.py", "change": changes[n % 3]}]}
        ),
        lambda n: PermissionDenied(attempt=attempt, tool="Bash", tool_use_id=str(n), detail="rm"),
        lambda n: SecretRedacted(patterns={"token": n % 3}, event_type=names.TOOL_USED),
        lambda n: CancelRequested(reason="enough"),
        lambda n: turn_finished(attempt, cost_usd=n / 7000, elapsed_ms=n),
    ]
    running: list[Callable[[int], tuple[str, Fact]]] = [
        lambda n, fact=fact: ("running", fact(n))  # type: ignore[misc]
        for fact in facts
    ]
    return [
        *running,
        lambda n: ("queued", TaskInterrupted(attempt=attempt, reason="service_died")),
        lambda n: ("succeeded", succeeded(attempt, elapsed_ms=n * n)),
        lambda n: ("failed", failed(attempt, ("fatal", "timeout", "security")[n % 3])),
    ]
