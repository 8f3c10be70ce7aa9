"""An attempt: from claim to its end; the turns in between stand in `turn`."""

from typing import ClassVar, Final, Literal

from pydantic import Field

from schemas import names
from schemas.process import ProcessIdentity
from schemas.task import Priority, TaskCommand
from schemas.turn import AttemptCommand, Captured
from schemas.validation import ENTROPY, SIMILARITY
from schemas.word import Count, Fact, Microseconds, Part, Sha256, Usd

ErrorClass = Literal[
    "none",
    "interactive",
    "rate_limit",
    "quota",
    "timeout",
    "inactivity",
    "network",
    "auth",
    "turn_cap",
    "budget",
    "validation",
    "security",
    "worker_lost",
    "fatal",
]
Phase = Literal["shape", "snapshot", "agent", "compare", "checks", "summarise"]
Change = Literal["created", "modified", "deleted", "renamed"]


Verified = Literal["passed", "failed", "unchecked"]

VALIDATION_RETRIES: Final = 1
VALIDATION_BACKOFF: Final = 2.0
"""How often, and by what each wait is longer: where no setting says so, and of a claim that names neither."""


class FileChange(Part):
    """One changed file; the path is relative to the working directory, `/`-separated."""

    path: str
    change: Change
    moved_from: str | None = None


class CheckResult(Part):
    """How one check went. `ended` is `exited`, `timeout` or `not_started` (`note` says why)."""

    index: Count
    command: str
    ended: Literal["exited", "timeout", "not_started"]
    exit_code: int | None
    passed: bool
    elapsed_ms: Count
    output: Captured = Captured()
    note: str | None = None


class Conditions(Part):
    """Under what settings the attempt runs; the artifact repeats them.

    The two thresholds are those of the task's agent where no setting says otherwise; the delay
    before a retry for validation's sake grows by the factor `validation_backoff`.
    """

    executable: str
    executable_found: bool
    max_turns: int
    timeout_s: float
    skip_permissions: bool
    workers: int
    watcher_running: bool
    guarded_write: bool = False
    inactivity_s: float = 0.0
    max_budget_usd: Usd | None = None
    similarity_threshold: float = Field(default=SIMILARITY, ge=0, le=1)
    entropy_threshold: float = Field(default=ENTROPY, ge=0, le=1)
    validation_retries: Count = VALIDATION_RETRIES
    validation_backoff: float = Field(default=VALIDATION_BACKOFF, ge=1)


class TaskClaimed(Fact):
    """A worker has the task. `process` is the service's own; `cwd` the real path."""

    TYPE: ClassVar[str] = names.TASK_CLAIMED
    attempt: int
    worker: str
    lease_until: Microseconds
    process: ProcessIdentity
    cwd: str
    conditions: Conditions
    executor: str = names.EXECUTOR


class LeaseExtended(Fact):
    """The attempt makes progress: its worker keeps it until then."""

    TYPE: ClassVar[str] = names.LEASE_EXTENDED
    attempt: int
    lease_until: Microseconds


class LeaseExpired(Fact):
    """Whoever held the attempt was not heard of in time; it is taken from them."""

    TYPE: ClassVar[str] = names.LEASE_EXPIRED
    attempt: int
    worker: str
    process: ProcessIdentity
    lease_until: Microseconds


class StepStarted(Fact):
    TYPE: ClassVar[str] = names.STEP_STARTED
    attempt: int
    phase: Phase


class StepFinished(Fact):
    """`blob` holds what the step made: for `snapshot`, the state of the working directory.

    `measured` names that state where no blob could be kept of it (`note` says why): what changes is
    told all the same, and cannot be found out any more once the attempt is lost. `unseen` says what
    `compare` could not look at: there a change would not be found.
    """

    TYPE: ClassVar[str] = names.STEP_FINISHED
    attempt: int
    phase: Phase
    elapsed_ms: Count
    percent_complete: int = Field(ge=0, le=100)
    blob: Sha256 | None = None
    note: str | None = None
    measured: Sha256 | None = None
    unseen: str | None = None


class FilesModified(Fact):
    """All that differs from the attempt's snapshot: found by comparing, never by belief.

    Told while the agent works, and when it has ended; each replaces what the attempt told before.
    """

    TYPE: ClassVar[str] = names.FILES_MODIFIED
    attempt: int
    files: tuple[FileChange, ...]


class TaskInterrupted(Fact):
    """Ends an attempt, not the task: it goes back to its place in the queue."""

    TYPE: ClassVar[str] = names.TASK_INTERRUPTED
    attempt: int
    reason: str
    agent_was_alive: bool = False
    worker_died: bool = False
    agent_died: bool = False
    owes_checks: bool = False
    service_died: bool = False


class CheckStarted(Fact):
    """A check is about to be run. `session_id` marks its processes: by it they are found and ended."""

    TYPE: ClassVar[str] = names.CHECK_STARTED
    attempt: int
    index: Count
    command: str
    session_id: str


class CheckFinished(Fact):
    """A check of the task file was run after the agent had ended. `passed` is exit code 0, in time.

    `index` counts the task's criteria from 0; `exit_code` is negative for a signal.
    """

    TYPE: ClassVar[str] = names.CHECK_FINISHED
    attempt: int
    result: CheckResult


class RetryScheduled(Fact):
    """Ends an attempt, not the task: it is tried again at `wake_at`.

    `retry` counts the retries for this class, from 1; `resume` says that the agent's session goes on.
    """

    TYPE: ClassVar[str] = names.RETRY_SCHEDULED
    attempt: int
    executor: str
    error_class: ErrorClass
    reason: str
    sentence: str
    retry: Count
    delay_s: float = Field(ge=0)
    wake_at: Microseconds
    resume: bool


class QuotaWaitStarted(Fact):
    """Ends an attempt, not the task: the executor's quota is used up until `resets_at`.

    Nothing of that executor is claimed before `wake_at`; then the agent's session goes on.
    """

    TYPE: ClassVar[str] = names.QUOTA_WAIT_STARTED
    attempt: int
    executor: str
    resets_at: Microseconds
    wake_at: Microseconds
    sentence: str
    resume: bool


class StaleResultRejected(Fact):
    """A worker whose attempt is no longer the task's wanted to write: nothing of it is taken.

    `command` names what it wanted; `cost_usd` is what the rejected turn says it cost.
    """

    TYPE: ClassVar[str] = names.STALE_RESULT_REJECTED
    attempt: int
    current_attempt: int
    command: str
    cost_usd: Usd | None = None


class End(Fact):
    """What every end of a task says. `executor` is None where no attempt was begun."""

    attempt: int
    executor: str | None = None
    task_type: str
    agent: str
    priority: Priority
    elapsed_ms: Count = Field(description="from the claim of the last attempt; 0 without one")
    waited_ms: Count = Field(description="from arrival to the first claim, or to the end without one")


class TaskSucceeded(End):
    """`verified` is `unchecked` until a check has been run; `claimed` is the agent's word."""

    TYPE: ClassVar[str] = names.TASK_SUCCEEDED
    claimed: str
    verified: Verified
    evidence: tuple[str, ...] = ()


class TaskFailed(End):
    TYPE: ClassVar[str] = names.TASK_FAILED
    error_class: ErrorClass
    reason: str
    sentence: str
    claimed: str = ""
    verified: Verified = "unchecked"
    evidence: tuple[str, ...] = ()
    suggested_actions: tuple[str, ...] = ()


class TaskCancelled(End):
    TYPE: ClassVar[str] = names.TASK_CANCELLED
    reason: str
    by: str


class Hindrance(Part):
    """Why a task cannot be begun as it is: a word for programs, a sentence, what to do."""

    code: str
    sentence: str
    remedy: str


class ClaimTask(TaskCommand):
    """Only the owner of the home claims. `cwd` and `allowed_root` are real paths, looked up now.

    `private` is the folder of the person's settings and signing keys, "" where there is none.
    `agent_trouble` says why the task's agent cannot be used.
    """

    worker: str
    lease_until: Microseconds
    process: ProcessIdentity
    cwd: str | None
    executor: str = names.EXECUTOR
    allowed_root: str
    home: str
    private: str = ""
    windows: bool
    conditions: Conditions
    agent_trouble: Hindrance | None = None


class StartStep(AttemptCommand):
    phase: Phase


class FinishStep(AttemptCommand):
    phase: Phase
    elapsed_ms: Count
    percent_complete: int
    blob: Sha256 | None = None
    note: str | None = None
    measured: Sha256 | None = None
    unseen: str | None = None


class NoteFiles(AttemptCommand):
    files: tuple[FileChange, ...]


class EndAttempt(AttemptCommand):
    """Judge what stands in the log and end the task accordingly."""


class ExtendLease(AttemptCommand):
    lease_until: Microseconds


class StartCheck(AttemptCommand):
    index: Count
    command: str
    session_id: str


class NoteCheck(AttemptCommand):
    result: CheckResult


class RejectStale(TaskCommand):
    """Record that a worker whose attempt is over wanted to write `command`."""

    attempt: int
    command: str
    cost_usd: Usd | None = None


class InterruptAttempt(AttemptCommand):
    """`worker_died` says that the worker failed while the service lived: that counts.

    `lease_expired` says that whoever held the attempt may live still, but is not heard of;
    `service_died` that the whole service ended without a word while it held it.
    """

    reason: str
    agent_was_alive: bool = False
    worker_died: bool = False
    lease_expired: bool = False
    service_died: bool = False
