"""What was measured of an attempt, as a task's files and pages tell it."""

from collections.abc import Mapping, Sequence
from typing import Any

from eventstore.event import Recorded
from projections.projection import Row
from schemas import names

UNKNOWN: Row = {"valid": None, "similarity": None, "entropy": None, "issues": []}
"""Of what nobody measured."""


def validity(judged: Mapping[str, Any] | None) -> Row:
    """One of the two halves of `validation` in the artifact."""
    if judged is None:
        return {**UNKNOWN, "issues": []}
    return {
        **{name: judged[name] for name in ("valid", "similarity", "entropy")},
        "issues": [issue_in_words(issue) for issue in judged["issues"]],
    }


def latest(events: Sequence[Recorded]) -> Mapping[str, Any] | None:
    """What was measured of a task's last attempt, also where that is tried again; None until it is judged,
    and where the task was asked for again and ended without another attempt.
    """
    found, unbegun = None, False
    for event in events:
        if event.type == names.TASK_CLAIMED:
            found, unbegun = None, False
        elif event.type == names.RETRY_REQUESTED:
            unbegun = True
        elif event.type == names.VALIDATED:
            found = event.data
        elif unbegun and event.type in names.ENDS:
            found = None
    return found


def issue_in_words(issue: Mapping[str, Any]) -> str:
    """Its code before the first colon, for programs; the sentence and what it was measured on."""
    return f"{issue['code']}: {issue['sentence'].removesuffix('.')} ({issue['measured']})"


def issues(validated: Mapping[str, Any] | None, *, deciding: bool) -> list[str]:
    """All that decided, or all that is only a signal; of the mediator's prompt first."""
    halves = (validated["llama"], validated["result"]) if validated is not None else ()
    found = [issue for judged in halves if judged is not None for issue in judged["issues"]]
    return [issue_in_words(issue) for issue in found if bool(issue["decides"]) == deciding]


def measures(validated: Mapping[str, Any] | None) -> str:
    """The figures with their thresholds; empty where none was taken."""
    if validated is None:
        return ""
    shaped, result = validated["llama"] or UNKNOWN, validated["result"]
    told = (
        ("similarity of the mediator's prompt", shaped["similarity"], validated["similarity_threshold"]),
        ("entropy of the answer", result["entropy"], validated["entropy_threshold"]),
    )
    return ", ".join(
        f"{name} {found:.2f} (threshold {threshold:.2f})"
        for name, found, threshold in told
        if found is not None
    )
