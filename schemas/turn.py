"""A turn: one process of the agent, what it was asked, what it did and what it left behind."""

import re
from typing import Any, ClassVar, Literal

from pydantic import Field

from schemas import names
from schemas.process import ProcessIdentity
from schemas.task import TaskCommand
from schemas.word import Count, Fact, Microseconds, Part, Sha256, Usd


class Usage(Part):
    """Tokens as the agent's last result line gives them: of all its models, subagents included."""

    input_tokens: Count = 0
    output_tokens: Count = 0
    cache_read_tokens: Count = 0
    cache_creation_tokens: Count = 0


class Spent(Usage):
    """What one turn cost by itself, whatever its process counted from an earlier one on."""

    usd: Usd = 0.0


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
    (the service was told to stop), `inactivity` (it fell silent) or `not_started` (`note` says why).
    `exit_code` is negative for a signal. `result_text` is at most 64 KiB. `cost_usd` and
    `usage` are the process's own totals, which some versions go on counting after a resume.
    `resets_at` is when a used-up quota is full again, where the agent said so. `answer_cut` says
    that the model's own limit cut the answer off, not ours of what is kept.
    """

    ended: Literal["exited", "timeout", "cancelled", "interrupted", "inactivity", "not_started"]
    exit_code: int | None
    elapsed_ms: Count
    has_result: bool
    subtype: str | None = None
    is_error: bool = False
    num_turns: Count = 0
    result_text: str = ""
    has_structured_output: bool = False
    deferred: bool = False
    answer_cut: bool = False
    api_error_status: int | None = None
    assistant_error: str | None = None
    rate_limit_rejected: bool = False
    resets_at: Microseconds | None = None
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


class TurnStarted(Fact):
    """The agent is about to be started: this stands in the log before it lives.

    `answering`: the turn before ended with a question, and the local model has answered it.
    """

    TYPE: ClassVar[str] = names.TURN_STARTED
    attempt: int
    turn_index: Count
    session_id: str
    executable: str
    prompt_sha256: Sha256
    tools: tuple[str, ...]
    resumed: bool = False
    answering: bool = False


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


class PermissionDenied(Fact):
    TYPE: ClassVar[str] = names.PERMISSION_DENIED
    attempt: int
    tool: str
    tool_use_id: str
    detail: str


class InactivityTimeout(Fact):
    """The agent said nothing for `silent_s` seconds and was stopped."""

    TYPE: ClassVar[str] = names.INACTIVITY_TIMEOUT
    attempt: int
    turn_index: Count
    silent_s: float = Field(ge=0)


class TurnFinished(Fact):
    """`spent` is this turn's own share of what `report` counts."""

    TYPE: ClassVar[str] = names.TURN_FINISHED
    attempt: int
    turn_index: Count
    session_id: str
    report: TurnReport
    spent: Spent = Spent()


class AttemptCommand(TaskCommand):
    """A command of the worker that holds `attempt`; of any other attempt it is stale."""

    attempt: int


class StartTurn(AttemptCommand):
    session_id: str
    executable: str
    prompt_sha256: Sha256
    tools: tuple[str, ...]
    resumed: bool = False
    answering: bool = False


class NoteAgent(AttemptCommand):
    process: ProcessIdentity


class NoteTool(AttemptCommand):
    tool: str
    tool_use_id: str
    detail: str


class FinishTurn(AttemptCommand):
    """`silent_s` is how long the agent might be silent; 0 where that was not watched."""

    report: TurnReport
    silent_s: float = 0.0


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
