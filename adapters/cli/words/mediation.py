"""What the local model had a hand in, in words: its calls, and who decided which part of a wish."""

from collections.abc import Mapping, Sequence
from typing import Final

from adapters.cli.moments import ago, span
from adapters.cli.words.telling import Data, Telling
from eventstore.event import Recorded
from schemas import names
from schemas.shown import shown

PURPOSES: Final[Mapping[str, str]] = {
    "parse": "understand the wish",
    "shape": "put the wish in order",
    "summary": "tell the result shorter",
    "answer": "answer the agent's question",
    "commit_message": "write the commit's message",
}
PARTS: Final = ("type", "title", "cwd", "target_files")
BY_RULES: Final[Mapping[str, str]] = {"title": "from its one line"}
SAID_BY: Final[Mapping[str, str]] = {
    "author": "as you said",
    "rules": "by a word of the text",
    "model": "by the local model",
    "default": "by default",
}

ABSENT: Final[Mapping[str, str]] = {
    "unreachable": "no local model answers",
    "resting": "none has answered of late",
}
"""Why no question was answered where no local model may be wanted at all."""


def _started(data: Data) -> str:
    left_out = f", {data['left_out']} characters left out" if data["left_out"] else ""
    return f"{data['model']} is asked to {PURPOSES[data['purpose']]}{left_out}"


def _finished(data: Data) -> str:
    purpose = PURPOSES[data["purpose"]]
    if data["by"] == "rules":
        # That nobody is there is no fault of a task: `evt status` tells the sentence, once.
        if data["fallback"] in ABSENT:
            return f"to {purpose}: by rules, {ABSENT[data['fallback']]}"
        return f"to {purpose}: by rules, {data['fallback']}: {data['sentence']}"
    took = span(data["elapsed_ms"] * 1000)
    tokens = "" if data["output_tokens"] is None else f", {data['output_tokens']} tokens"
    dropped = f"; not taken: {' '.join(data['dropped'])}" if data["dropped"] else ""
    return f"to {purpose}: {data['model']} in {took}{tokens}{dropped}"


MEDIATION: Final[Mapping[str, Telling]] = {
    names.MEDIATION_STARTED: Telling("magenta", _started),
    names.MEDIATION_FINISHED: Telling("magenta", _finished),
    names.SUMMARIZED: Telling("magenta", lambda data: f"by {data['by']}: {data['text']}"),
}


def said_by(part: str, said: str) -> str:
    """Who decided a part of a wish."""
    return BY_RULES.get(part, SAID_BY[said]) if said == "rules" else SAID_BY[said]


def model_in_words(row: Data, at: int) -> str:
    """How the local model has answered of late."""
    told = f"{shown(row['model'])}, {row['answered']} of {row['asked']} questions answered"
    if row["answered_at"] is not None:
        told += f", last {ago(row['answered_at'], at)}"
    if row["fallback"] is not None:
        told += (
            f"; by rules since: {shown(row['sentence'])}" if row["failures"] else f"; then {row['fallback']}"
        )
        # Who never wanted one reads here that nothing is amiss.
        told += (
            " It is optional: LLAMA_MODEL= in the home's .env switches it off."
            if row["fallback"] == "unreachable"
            else ""
        )
    return told


def decided_in_words(events: Sequence[Recorded]) -> list[str]:
    """A line for each part of a wish in plain words: what it is, and who said so. Nothing for a task file."""
    queued = next((event.data for event in events if event.type == names.TASK_QUEUED), None)
    received = next((event.data for event in events if event.type == names.TASK_RECEIVED), None)
    if received is None:
        return []
    spec = received["spec"]
    decided = (queued or spec).get("decided") or {}
    told = {
        "type": (queued or spec)["task_type"],
        "title": (queued or spec)["title"],
        "cwd": (queued or spec)["cwd"],
        "target_files": ", ".join((queued or {}).get("target_files") or spec["target_files"]) or "none named",
    }
    return [
        f"{part.replace('_', ' ')}: {told[part]} ({said_by(part, decided[part])})"
        for part in PARTS
        if part in decided
    ]


def mediated_in_words(events: Sequence[Recorded]) -> list[str]:
    """A line for each call of the model, as it ended."""
    return [_finished(event.data) for event in events if event.type == names.MEDIATION_FINISHED]


def alternatives_in_words(events: Sequence[Recorded]) -> list[str]:
    """The other ways to understand an ambiguous wish, and how to choose one of them."""
    queued = next((event.data for event in events if event.type == names.TASK_QUEUED), {})
    return [
        f"{other['task_type']}: {other['title']} (`evt add --type {other['task_type']} …`)"
        for other in queued.get("alternatives") or ()
    ]
