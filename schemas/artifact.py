"""The artifact, schema 1.1: what a task left behind, for programs.

The names of schema 1.0 stay, whether this program has something to say under them or
not: what nobody found out is null, never a guess. Written and checked as JSON; the
model is here for its JSON Schema and for `evt validate-artifacts`.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.attempt import Change, ErrorClass
from schemas.word import Count, Sha256, Usd

Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Rfc3339 = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$")]


class ArtifactPart(BaseModel):
    """Every name is there, and no other."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class ChangedFile(ArtifactPart):
    """`path` is relative to the working directory; `from` stands only where a file was renamed."""

    path: str
    change: Change
    moved_from: str | None = Field(default=None, alias="from")


class Triage(ArtifactPart):
    """The first and the last 2,048 characters of each output."""

    stdout_head: str = Field(max_length=2048)
    stdout_tail: str = Field(max_length=2048)
    stderr_head: str = Field(max_length=2048)
    stderr_tail: str = Field(max_length=2048)


class ParsedOutput(ArtifactPart):
    """The agent's own last line, as far as it was understood."""

    result: str
    subtype: str | None
    is_error: bool
    num_turns: Count
    terminal_reason: str | None
    model: str | None
    agent_version: str | None


class Retry(ArtifactPart):
    retries: Count
    error_class: ErrorClass


class Components(ArtifactPart):
    claude_available: bool | None
    llama_available: bool | None
    file_watcher_running: bool | None


class OrchestratorPart(ArtifactPart):
    components: Components
    workers: Count | None


class Bridge(ArtifactPart):
    """How the agent was to be run; `timeout` is in seconds. Null where no attempt was made."""

    available: bool | None
    claude_executable: str | None
    max_turns: Count | None
    timeout: Seconds | None
    skip_permissions: bool | None


class Llama(ArtifactPart):
    ollama_available: bool | None
    client_initialized: bool
    model: str | None
    mode: Literal["LLAMA", "FALLBACK"]


class Validity(ArtifactPart):
    """`valid` of the result: its answer stands; of the mediator's prompt: it has no issue.

    An issue is `code: sentence (what it was measured on)`. It decided where its code is the end's reason;
    any other one is a signal. All null where nothing was measured.
    """

    valid: bool | None
    similarity: float | None
    entropy: float | None
    issues: tuple[str, ...]


class Validation(ArtifactPart):
    llama: Validity
    result: Validity


class Violation(ArtifactPart):
    type: str
    path: str


class Security(ArtifactPart):
    """`redactions` counts what was taken out of this task's events, by pattern."""

    guarded_write: bool
    allowlist_root: str
    violations: tuple[Violation, ...]
    redactions: dict[str, Count]


class Linkage(ArtifactPart):
    """Where in the log all this stands: global positions, and the blobs by name."""

    correlation_id: str | None
    attempt: Count
    session_id: str | None
    first_global_position: Annotated[int, Field(ge=1)]
    last_global_position: Annotated[int, Field(ge=1)]
    blobs: dict[str, Sha256]


class CheckOutcome(ArtifactPart):
    """A check of the last attempt. `tail`: the last lines of one that failed; all of it is a blob."""

    command: str
    passed: bool
    exit_code: int | None
    tail: str


class Outcome(ArtifactPart):
    """`ended`: how the agent's process went; `claimed`: what it says; `verified`: what was found.

    `checks` may be missing: the first artifacts of this schema were written without.
    """

    ended: Literal["exited", "timeout", "cancelled", "interrupted", "inactivity", "not_started"]
    claimed: str
    verified: Literal["passed", "failed", "unchecked"]
    evidence: tuple[str, ...]
    checks: tuple[CheckOutcome, ...] = ()


class AttemptCost(ArtifactPart):
    attempt: Count
    usd: Usd
    input_tokens: Count
    output_tokens: Count
    cache_read_tokens: Count


class Cost(ArtifactPart):
    usd: Usd
    input_tokens: Count
    output_tokens: Count
    cache_read_tokens: Count
    by_attempt: tuple[AttemptCost, ...]


class Message(ArtifactPart):
    role: Literal["user", "assistant"]
    content: str
    timestamp: Rfc3339
    turn_index: Count
    session_id: str | None


class Git(ArtifactPart):
    branch: str | None
    commit: str | None
    pushed: bool
    pull_request: str | None


class Artifact(ArtifactPart):
    """`timestamp` is the time of the last event considered, `execution_time` in seconds.

    `return_code` is the agent's, negative for a signal, null where none ran to an end.
    `raw_stdout` and `raw_stderr` hold at most 64 KiB; the whole is in `linkage.blobs`.
    """

    schema_version: Literal["1.1"]
    task_id: str
    parent_task_id: str | None
    turn_of: str | None
    success: bool
    return_code: int | None
    timestamp: Rfc3339
    execution_time: Seconds
    errors: tuple[str, ...]
    files_modified: tuple[ChangedFile, ...]
    raw_stdout: str
    raw_stderr: str
    triage: Triage
    parsed_output: ParsedOutput | None
    retry: Retry
    orchestrator: OrchestratorPart
    bridge: Bridge
    llama: Llama
    validation: Validation
    suggested_actions: tuple[str, ...]
    security: Security
    linkage: Linkage
    outcome: Outcome
    cost: Cost
    conversation: tuple[Message, ...]
    git: Git
