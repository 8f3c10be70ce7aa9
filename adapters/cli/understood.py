"""How a wish in plain words was understood, for who has just written it."""

from collections.abc import Mapping
from typing import Any, Final

from adapters.cli.mediation_words import PARTS, said_by
from handlers.task import TaskState
from schemas.shown import quoted, shown

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


def understood_in_words(row: Mapping[str, Any]) -> list[str]:
    """Nothing for a task file: that says itself what it is."""
    if "decided" not in row:
        return []
    told = ((part, row["decided"].get(part)) for part in PARTS if part != "target_files")
    who = ", ".join(f"{LABELS.get(part, part)} {said_by(part, said)}" for part, said in told if said)
    lines = [f"  understood as {row['task_type']} {quoted(row['title'])} in {shown(row['cwd'])} ({who})"]
    lines += [
        f"  or as {other['task_type']} {quoted(other['title'])}: say so with --type {other['task_type']}"
        for other in row["alternatives"]
    ]
    mediator = row["mediator"]
    if mediator is not None and mediator["by"] == "rules":
        lines.append(f"  the local model had no part in it: {shown(str(mediator['sentence']))}")
    return lines
