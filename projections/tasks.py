"""tasks: every task there ever was, and every refusal."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from eventstore.event import Recorded
from projections.projection import Projection, Row
from projections.standing import standing_of, told
from schemas import names
from schemas.file_changes import NO_CHANGES, FileChanges, measured_from
from schemas.standing import MOVES

BESIDE: Final = frozenset({names.ARTIFACT_WRITTEN, names.TASK_ARCHIVED, names.SECRET_REDACTED})
"""Receipts for files, and notes on another event: none of the task's own doing."""

TOKENS: Final = {
    "input": "input_tokens",
    "output": "output_tokens",
    "cache_read": "cache_read_tokens",
    "cache_creation": "cache_creation_tokens",
}

HELD_BACK: Final = "service_died"
"""The `reason` of a task that was paused because the service died with it."""

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
    # Most events move nothing: their bodies are not read.
    changes = CHANGES.get(event.type)
    new = {**row, **seen} if changes is None else {**row, **changes(row, event), **seen}
    if event.type in MOVES:
        new.update(told(standing_of(row).after(event.type, event.data)))
    return new


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


def _queued(row: Row, event: Recorded) -> dict[str, Any]:
    data = event.data
    return {
        "queued_at": event.time,
        "waits_for": list(data["waits_for"]),
        "not_before": data["not_before"],
        "executor": data["executor"],
        **_placed(row, data),
    }


def _placed(row: Row, data: Mapping[str, Any]) -> dict[str, Any]:
    """What holds from here on: of a wish in plain words the mediator may have said some of it."""
    told = {name: data[name] for name in ("title", "task_type", "cwd")}
    return {**told, "agent": data.get("agent") or row["agent"]}


def _asked_again(row: Row, event: Recorded) -> dict[str, Any]:
    return {**AGAIN, "queued_at": event.time, "waits_for": list(event.data["waits_for"])}


def _claimed(row: Row, event: Recorded) -> dict[str, Any]:
    data = event.data
    return {
        "attempt": data["attempt"],
        "worker": data["worker"],
        "cwd": data["cwd"],
        "claimed_at": event.time,
        "session_id": None,
        "checks": [],
    }


def _interrupted(row: Row, event: Recorded) -> dict[str, Any]:
    return {"worker": None, "claimed_at": None, "not_before": None, "sentence": event.data["reason"]}


def _paused(row: Row, event: Recorded) -> dict[str, Any]:
    """Why, where no person asked for it: who did knows the reason."""
    if event.actor != names.QUARANTINE:
        return {}
    return {"reason": HELD_BACK, "sentence": event.data["reason"]}


def _resumed(row: Row, event: Recorded) -> dict[str, Any]:
    return {"reason": None, "sentence": None} if row["reason"] == HELD_BACK else {}


def _checked(row: Row, event: Recorded) -> dict[str, Any]:
    result = event.data["result"]
    return {"checks": [*row["checks"], {name: result[name] for name in ("index", "command", "passed")}]}


def _modified(row: Row, event: Recorded) -> dict[str, Any]:
    return _files(_file_changes(row).found(event.data["files"]))


def _step_finished(row: Row, event: Recorded) -> dict[str, Any]:
    measured = measured_from(event.data)
    return {} if measured is None else _files(_file_changes(row).measured_from(measured))


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


def _waits(row: Row, event: Recorded) -> dict[str, Any]:
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


def _spent(row: Row, event: Recorded) -> dict[str, Any]:
    spent, attempt = event.data["spent"], str(event.data["attempt"])
    before = row["by_attempt"].get(attempt, 0.0)
    return {
        "cost_usd": round(row["cost_usd"] + spent["usd"], 9),
        "tokens": {name: row["tokens"][name] + spent[field] for name, field in TOKENS.items()},
        "by_attempt": {**row["by_attempt"], attempt: round(before + spent["usd"], 9)},
    }


def _ended(row: Row, event: Recorded) -> dict[str, Any]:
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


CHANGES: Final[Mapping[str, Callable[[Row, Recorded], dict[str, Any]]]] = {
    names.TASK_QUEUED: _queued,
    names.RETRY_REQUESTED: _asked_again,
    names.TASK_RELEASED: lambda row, event: {"waits_for": []},
    names.TASK_CLAIMED: _claimed,
    names.TASK_INTERRUPTED: _interrupted,
    names.RETRY_SCHEDULED: _waits,
    names.QUOTA_WAIT_STARTED: _waits,
    names.CHECK_FINISHED: _checked,
    names.TURN_STARTED: lambda row, event: {"session_id": event.data["session_id"]},
    names.FILES_MODIFIED: _modified,
    names.STEP_FINISHED: _step_finished,
    names.TURN_FINISHED: _spent,
    names.CANCEL_REQUESTED: lambda row, event: {"cancel_requested": True},
    names.TASK_PAUSED: _paused,
    names.TASK_RESUMED: _resumed,
    **dict.fromkeys(names.ENDS, _ended),
}
"""What an event changes, beside the status, in the row of a known task."""

PROJECTION: Final = Projection(
    name="tasks", version=4, types=None, keys=_keys, apply=_apply, sought=("status", "ended_at")
)
