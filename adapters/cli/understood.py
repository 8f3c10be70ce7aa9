"""How a wish in plain words was understood, for who has just written it."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from adapters.cli.words.mediation import ABSENT, PARTS, said_by
from handlers.task import TaskState
from schemas.shown import quoted, shown

TITLE_SHOWN: Final = 200
"""Characters: all of any title that is made here, so that none seems to end within a word."""
LABELS: Final = {"cwd": "folder"}


def understood(task: TaskState) -> dict[str, Any]:
    """What it asks for as it holds now, who said which part, and how else it could be meant."""
    spec = (task.received or {})["spec"]
    parsed = task.parsed or {}
    return {
        **{name: spec[name] for name in ("task_type", "title", "cwd")},
        "target_files": list(spec["target_files"]),
        "decided": dict(spec["decided"]),
        "alternatives": [dict(other) for other in spec["alternatives"]],
        "mediator": {name: parsed[name] for name in ("by", "model", "fallback", "sentence")}
        if parsed
        else None,
    }


def decided_by(decided: Mapping[str, str]) -> str:
    """Who said which part, in one line."""
    told = ((part, decided.get(part)) for part in PARTS if part != "target_files")
    return ", ".join(f"{LABELS.get(part, part)} {said_by(part, said)}" for part, said in told if said)


def alternatives(others: Iterable[Mapping[str, Any]]) -> list[str]:
    """How else it could be meant, and how to say so."""
    return [
        f"as {other['task_type']} {quoted(other['title'])}: say so with --type {other['task_type']}"
        for other in others
    ]


def understood_in_words(row: Mapping[str, Any]) -> list[str]:
    """Nothing for a task file: that says itself what it is."""
    if "decided" not in row:
        return []
    who = decided_by(row["decided"])
    title = quoted(row["title"], TITLE_SHOWN)
    lines = [f"  understood as {row['task_type']} {title} in {shown(row['cwd'])} ({who})"]
    lines += [f"  or {line}" for line in alternatives(row["alternatives"])]
    mediator = row["mediator"]
    if mediator is not None and mediator["by"] == "rules":
        why = (
            "none answered of late; it is optional, and `evt status` says more"
            if mediator["fallback"] in ABSENT
            else shown(str(mediator["sentence"]))
        )
        lines.append(f"  the local model had no part in it: {why}")
    return lines
