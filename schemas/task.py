"""A task from its arrival to its place in the queue, and what a person may ask of it."""

from typing import Any, ClassVar, Literal

from pydantic import Field

from schemas import names
from schemas.word import Command, Count, Fact, Microseconds, Part, Sha256, Usd

TaskType = Literal["analyze", "summarize", "code_review", "documentation", "bug_fix"]
Priority = Literal["high", "medium", "low"]
Origin = Literal["inbox", "cli"]
SaidBy = Literal["author", "rules", "model", "default"]
"""Who said a part of a task: a person outright, a word that the rules know, the local model, nobody."""


class Criterion(Part):
    """One line under Success Criteria; `check` is the command of a criterion that is run."""

    text: str
    check: str | None = None


class Alternative(Part):
    """Another way to understand an ambiguous wish."""

    task_type: TaskType
    title: str


class TaskSpec(Part):
    """What a task file (or free text) asks for, read, checked and with its defaults filled in.

    `cwd` is the real path of the working directory, `allowed_root` the real path
    that it was found to be inside. Of free text the rules have said what it asks for (`shaped_by`),
    and `decided` tells of each part who said it: a model may change nothing but a `default`.
    """

    title: str
    task_type: TaskType
    agent: str
    prompt: str
    priority: Priority = "medium"
    cwd: str
    allowed_root: str
    target_files: tuple[str, ...] = ()
    criteria: tuple[Criterion, ...] = ()
    context: str = ""
    created: str | None = None
    agent_type: str | None = None
    template_id: str | None = None
    timeout_sec: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    after: tuple[str, ...] = ()
    not_before: Microseconds | None = None
    isolation: Literal["inplace", "worktree"] = "inplace"
    executor: str | None = None
    max_budget_usd: Usd | None = None
    max_turns: int | None = Field(default=None, ge=1)
    commit: Literal["no", "branch", "push", "pr"] = "no"
    shaped_by: Literal["author", "rules"] = "author"
    decided: dict[str, SaidBy] = Field(default_factory=dict)
    alternatives: tuple[Alternative, ...] = ()
    metadata: dict[str, Any] = Field(default_factory=dict)
    warnings: tuple[str, ...] = ()


class TaskReceived(Fact):
    """A task is known. `file_name` is its name in the inbox, None for text from elsewhere."""

    TYPE: ClassVar[str] = names.TASK_RECEIVED
    task_id: str
    origin: Origin
    file_name: str | None
    content_sha256: Sha256
    spec: TaskSpec
    parent_task_id: str | None = None
    turn_of: str | None = None


class TaskRefused(Fact):
    """What came could not be taken in; nothing of it was. `code` is for programs."""

    TYPE: ClassVar[str] = names.TASK_REFUSED
    refused_id: str
    file_name: str | None
    content_sha256: Sha256 | None
    code: str
    reason: str
    remedy: str
    line: Count | None = None


class Placed(Fact):
    """A place in the queue. `waits_for` are tasks that must succeed first.

    `title`, `task_type`, `agent` and `cwd` are what holds from here on.
    """

    priority: Priority
    cwd: str
    waits_for: tuple[str, ...]
    not_before: Microseconds | None
    title: str
    task_type: TaskType
    executor: str = names.EXECUTOR
    agent: str | None = None


class TaskQueued(Placed):
    """The owner has given the task its place.

    Of a wish in plain words `decided` says who said which part; `target_files` are what the mediator found in
    its words, None: as received. `alternatives` are other ways to understand it: nothing acts on them.
    """

    TYPE: ClassVar[str] = names.TASK_QUEUED
    target_files: tuple[str, ...] | None = None
    alternatives: tuple[Alternative, ...] = ()
    decided: dict[str, SaidBy] = Field(default_factory=dict)


class TaskReleased(Fact):
    """Everything that the task waited for has succeeded."""

    TYPE: ClassVar[str] = names.TASK_RELEASED
    waited_for: tuple[str, ...]


class TaskArchived(Fact):
    """The task's file was moved; paths are relative to the home and `/`-separated."""

    TYPE: ClassVar[str] = names.TASK_ARCHIVED
    subject: str
    path: str | None
    status: str
    note: str | None = None


class CancelRequested(Fact):
    """Somebody wants the running task to stop; its worker will end it."""

    TYPE: ClassVar[str] = names.CANCEL_REQUESTED
    reason: str


class RetryRequested(Placed):
    """Somebody wants the task done again, or at once; it gets a new place in the queue.

    `was` is its status until now; `archived` is where its file lies by now.
    """

    TYPE: ClassVar[str] = names.RETRY_REQUESTED
    task_id: str
    attempt: int
    was: str
    reason: str
    archived: str | None = None


class TaskPaused(Fact):
    """The task is not claimed until it is resumed; an agent at work is ended, its session kept."""

    TYPE: ClassVar[str] = names.TASK_PAUSED
    reason: str


class TaskResumed(Fact):
    """The task goes on from where it was paused."""

    TYPE: ClassVar[str] = names.TASK_RESUMED
    reason: str


class TaskCommand(Command):
    """A command about one task."""

    task_id: str

    @property
    def stream(self) -> str:
        return names.task_stream(self.task_id)


class ReceiveTask(TaskCommand):
    origin: Origin
    file_name: str | None
    content_sha256: Sha256
    spec: TaskSpec


class QueueTask(TaskCommand):
    """Give a received task its place (only the owner of the home decides this)."""


class ReleaseTask(TaskCommand):
    """`succeeded` names the tasks that were seen to have succeeded."""

    succeeded: tuple[str, ...]


class CancelTask(TaskCommand):
    reason: str


class RetryTask(TaskCommand):
    reason: str


class PauseTask(TaskCommand):
    reason: str


class ResumeTask(TaskCommand):
    reason: str


class RecordArchived(TaskCommand):
    """Receipt: the task's file stands where it belongs; `path` is None when it was gone."""

    subject: str
    path: str | None
    status: str
    note: str | None = None


class RecordRefusedArchived(Command):
    """Receipt: a refused file was moved aside, with its reason beside it."""

    subject: str
    path: str | None
    status: str
    note: str | None = None

    @property
    def stream(self) -> str:
        return names.SYSTEM


class RefuseTask(Command):
    """Record that something that came could not be taken in."""

    refused_id: str
    file_name: str | None
    content_sha256: Sha256 | None
    code: str
    reason: str
    remedy: str
    line: Count | None = None

    @property
    def stream(self) -> str:
        return names.SYSTEM

    @property
    def correlation_id(self) -> str:
        return f"refused-{self.refused_id}"
