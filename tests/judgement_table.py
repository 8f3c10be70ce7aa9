"""How a turn of the real CLI ends a task: each cause, how it is brought about, and what comes of it.

The lane's tests play every case in both versions, and tools/write_judgements.py makes the
page of it for readers.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from schemas import names
from schemas.attempt import ErrorClass
from tests.model_api import USAGE, Call, Reply

ANY_WORDS = "…"
"""In a sentence: words that differ from run to run or from version to version."""

CWD = "{cwd}"
"""In a case: the working directory's real path."""


@dataclass(frozen=True)
class Ending:
    """How the task ends; the sentence is what people read."""

    event: str
    error_class: ErrorClass = "none"
    reason: str = ""
    sentence: str = ""


@dataclass(frozen=True)
class Case:
    """One cause. Where it has two endings, they differ by version, or by chance inside the CLI."""

    token: str
    cause: str
    endings: tuple[Ending, ...]
    replies: tuple[Reply, ...] = (Reply("Done."),)
    task_type: str = "documentation"
    order: Mapping[str, Any] = field(default_factory=dict)
    prompt: str = ""
    api: Literal["answers", "refuses", "logged_in"] = "answers"
    struck_by: str = ""
    first_words: tuple[str, ...] = ()
    same_session_before: bool = False
    executable: str = ""

    @property
    def prompt_text(self) -> str:
        return self.prompt or f"Task:\n{self.token}"


def failed(error_class: ErrorClass, reason: str, sentence: str) -> Ending:
    return Ending(names.TASK_FAILED, error_class, reason, sentence)


SUCCEEDED = (Ending(names.TASK_SUCCEEDED),)


def refused(*tools: str) -> tuple[Ending, ...]:
    words = f"the agent was not permitted to use {', '.join(tools)}, and no file was modified."
    return (failed("interactive", "permission_denied", words),)


def write(path: str) -> Call:
    return Call("Write", {"file_path": path, "content": "written\n"})


def bash(command: str) -> Call:
    return Call("Bash", {"command": command})


WINDOW_USED_UP = {
    "retry-after": "3600",
    "anthropic-ratelimit-unified-status": "rejected",
    "anthropic-ratelimit-unified-reset": "4102444800",
    "anthropic-ratelimit-unified-representative-claim": "five_hour",
    "anthropic-ratelimit-unified-fallback": "unavailable",
    "anthropic-ratelimit-unified-overage-status": "rejected",
    "anthropic-ratelimit-unified-overage-disabled-reason": "org_level_disabled",
}
OVERSPENT = {**USAGE, "output_tokens": 100_000}
NO_ANSWER = "no answer from the model: API Error: "
REFUSED_FOR_NOW = "the model's service refused for now: "
NOT_ALLOWED = "the agent may not use its model: "
AN_ERROR = "the agent ended with an error: "
CUT_OFF = "the agent's answer was cut off at its model's limit: "

ANSWERED = (
    Case(
        "ZWRITES",
        "the agent edits a file and says so",
        SUCCEEDED,
        (Reply("I write it.", (write(f"{CWD}/made.txt"),)), Reply("Done: made.txt is there.")),
    ),
    Case("ZANSWERS", "the agent of a reading type gives its answer", SUCCEEDED, task_type="analyze"),
    Case(
        "ZDETOUR",
        "an edit is denied, and another is made",
        SUCCEEDED,
        (
            Reply("Outside.", (write(f"{CWD}/../outside.txt"),)),
            Reply("Inside, then.", (write(f"{CWD}/made.txt"),)),
            Reply("Done."),
        ),
    ),
    Case(
        "ZPEEKS",
        "a look is denied, and the answer is given without it",
        SUCCEEDED,
        (Reply("I look.", (Call("Read", {"file_path": f"{CWD}/.env"}),)), Reply("I could not look.")),
        order={"denied": (f"Read({CWD}/.env)",)},
    ),
    Case(
        "ZEMPTY",
        "the answer is empty",
        (failed("validation", "empty_output", "the agent ended without an answer."),),
        (Reply(""), Reply(""), Reply("")),
    ),
    Case(
        "ZCUTOFF",
        "the model's limit cuts the answer off, each time that the CLI lets it go on",
        (
            failed(
                "validation",
                "truncated_output",
                f"{CUT_OFF}API Error: Claude's response exceeded the {ANY_WORDS} token maximum.{ANY_WORDS}",
            ),
        ),
        tuple(Reply("And then", cut=True) for _ in range(6)),
        task_type="analyze",
    ),
    Case(
        "ZMENDED",
        "the model's limit cuts the answer off once, and the CLI lets it go on",
        SUCCEEDED,
        (Reply("And then", cut=True), Reply("all was well.")),
        task_type="analyze",
    ),
    Case(
        "ZCLEAR",
        "the prompt is a command of the CLI (no prompt of ours begins with `/`)",
        (failed("fatal", "no_turns", "the agent ended without asking its model anything."),),
        prompt="/clear",
    ),
)

DENIED = (
    Case(
        "ZOUTSIDE",
        "an edit outside the working directory is denied, and the agent says that it is done",
        refused("Write"),
        (Reply("I write it.", (write(f"{CWD}/../outside.txt"),)), Reply("Done, I wrote it.")),
    ),
    Case(
        "ZFORBIDDEN",
        "an edit is stopped by a rule, and the agent says that it is done",
        refused("Write"),
        (Reply("I write it.", (write(f"{CWD}/tasks/new.task.md"),)), Reply("Done, I wrote it.")),
        order={"denied": (f"Edit({CWD}/tasks/**)",)},
    ),
    Case(
        "ZUNOFFERED",
        "the agent calls tools that its task's type does not offer, and says that it is done",
        refused("Bash", "Write"),
        (
            Reply("I write it.", (write(f"{CWD}/made.txt"), bash("touch made.txt"))),
            Reply("Done, I wrote it."),
        ),
        task_type="analyze",
    ),
)

SERVICE = (
    Case(
        "ZE500",
        "the service answers 500",
        (failed("network", "overloaded", f"{NO_ANSWER}500 scripted{ANY_WORDS}"),),
        (Reply(status=500),),
    ),
    Case(
        "ZE529",
        "the service answers 529",
        (failed("network", "overloaded", f"{NO_ANSWER}Repeated 529 Overloaded errors{ANY_WORDS}"),),
        (Reply(status=529),),
    ),
    Case(
        "ZREFUSES",
        "the connection is refused",
        (
            failed("network", "unreachable", f"{NO_ANSWER}Unable to connect to API (ConnectionRefused)"),
            failed("network", "unreachable", f"{NO_ANSWER}Connection refused {ANY_WORDS} (ECONNREFUSED)"),
        ),
        api="refuses",
    ),
    Case(
        "ZE429",
        "the service answers 429",
        (
            failed(
                "rate_limit",
                "rate_limit",
                f"{REFUSED_FOR_NOW}API Error: Request rejected (429) · scripted",
            ),
        ),
        (Reply(status=429, headers={"retry-after": "1"}),),
    ),
    Case(
        "ZWINDOW",
        "the window of a subscription is used up",
        (
            failed(
                "rate_limit",
                "rate_limit",
                f"{REFUSED_FOR_NOW}You've hit your {ANY_WORDS} limit · resets {ANY_WORDS}",
            ),
        ),
        (Reply(status=429, headers=WINDOW_USED_UP),),
        api="logged_in",
    ),
    Case(
        "ZE401",
        "the service answers 401",
        (
            failed(
                "auth",
                "authentication_failed",
                f"{NOT_ALLOWED}Failed to authenticate. API Error: 401 scripted",
            ),
        ),
        (Reply(status=401),),
    ),
    Case(
        "ZCREDIT",
        "the account has no credit left",
        (failed("auth", "billing_error", f"{NOT_ALLOWED}Credit balance is too low"),),
        (Reply(status=400, message="Your credit balance is too low to access the Anthropic API."),),
    ),
    Case(
        "ZTOOLONG",
        "the prompt is too long for the model",
        (failed("fatal", "invalid_request", f"{AN_ERROR}Prompt is too long · {ANY_WORDS}"),),
        (Reply(status=400, message="prompt is too long: 250000 tokens > 200000 maximum"),),
    ),
    Case(
        "ZNOMODEL",
        "the service does not know the model",
        (
            failed(
                "fatal",
                "model_not_found",
                f"{AN_ERROR}There's an issue with the selected model ({ANY_WORDS}).{ANY_WORDS}",
            ),
        ),
        (Reply(status=404, message="model: no-such-model"),),
    ),
)

LIMITS = (
    Case(
        "ZTURNS",
        "the turns are used up",
        (
            failed(
                "turn_cap",
                "max_turns",
                "the agent used up its turns: Reached maximum number of turns (2)",
            ),
        ),
        tuple(Reply("And on.", (bash("true"),)) for _ in range(4)),
        task_type="bug_fix",
        order={"max_turns": 2},
    ),
    Case(
        "ZBUDGET",
        "the budget is used up",
        (failed("budget", "max_budget", "the agent used up its budget: Reached maximum budget ($0.05)"),),
        tuple(Reply("And on.", (bash("true"),), usage=OVERSPENT) for _ in range(4)),
        task_type="bug_fix",
        order={"max_budget_usd": 0.05},
    ),
    Case(
        "ZSILENT",
        "the service keeps silent until the time is over",
        (failed("timeout", "timeout", f"the agent was stopped after {ANY_WORDS} s, its time limit."),),
        (Reply(silence="at_once"),),
        order={"timeout_s": 3.0},
    ),
)

PROCESS = (
    Case(
        "ZSIGINT",
        "the agent gets a SIGINT while it works (with code 0, and not always with a last line)",
        (
            failed("fatal", "error_during_execution", "the agent was interrupted before it was done."),
            failed("fatal", "no_result", "the agent ended well but never printed a result."),
        ),
        (Reply("I begin", silence="midway"),),
        struck_by="SIGINT",
    ),
    Case(
        "ZSIGTERM",
        "the agent gets a SIGTERM while it works",
        (failed("fatal", "terminated", "the agent was told to stop (SIGTERM) before it answered."),),
        (Reply("I begin", silence="midway"),),
        struck_by="SIGTERM",
    ),
    Case(
        "ZSIGKILL",
        "the agent gets a SIGKILL while it works",
        (failed("fatal", "oom_or_killed", "the agent was killed before it answered (out of memory?)."),),
        (Reply("I begin", silence="midway"),),
        struck_by="SIGKILL",
    ),
    Case(
        "ZFLAG",
        "the CLI does not know a flag",
        (
            failed(
                "fatal",
                "cli_error",
                "the agent ended with exit code 1: error: unknown option '--no-such-flag'",
            ),
        ),
        first_words=("--no-such-flag",),
    ),
    Case(
        "ZUNKNOWN",
        "the session that it should go on with is not there",
        (
            failed(
                "fatal",
                "error_during_execution",
                f"{AN_ERROR}No conversation found with session ID: 00000000-0000-4000-8000-000000000000",
            ),
        ),
        first_words=("--resume=00000000-0000-4000-8000-000000000000", "--fork-session"),
    ),
    Case(
        "ZTAKEN",
        "its session's id has been used before",
        (
            failed(
                "fatal",
                "cli_error",
                f"the agent ended with exit code 1: Error: Session ID {ANY_WORDS} is already in use.",
            ),
        ),
        same_session_before=True,
    ),
    Case(
        "ZNOBODY",
        "the agent's program is not there",
        (
            failed(
                "fatal",
                "agent_not_started",
                "The agent's program 'no-such-claude' was not found; set CLAUDE_EXECUTABLE to its full path.",
            ),
        ),
        executable="no-such-claude",
    ),
)

GROUPS: Mapping[str, tuple[Case, ...]] = {
    "The agent answered": ANSWERED,
    "It was not permitted": DENIED,
    "The model's service": SERVICE,
    "Our limits": LIMITS,
    "The process": PROCESS,
}
CASES = tuple(case for group in GROUPS.values() for case in group)
