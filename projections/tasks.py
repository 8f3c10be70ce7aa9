"""tasks: every task there ever was, and every refusal."""

from collections.abc import Mapping
from typing import Any, Final

from eventstore.event import Recorded
from projections.projection import Projection, Row
from projections.standing import standing_of, told
from schemas import names
from schemas.file_changes import NO_CHANGES, FileChanges

BESIDE: Final = frozenset({names.ARTIFACT_WRITTEN, names.TASK_ARCHIVED, names.SECRET_REDACTED})
"""Receipts for files, and notes on another event: none of the task's own doing."""

TOKENS: Final = {
    "input": "input_tokens",
    "output": "output_tokens",
    "cache_read": "cache_read_tokens",
    "cache_creation": "cache_creation_tokens",
}

UNTOUCHED: Final[Row] = {
    "queued_at": None,
    "claimed_at": None,
    "ended_at": None,
    "attempt": 0,
    "waits_for": [],
    "not_before": None,
    "session_id": None,
    "reason": None,
    "sentence": None,
    "error_class": None,
    "verified": None,
    "cost_usd": 0.0,
    "tokens": dict.fromkeys(TOKENS, 0),
    "files_modified": 0,
    "changes": None,
    "cancel_requested": False,
    "beneath": "received",
    "paused": False,
    "executor": None,
    "by_attempt": {},
    "checks": [],
    "unproved": 0,
    "worker": None,
    "parent_task_id": None,
}


AGAIN: Final[Row] = {
    "ended_at": None,
    "claimed_at": None,
    "not_before": None,
    "reason": None,
    "sentence": None,
    "error_class": None,
    "verified": None,
    "unproved": 0,
    "cancel_requested": False,
    "worker": None,
}
"""What a task that is asked for again no longer says."""


def refused_key(event: Recorded) -> str:
    return f"refused-{event.global_position}"


def _keys(event: Recorded) -> tuple[str, ...]:
    if event.type in BESIDE:
        return ()
    if event.type == names.TASK_REFUSED:
        return (refused_key(event),)
    task_id = names.task_of(event.stream)
    return () if task_id is None else (task_id,)


def _apply(key: str, row: Row | None, event: Recorded) -> Row | None:
    seen = {"last_event": event.type, "last_at": event.time}
    if event.type == names.TASK_RECEIVED:
        return {**_received(event), **seen}
    if event.type == names.TASK_REFUSED:
        return {**_refused(event), **seen}
    if row is None:
        return None
    standing = standing_of(row).after(event.type, event.data)
    return {**row, **_changes(row, event), **told(standing), **seen}


def _received(event: Recorded) -> Row:
    data = event.data
    spec = data["spec"]
    return {
        **UNTOUCHED,
        "task_id": data["task_id"],
        "status": "received",
        "title": spec["title"],
        "task_type": spec["task_type"],
        "agent": spec["agent"],
        "priority": spec["priority"],
        "cwd": spec["cwd"],
        "origin": data["origin"],
        "file_name": data["file_name"],
        "received_at": event.time,
        "not_before": spec["not_before"],
        "parent_task_id": data["parent_task_id"],
    }


def _refused(event: Recorded) -> Row:
    data = event.data
    return {
        **UNTOUCHED,
        "task_id": None,
        "status": "refused",
        "title": data["file_name"],
        "task_type": None,
        "agent": None,
        "priority": None,
        "cwd": None,
        "origin": None,
        "file_name": data["file_name"],
        "received_at": event.time,
        "ended_at": event.time,
        "beneath": "refused",
        "reason": data["code"],
        "sentence": data["reason"],
        "refused_id": data["refused_id"],
        "remedy": data["remedy"],
        "line": data["line"],
    }


def _changes(row: Row, event: Recorded) -> dict[str, Any]:
    """What an event changes in the row of a known task."""
    match event.type:
        case names.TASK_QUEUED:
            return {
                "queued_at": event.time,
                "waits_for": list(event.data["waits_for"]),
                "not_before": event.data["not_before"],
                "executor": event.data["executor"],
            }
        case names.RETRY_REQUESTED:
            return {**AGAIN, "queued_at": event.time, "waits_for": list(event.data["waits_for"])}
        case names.TASK_RELEASED:
            return {"waits_for": []}
        case names.TASK_CLAIMED:
            data = event.data
            return {
                "attempt": data["attempt"],
                "worker": data["worker"],
                "cwd": data["cwd"],
                "claimed_at": event.time,
                "session_id": None,
                "checks": [],
            }
        case names.TASK_INTERRUPTED:
            return {"worker": None, "claimed_at": None, "not_before": None, "sentence": event.data["reason"]}
        case names.RETRY_SCHEDULED | names.QUOTA_WAIT_STARTED:
            return _waits(event)
        case names.CHECK_FINISHED:
            result = event.data["result"]
            told_check = {name: result[name] for name in ("index", "command", "passed")}
            return {"checks": [*row["checks"], told_check]}
        case names.TURN_STARTED:
            return {"session_id": event.data["session_id"]}
        case names.FILES_MODIFIED:
            return _files(_file_changes(row).found(event.data["files"]))
        case names.STEP_FINISHED if event.data["phase"] == "snapshot" and event.data["blob"] is not None:
            return _files(_file_changes(row).measured_from(event.data["blob"]))
        case names.TURN_FINISHED:
            return _spent(row, event.data)
        case names.CANCEL_REQUESTED:
            return {"cancel_requested": True}
        case names.TASK_SUCCEEDED | names.TASK_FAILED | names.TASK_CANCELLED:
            return _ended(event)
        case _:
            return {}


def _file_changes(row: Row) -> FileChanges:
    kept = row["changes"]
    if kept is None:
        return NO_CHANGES
    return FileChanges(kept["snapshot"], tuple(kept["earlier"]), tuple(kept["latest"]))


def _files(changes: FileChanges) -> dict[str, Any]:
    """How many files were changed, and while the task goes on which: the next attempt's come on top."""
    kept = {
        "snapshot": changes.snapshot,
        "earlier": list(changes.earlier),
        "latest": list(changes.latest),
    }
    return {"files_modified": len(changes.current), "changes": kept}


def _waits(event: Recorded) -> dict[str, Any]:
    """Why and until when a task is not tried again yet."""
    data = event.data
    return {
        "worker": None,
        "claimed_at": None,
        "not_before": data["wake_at"],
        "sentence": data["sentence"],
        "error_class": data.get("error_class", "quota"),
        "reason": data.get("reason", "quota"),
    }


def _spent(row: Row, turn: Mapping[str, Any]) -> dict[str, Any]:
    spent, attempt = turn["spent"], str(turn["attempt"])
    before = row["by_attempt"].get(attempt, 0.0)
    return {
        "cost_usd": round(row["cost_usd"] + spent["usd"], 9),
        "tokens": {name: row["tokens"][name] + spent[field] for name, field in TOKENS.items()},
        "by_attempt": {**row["by_attempt"], attempt: round(before + spent["usd"], 9)},
    }


def _ended(event: Recorded) -> dict[str, Any]:
    data = event.data
    return {
        "ended_at": event.time,
        "waits_for": [],
        "reason": data.get("reason"),
        "sentence": data.get("sentence"),
        "error_class": data.get("error_class"),
        "verified": data.get("verified"),
        "unproved": sum(line.startswith("unproved") for line in data.get("evidence", ())),
        "not_before": None,
        "changes": None,
    }


PROJECTION: Final = Projection(name="tasks", version=3, types=None, keys=_keys, apply=_apply)
