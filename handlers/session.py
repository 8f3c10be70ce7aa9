"""What a turn tells about its session: that the CLI has lost it, or that its agent waits for an answer."""

import re
from typing import Final

from schemas.turn import TurnReport

LINE_LIMIT: Final = 200
_LOST = "No conversation found with session ID"
_LAST_LINES = 5
# What stands between two words has a bound, so that no text can make the search slow.
_QUESTIONS = re.compile(
    r"""
      [\[(] \s? y (?:es)? \s? / \s? n (?:o)? \s? [\])]
    | \b press \s+ (?: y | enter | return | any \s key | a \s key | esc ) \b
    | \b do \s you \s (?: trust | want \s (?:me | to) | wish | approve | agree | allow | consent ) \b
    | \b waiting \s for \s (?: your \s | the \s user | user \s | an? \s | human \s )? .{0,40}?
      \b (?: approval | confirmation | permission | input | answer | reply | response | go-ahead )
    | \b (?: should | shall | may | can | could ) \s I \b [^?]{0,150} \?
    | \b would \s you \s like \b [^?]{0,150} \?
    | \b permissions? \s to \b
    | \b please \s (?: confirm | approve | grant | allow | answer | reply | choose | let \s me \s know )
    | \b (?: proceed | continue | go \s ahead | go \s on ) \s? \?
    """,
    re.IGNORECASE | re.VERBOSE,
)


def session_lost(report: TurnReport) -> bool:
    """Whether the CLI knows nothing of the session that was to go on: begin a new one.

    It says so on stderr, and as a stream it gives a result of no turns with that error.
    """
    if report.exit_code != 1 or report.num_turns > 0:
        return False
    if report.has_result:
        return any(error.startswith(_LOST) for error in report.errors)
    return _LOST in report.stderr.head or _LOST in report.stderr.tail


_TO_SOMEBODY = re.compile(
    r"\b (?: you | your | I | we ) \b | [\[(] \s? y (?:es)? \s? / ", re.IGNORECASE | re.VERBOSE
)
_CHOICE = re.compile(r"[\[(] y (?:es)? / n (?:o)? [\])] :? \Z", re.IGNORECASE | re.VERBOSE)
_MARKS = " \t*_`>\"'"


def asks_outright(text: str) -> str | None:
    """The last line of an agent's text, if it is a question put to somebody; at most 200 characters.

    Another turn is paid for by this word, so that it must be one: a report that speaks of permissions, or of
    a program that waits for a key, asks nothing.
    """
    lines = [line.strip() for line in text[-2_000:].splitlines() if line.strip(_MARKS)]
    last = lines[-1].strip(_MARKS) if lines else ""
    if not (last.endswith("?") or _CHOICE.search(last)):
        return None
    return last[-LINE_LIMIT:] if _TO_SOMEBODY.search(last) else None


def looks_like_a_question(text: str) -> str | None:
    """The line near the end of an agent's text that asks for an answer; at most 200 characters.

    Evidence only: many a finished agent asks politely, and nothing may fail for it.
    """
    lines = [line.strip() for line in text[-_LAST_LINES * 2_000 :].splitlines() if line.strip()]
    for line in reversed(lines[-_LAST_LINES:]):
        if (found := _QUESTIONS.search(line)) is not None:
            start = max(0, min(found.start(), len(line) - LINE_LIMIT))
            return line[start : start + LINE_LIMIT].strip()
    return None
