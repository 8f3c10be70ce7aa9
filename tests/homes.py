"""Small homes for tests, built by appending facts to a log on disk."""

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, Self

import orjson

from eventstore.event import ANY, Event, Place
from eventstore.ids import command_event_id
from eventstore.sqlite.log import SqliteLog
from projections import story as stories
from projections.all_views import ALL
from projections.artifact import build, render
from projections.story import artifact_path, summary_path
from projections.summary import summary
from projections.views import Views
from schemas import names
from schemas.attempt import (
    Conditions,
    FileChange,
    FilesModified,
    Phase,
    StepFinished,
    TaskClaimed,
    TaskFailed,
    TaskSucceeded,
)
from schemas.files import ArtifactWritten
from schemas.process import ProcessIdentity
from schemas.service import HomeCreated, OrchestratorStarted, OrchestratorStopped
from schemas.task import Priority, TaskArchived, TaskQueued, TaskReceived, TaskRefused, TaskSpec
from schemas.turn import Captured, Spent, ToolUsed, TurnFinished, TurnReport, TurnStarted, Usage
from schemas.word import Fact

START = 1_767_323_045_000_000
"""2026-01-02T03:04:05Z, the time of event 1; each later event comes a second after."""
SECOND = 1_000_000
SHA = "a" * 64
FOLDERS = ("tasks", "tasks/processed", "logs", "results", "summaries", "blobs", "work")


def identity(pid: int = 4242) -> ProcessIdentity:
    return ProcessIdentity(pid=pid, started=1, boot_id="boot")


class BuiltHome:
    """A home under way. `close` it before another process looks, or leave it open to append on."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in FOLDERS:
            (root / name).mkdir(parents=True, exist_ok=True)
        self.log = SqliteLog.create(root / "logs" / "events.db")
        self.system(HomeCreated(home_id="0190-home", version="0.1.0"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *why: object) -> None:
        self.log.close()

    # appending

    def append(
        self, stream: str, *facts: Fact, actor: str = "service", time: int | None = None
    ) -> tuple[Place, ...]:
        return tuple(
            self.raw(stream, fact.TYPE, fact.model_dump(mode="json"), actor=actor, time=time)
            for fact in facts
        )

    def raw(
        self, stream: str, type: str, data: dict[str, Any], actor: str = "service", time: int | None = None
    ) -> Place:
        """An event of any type and shape, such as another version might have written."""
        head = self.log.head()
        event = Event(
            id=command_event_id("a-test", head),
            type=type,
            data=data,
            time=START + head * SECOND if time is None else time,
            actor=actor,
            source="urn:evt:0190-home",
            correlation_id=stream,
        )
        return self.log.append(stream, [event], ANY)[0]

    def system(self, *facts: Fact) -> None:
        self.append(names.SYSTEM, *facts)

    def task(self, task_id: str, *facts: Fact, time: int | None = None) -> None:
        self.append(names.task_stream(task_id), *facts, time=time)

    def many(self, stream: str, count: int) -> None:
        """So many events of a type that nobody knows, in one batch."""
        head = self.log.head()
        events = [
            Event(
                id=command_event_id("a-test", number),
                type="task_dreamt",
                data={"number": number},
                time=START + number * SECOND,
                actor="service",
                source="urn:evt:0190-home",
            )
            for number in range(head, head + count)
        ]
        self.log.append(stream, events, ANY)

    # whole stretches of a story

    def started(self, pid: int = 4242) -> None:
        self.system(OrchestratorStarted(version="0.1.0", process=identity(pid), workers=2, drain=False))

    def stopped(self, reason: str = "told to stop") -> None:
        self.system(OrchestratorStopped(process=identity(), reason=reason))

    def queue(
        self,
        task_id: str,
        title: str = "Fix the total",
        *,
        priority: Priority = "medium",
        after: tuple[str, ...] = (),
        not_before: int | None = None,
        warnings: tuple[str, ...] = (),
        time: int | None = None,
    ) -> None:
        """Received and given its place."""
        spec = TaskSpec(
            title=title,
            task_type="bug_fix",
            agent="bug_fix",
            prompt="Take the discount off once.",
            priority=priority,
            cwd="/srv/shop",
            allowed_root="/srv",
            after=after,
            not_before=not_before,
            warnings=warnings,
        )
        received = TaskReceived(
            task_id=task_id, origin="inbox", file_name=f"{task_id}.task.md", content_sha256=SHA, spec=spec
        )
        queued = TaskQueued(
            priority=priority,
            cwd="/srv/shop",
            waits_for=after,
            not_before=not_before,
            title=title,
            task_type="bug_fix",
        )
        self.task(task_id, received, queued, time=time)

    def claim(
        self,
        task_id: str,
        attempt: int = 1,
        time: int | None = None,
        *,
        lease_until: int = START,
        resumed: bool = False,
    ) -> None:
        """A worker has it, and its agent has begun to read."""
        conditions = Conditions(
            executable="claude",
            executable_found=True,
            max_turns=10,
            timeout_s=600,
            skip_permissions=False,
            workers=2,
            watcher_running=True,
        )
        claimed = TaskClaimed(
            attempt=attempt,
            worker="worker-1",
            lease_until=lease_until,
            process=identity(),
            cwd="/srv/shop",
            conditions=conditions,
        )
        turn = TurnStarted(
            attempt=attempt,
            turn_index=0,
            session_id="3f2c",
            executable="claude",
            prompt_sha256=SHA,
            tools=("Read", "Edit"),
            resumed=resumed,
        )
        tool = ToolUsed(attempt=attempt, tool="Read", tool_use_id="t1", detail="shop/cart.py")
        self.task(task_id, claimed, self.step("snapshot", attempt), turn, tool, time=time)

    @staticmethod
    def step(phase: Phase, attempt: int = 1) -> StepFinished:
        return StepFinished(attempt=attempt, phase=phase, elapsed_ms=1200, percent_complete=10, blob=SHA)

    def finish_turn(self, task_id: str, text: str = "It is taken off once now.", attempt: int = 1) -> None:
        report = TurnReport(
            ended="exited",
            exit_code=0,
            elapsed_ms=3200,
            has_result=True,
            num_turns=2,
            result_text=text,
            usage=Usage(input_tokens=100, output_tokens=20, cache_read_tokens=400),
            cost_usd=0.0123,
            stdout=Captured(head="{}", tail="{}", text="{}", size=2),
        )
        spent = Spent(usd=0.0123, **report.usage.model_dump())
        changed = FileChange(path="shop/cart.py", change="modified")
        self.task(
            task_id,
            TurnFinished(attempt=attempt, turn_index=0, session_id="3f2c", report=report, spent=spent),
            FilesModified(attempt=attempt, files=(changed,)),
        )

    def succeed(self, task_id: str, text: str = "It is taken off once now.") -> None:
        """The whole way of a task that goes well."""
        self.queue(task_id)
        self.claim(task_id)
        self.finish_turn(task_id, text)
        self.task(
            task_id,
            TaskSucceeded(**self.end(), claimed=text, verified="unchecked", evidence=("1 file changed",)),
        )

    def fail(self, task_id: str, sentence: str = "the agent was not permitted to use Bash.") -> None:
        self.queue(task_id)
        self.claim(task_id)
        self.finish_turn(task_id, "")
        failed = TaskFailed(
            **self.end(),
            error_class="interactive",
            reason="permission_denied",
            sentence=sentence,
            suggested_actions=("Say in the prompt what it may do.",),
        )
        self.task(task_id, failed)

    def refuse(self, name: str = "bad.task.md", reason: str = "the key `env` may not be set.") -> int:
        """The global position of the refusal; its file is archived after it."""
        subject = f"{name.removesuffix('.task.md')}-1234abcd"
        refused = TaskRefused(
            refused_id=subject,
            file_name=name,
            content_sha256=SHA,
            code="forbidden_key",
            reason=reason,
            remedy="Take the key out.",
            line=4,
        )
        (place,) = self.append(names.SYSTEM, refused)
        path = f"tasks/processed/{subject}.refused.task.md"
        self.system(TaskArchived(subject=f"refused-{subject}", path=path, status="refused"))
        return place.global_position

    def write_artifact(self, task_id: str) -> None:
        """Files and receipt, as the service would."""
        events = list(self.log.stream(names.task_stream(task_id)))
        name = stories.read(events).task_id
        artifact, text = render(build(events)), summary(events).encode()
        (self.root / artifact_path(name)).write_bytes(artifact)
        (self.root / summary_path(name)).write_bytes(text)
        receipt = ArtifactWritten(
            path=artifact_path(name),
            sha256=hashlib.sha256(artifact).hexdigest(),
            summary_path=summary_path(name),
            summary_sha256=hashlib.sha256(text).hexdigest(),
            upto=events[-1].global_position,
        )
        self.task(task_id, receipt)

    @staticmethod
    def end() -> dict[str, Any]:
        return {
            "attempt": 1,
            "executor": names.EXECUTOR,
            "task_type": "bug_fix",
            "agent": "bug_fix",
            "priority": "medium",
            "elapsed_ms": 5000,
            "waited_ms": 1000,
        }

    def store_views(self) -> None:
        views = Views(self.root / "logs" / "views.db", ALL)
        try:
            views.catch_up(self.log)
        finally:
            views.close()

    def damage_view(self, view: str, key: str, row: dict[str, Any]) -> None:
        """Write a row that no event says."""
        with closing(sqlite3.connect(self.root / "logs" / "views.db", isolation_level=None)) as database:
            database.execute(f'UPDATE "{view}" SET row=? WHERE key=?', (orjson.dumps(row).decode(), key))
