"""An attempt: from claim to its end, with the turns of the agent in between."""

import re
from typing import Any, ClassVar, Literal

from pydantic import Field

from schemas import names
from schemas.task import Priority, TaskCommand
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
Phase = Literal["snapshot", "agent", "compare"]
Change = Literal["created", "modified", "deleted", "renamed"]


class ProcessIdentity(Part):
    """A process beyond doubt: a pid alone is given out again.

    `started` counts in the system's own unit (clock ticks since boot on Linux,
    microseconds since 1970 elsewhere); `boot_id` tells one boot from another.
    """

    pid: int
    started: int
    boot_id: str


class FileChange(Part):
    """One changed file; the path is relative to the working directory, `/`-separated."""

    path: str
    change: Change
    moved_from: str | None = None


class Conditions(Part):
    """Under what settings the attempt runs; the artifact repeats them."""

    executable: str
    executable_found: bool
    max_turns: int
    timeout_s: float
    skip_permissions: bool
    workers: int
    watcher_running: bool
    guarded_write: bool = False


class Usage(Part):
    """Tokens of a turn as the agent's last result line gives them."""

    input_tokens: Count = 0
    output_tokens: Count = 0
    cache_read_tokens: Count = 0
    cache_creation_tokens: Count = 0


class Captured(Part):
    """One of the agent's two outputs: its ends for the eye, its whole as a blob.

    `head` and `tail` hold at most 2,048 characters each, `text` at most 64 KiB;
    `sha256` names the blob, None where nothing was said.
    """

    head: str = ""
    tail: str = ""
    text: str = ""
    size: Count = 0
    sha256: Sha256 | None = None
    truncated: bool = False


class Denial(Part):
    """A tool call that the agent asked for and did not get."""

    tool: str
    tool_use_id: str
    detail: str


class TurnReport(Part):
    """What one agent process left behind, before anybody judges it.

    `ended` says how: `exited` (by itself), `timeout`, `cancelled`, `interrupted`
    (the service was told to stop) or `not_started` (`note` says why).
    `exit_code` is negative for a signal. `result_text` is at most 64 KiB.
    """

    ended: Literal["exited", "timeout", "cancelled", "interrupted", "not_started"]
    exit_code: int | None
    elapsed_ms: Count
    has_result: bool
    subtype: str | None = None
    is_error: bool = False
    num_turns: Count = 0
    result_text: str = ""
    has_structured_output: bool = False
    deferred: bool = False
    api_error_status: int | None = None
    assistant_error: str | None = None
    rate_limit_rejected: bool = False
    errors: tuple[str, ...] = ()
    terminal_reason: str | None = None
    agent_version: str | None = None
    model: str | None = None
    usage: Usage = Usage()
    cost_usd: Usd = 0.0
    denials: tuple[Denial, ...] = ()
    unknown_lines: Count = 0
    unparsed_lines: Count = 0
    stdout: Captured = Captured()
    stderr: Captured = Captured()
    note: str | None = None


class TaskClaimed(Fact):
    """A worker has the task. `process` is the service's own; `cwd` the real path."""

    TYPE: ClassVar[str] = names.TASK_CLAIMED
    attempt: int
    worker: str
    lease_until: Microseconds
    process: ProcessIdentity
    cwd: str
    conditions: Conditions


class StepStarted(Fact):
    TYPE: ClassVar[str] = names.STEP_STARTED
    attempt: int
    phase: Phase


class StepFinished(Fact):
    """`blob` holds what the step made: for `snapshot`, the state of the working directory."""

    TYPE: ClassVar[str] = names.STEP_FINISHED
    attempt: int
    phase: Phase
    elapsed_ms: Count
    percent_complete: int = Field(ge=0, le=100)
    blob: Sha256 | None = None
    note: str | None = None


class TurnStarted(Fact):
    """The agent is about to be started: this stands in the log before it lives."""

    TYPE: ClassVar[str] = names.TURN_STARTED
    attempt: int
    turn_index: Count
    session_id: str
    executable: str
    prompt_sha256: Sha256
    tools: tuple[str, ...]


class AgentStarted(Fact):
    """The agent lives, and this is its process."""

    TYPE: ClassVar[str] = names.AGENT_STARTED
    attempt: int
    turn_index: Count
    process: ProcessIdentity


class ToolUsed(Fact):
    """`detail` is the call's telling argument (a path, a command), at most 500 characters."""

    TYPE: ClassVar[str] = names.TOOL_USED
    attempt: int
    tool: str
    tool_use_id: str
    detail: str


class FilesModified(Fact):
    """All that differs from the attempt's snapshot: found by comparing, never by belief.

    Told while the agent works, and when it has ended; each replaces what the attempt told before.
    """

    TYPE: ClassVar[str] = names.FILES_MODIFIED
    attempt: int
    files: tuple[FileChange, ...]


class PermissionDenied(Fact):
    TYPE: ClassVar[str] = names.PERMISSION_DENIED
    attempt: int
    tool: str
    tool_use_id: str
    detail: str


class TurnFinished(Fact):
    TYPE: ClassVar[str] = names.TURN_FINISHED
    attempt: int
    turn_index: Count
    session_id: str
    report: TurnReport


class TaskInterrupted(Fact):
    """Ends an attempt, not the task: it goes back to its place in the queue."""

    TYPE: ClassVar[str] = names.TASK_INTERRUPTED
    attempt: int
    reason: str
    agent_was_alive: bool = False
    worker_died: bool = False


class End(Fact):
    """What every end of a task says."""

    attempt: int
    task_type: str
    agent: str
    priority: Priority
    elapsed_ms: Count = Field(description="from the claim of the last attempt; 0 without one")
    waited_ms: Count = Field(description="from arrival to the first claim, or to the end without one")


class TaskSucceeded(End):
    """`verified` is `unchecked` until a check has been run; `claimed` is the agent's word."""

    TYPE: ClassVar[str] = names.TASK_SUCCEEDED
    claimed: str
    verified: Literal["passed", "failed", "unchecked"]
    evidence: tuple[str, ...] = ()


class TaskFailed(End):
    TYPE: ClassVar[str] = names.TASK_FAILED
    error_class: ErrorClass
    reason: str
    sentence: str
    claimed: str = ""
    evidence: tuple[str, ...] = ()
    suggested_actions: tuple[str, ...] = ()


class TaskCancelled(End):
    TYPE: ClassVar[str] = names.TASK_CANCELLED
    reason: str
    by: str


class ClaimTask(TaskCommand):
    """Only the owner of the home claims. `cwd` and `allowed_root` are real paths, looked up now."""

    worker: str
    lease_until: Microseconds
    process: ProcessIdentity
    cwd: str | None
    allowed_root: str
    home: str
    windows: bool
    conditions: Conditions


class AttemptCommand(TaskCommand):
    """A command of the worker that holds `attempt`; of any other attempt it is stale."""

    attempt: int


class StartStep(AttemptCommand):
    phase: Phase


class FinishStep(AttemptCommand):
    phase: Phase
    elapsed_ms: Count
    percent_complete: int
    blob: Sha256 | None = None
    note: str | None = None


class StartTurn(AttemptCommand):
    session_id: str
    executable: str
    prompt_sha256: Sha256
    tools: tuple[str, ...]


class NoteAgent(AttemptCommand):
    process: ProcessIdentity


class NoteTool(AttemptCommand):
    tool: str
    tool_use_id: str
    detail: str


class NoteFiles(AttemptCommand):
    files: tuple[FileChange, ...]


class FinishTurn(AttemptCommand):
    report: TurnReport


class EndAttempt(AttemptCommand):
    """Judge what stands in the log and end the task accordingly."""


class InterruptAttempt(AttemptCommand):
    """`worker_died` says that the worker failed while the service lived: that counts."""

    reason: str
    agent_was_alive: bool = False
    worker_died: bool = False


_HALF_WORD = re.compile(r"""[^\s"'`=&:,;/?#(){}\[\]]+\Z""")


def details_of(tool_input: Any, limit: int = 500) -> str:
    """The telling argument of a tool call, cut to at most `limit` characters between two words."""
    if isinstance(tool_input, dict):
        for key in ("file_path", "notebook_path", "command", "pattern", "path", "url", "query", "prompt"):
            if isinstance(tool_input.get(key), str):
                return cut_between_words(str(tool_input[key]), limit)
        return cut_between_words(", ".join(sorted(str(key) for key in tool_input)), limit)
    return cut_between_words(str(tool_input), limit)


def cut_between_words(text: str, limit: int) -> str:
    """At most `limit` characters. A word is dropped whole: half a secret has no known form."""
    if len(text) <= limit:
        return text
    return _HALF_WORD.sub("", text[: limit - 1]) + "…"
