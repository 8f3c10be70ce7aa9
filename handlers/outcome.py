"""Judge a turn by what it left behind: the result line and the files, never the exit code alone."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from handlers.session import looks_like_a_question
from schemas.attempt import ErrorClass, Verified
from schemas.turn import TurnReport

EDITING = frozenset({"Edit", "Write", "NotebookEdit", "Bash"})
CLAIM_LIMIT = 4_000
DEATHS = frozenset({"terminated", "oom_or_killed", "crashed"})
"""Reasons that tell of the agent's death, not of its work."""
CRASHES = frozenset({132, 134, 135, 136, 139})
"""128 and the number of SIGILL, SIGABRT, SIGBUS, SIGFPE or SIGSEGV: so a shell passes them on."""
FOLDER = "The working directory "
"""So begins the note of an agent that was not started for want of its folder."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a task ends. `reason` is the finer word under `error_class`, `sentence` is for people."""

    kind: Literal["succeeded", "failed"]
    error_class: ErrorClass = "none"
    reason: str = ""
    sentence: str = ""
    claimed: str = ""
    evidence: tuple[str, ...] = ()
    suggested: tuple[str, ...] = ()
    verified: Verified = "unchecked"


def judge(report: TurnReport, files: Sequence[str]) -> Verdict:
    """Succeeded only with a whole, errorless result line; a denied edit without any edit is none."""
    evidence = _evidence(report, files)
    claimed = report.result_text[:CLAIM_LIMIT]
    error, reason, sentence, suggested = _fault(report, files)
    if error == "none":
        return Verdict("succeeded", claimed=claimed, evidence=evidence)
    return Verdict("failed", error, reason, sentence, claimed, evidence, suggested)


_Fault = tuple[ErrorClass, str, str, tuple[str, ...]]


def _fault(report: TurnReport, files: Sequence[str]) -> _Fault:
    if (early := _never_answered(report)) is not None:
        return early
    if (told := _told_error(report)) is not None:
        return told
    if report.deferred:
        return (
            "interactive",
            "tool_deferred",
            "the agent waits for an approval that nobody can give here.",
            ("Say in the prompt what it may do, and add the task again.",),
        )
    if report.num_turns == 0:
        return "fatal", "no_turns", "the agent ended without asking its model anything.", ()
    if not report.result_text.strip() and not report.has_structured_output:
        return (
            "validation",
            "empty_output",
            "the agent ended without an answer.",
            ("Say in the prompt what the answer should hold, then `evt retry` the task.",),
        )
    refused = sorted({denial.tool for denial in report.denials if denial.tool in EDITING})
    if refused and not files:
        return (
            "interactive",
            "permission_denied",
            f"the agent was not permitted to use {', '.join(refused)}, and no file was modified.",
            ("Choose a type that may edit (`bug_fix`, `documentation`), or a `cwd` that it may write to.",),
        )
    return "none", "", "", ()


def _never_answered(report: TurnReport) -> _Fault | None:
    if report.ended == "not_started":
        note = report.note or "the agent could not be started."
        if note.startswith(FOLDER):
            return "fatal", "cwd_lost", note, ("Find out who moved it, then add the task again.",)
        return "fatal", "agent_not_started", note, ("Check CLAUDE_EXECUTABLE in the home's .env.",)
    if report.ended == "timeout":
        return (
            "timeout",
            "timeout",
            f"the agent was stopped after {report.elapsed_ms / 1000:.0f} s, its time limit.",
            ("Raise `timeout_sec` in the task file, or make the task smaller.",),
        )
    if report.ended == "inactivity":
        return (
            "inactivity",
            "inactivity",
            f"the agent fell silent and was stopped after {report.elapsed_ms / 1000:.0f} s.",
            ("Raise CLAUDE_INACTIVITY_SEC if its tools may be silent for so long.",),
        )
    if report.has_result:
        return None
    if report.exit_code in (143, -15):
        return "fatal", "terminated", "the agent was told to stop (SIGTERM) before it answered.", ()
    if report.exit_code in (137, -9):
        return "fatal", "oom_or_killed", "the agent was killed before it answered (out of memory?).", ()
    if report.exit_code is not None and (report.exit_code < 0 or report.exit_code in CRASHES):
        number = abs(report.exit_code) if report.exit_code < 0 else report.exit_code - 128
        return "fatal", "crashed", f"the agent crashed (signal {number}) before it answered.", ()
    if report.exit_code == 0:
        return "fatal", "no_result", "the agent ended well but never printed a result.", ()
    said = report.stderr.tail.strip().splitlines()
    last = f": {said[-1]}" if said else "."
    return "fatal", "cli_error", f"the agent ended with exit code {report.exit_code}{last}", ()


_OVERLOADED = re.compile(r"^API Error\b.*\b529\b")
_OFFLINE = (
    "Unable to connect",
    "Request timed out",
    "Connection refused",
    "Can't reach the API server",
    "No internet route",
    "Couldn't connect through your proxy",
    "Connection dropped",
)
_ABORTED = frozenset({"aborted_streaming", "aborted_tools"})
_AUTH = frozenset({"authentication_failed", "oauth_org_not_allowed", "billing_error"})
_CREDENTIALS = ("Look at the agent's own login: `claude auth status`.",)


def _told_error(report: TurnReport) -> _Fault | None:
    """What the result line, or the line before it, says went wrong."""
    status, error = report.api_error_status, report.assistant_error
    failed = report.is_error or status is not None or report.subtype != "success"
    finer = error or _finer_word(report)
    said = report.result_text.strip() or "; ".join(report.errors) or finer
    if report.subtype == "error_max_turns":
        return "turn_cap", "max_turns", f"the agent used up its turns: {said}", ("Raise `max_turns`.",)
    if report.subtype == "error_max_budget_usd":
        return "budget", "max_budget", f"the agent used up its budget: {said}", ("Raise `max_budget_usd`.",)
    # A window that is used up may be one the turn was then paid for without: that alone is no fault.
    if status == 429 or error == "rate_limit" or (report.rate_limit_rejected and failed):
        return (
            "rate_limit",
            "rate_limit",
            f"the model's service refused for now: {said}",
            ("Try again later.",),
        )
    if status in (401, 403) or error in _AUTH:
        return (
            "auth",
            error or "authentication_failed",
            f"the agent may not use its model: {said}",
            _CREDENTIALS,
        )
    if report.answer_cut:
        told = f": {said}" if report.is_error else "."
        return (
            "validation",
            "truncated_output",
            f"the agent's answer was cut off at its model's limit{told}",
            ("Make the task smaller, or ask for a shorter answer, then `evt retry` the task.",),
        )
    if not failed:
        return None
    # Without a status the text is all there is: the connection never came about, or too often.
    offline = status is None and any(words in said for words in _OFFLINE)
    overloaded = _OVERLOADED.search(said) is not None if status is None else status >= 500
    if offline or overloaded or error in ("overloaded", "server_error"):
        return "network", "unreachable" if offline else "overloaded", f"no answer from the model: {said}", ()
    if report.terminal_reason in _ABORTED:
        return "fatal", finer, "the agent was interrupted before it was done.", ()
    return "fatal", finer, f"the agent ended with an error: {said}", ()


def _finer_word(report: TurnReport) -> str:
    """What the result line calls its trouble: its subtype may say `success` of an error."""
    words = (report.subtype, report.terminal_reason)
    return next((word for word in words if word not in (None, "success", "completed")), None) or "agent_error"


def _evidence(report: TurnReport, files: Sequence[str]) -> tuple[str, ...]:
    found = [f"ended: {report.ended}, exit code {report.exit_code}"]
    found.append(f"files modified: {len(files)}" if files else "no file was modified")
    if report.note:
        found.append(report.note)
    found += [f"denied: {denial.tool} {denial.detail}".rstrip() for denial in report.denials]
    if (question := looks_like_a_question(report.result_text)) is not None:
        found.append(f"it seems to ask: {question}")
    if report.unparsed_lines or report.unknown_lines:
        found.append(f"{report.unparsed_lines} lines unparsed, {report.unknown_lines} of an unknown type")
    return tuple(found)
