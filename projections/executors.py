"""executors: what holds tasks up together, a row for each executor, and `*` for what concerns them all.

A row counts the attempts in a row that the executor failed, not the task; from three on its circuit
is to be opened (`due`: the policy that breaks circuits drains that), and the first answer closes it.
`disk` is set while the disk is low: then nothing is begun.
"""

from collections.abc import Mapping
from typing import Any, Final

from eventstore.event import Recorded
from projections.projection import Projection, Row
from schemas import names

EVERY: Final = "*"
FAILED_BY_EXECUTOR: Final = frozenset({"network", "auth", "rate_limit"})
TELLS_NOTHING: Final = frozenset({"worker_lost", "quota"})
"""Ends without an answer that are no failure of the executor either."""
LIFTING: Final = frozenset({"waiting_quota", "cancelled"})
"""Whoever asks for a task that was so wants it begun though a quota is waited for."""
BROKEN: Final = frozenset({"agent_not_started", "cli_error", "no_result"})
"""Reasons that tell of a program that cannot do its work (a wrong version, a banner), not of the task."""

FRESH: Final[Row] = {
    "paused": False,
    "paused_by": None,
    "pause_reason": None,
    "disk": None,
    "wait_until": None,
    "why": None,
    "sentence": None,
    "day": None,
    "failures": 0,
    "error_class": None,
    "failure": None,
    "opened": 0,
    "due": None,
    "event_id": None,
}

_SHARED: Final = frozenset(
    {
        names.QUEUE_PAUSED,
        names.QUEUE_RESUMED,
        names.DAILY_BUDGET_REACHED,
        names.DAILY_BUDGET_LIFTED,
        names.DISK_LOW,
        names.DISK_RESTORED,
    }
)


def _keys(event: Recorded) -> tuple[str, ...]:
    if event.type in _SHARED:
        return (EVERY,)
    executor = event.data["executor"]
    return () if executor is None else (str(executor),)


def _apply(key: str, row: Row | None, event: Recorded) -> Row | None:
    before = {"executor": key, **FRESH} if row is None else row
    changes = _changes(before, event)
    if row is None and not changes:
        return None
    return {**before, **changes}


def _changes(row: Row, event: Recorded) -> dict[str, Any]:
    data = event.data
    match event.type:
        case names.QUEUE_PAUSED:
            return {"paused": True, "paused_by": event.actor, "pause_reason": data["reason"]}
        case names.QUEUE_RESUMED:
            return {"paused": False, "paused_by": None, "pause_reason": None}
        case names.DISK_LOW:
            room = {name: data[name] for name in ("path", "free_bytes", "reserve_bytes")}
            return {"disk": {**room, "since": event.time}}
        case names.DISK_RESTORED:
            return {"disk": None}
        case names.DAILY_BUDGET_REACHED:
            said = f"{data['spent_usd']:.2f} of {data['budget_usd']:.2f} USD are spent on {data['day']}"
            return {
                "wait_until": data["wake_at"],
                "why": "daily_budget",
                "sentence": said,
                "day": data["day"],
            }
        case names.DAILY_BUDGET_LIFTED:
            return {"wait_until": None, "why": None, "sentence": None}
        case names.QUOTA_WAIT_STARTED:
            return {**_answered(row, event), **_quota(row, data)}
        case names.RETRY_REQUESTED:
            # One that was cancelled counts as well: it may be the one that met the quota.
            return _lifted() if data["was"] in LIFTING and row["why"] == "quota" else {}
        case names.CIRCUIT_OPENED:
            return {**_circuit(row, data), "opened": row["opened"] + 1, "due": None}
        case names.CIRCUIT_CLOSED:
            lifted = _lifted() if row["why"] == "circuit" else {}
            return {**lifted, "opened": 0, "due": None}
        case names.TASK_FAILED | names.RETRY_SCHEDULED:
            return _failed(row, event)
        case names.TASK_SUCCEEDED:
            return _answered(row, event)
        case _:
            return {}


def _lifted() -> dict[str, Any]:
    return {"wait_until": None, "why": None, "sentence": None}


def _quota(row: Row, data: Mapping[str, Any]) -> dict[str, Any]:
    """The latest of several resets holds; a refusal is an answer, so that no circuit waits any more."""
    before = row["wait_until"] if row["why"] == "quota" else 0
    return {"wait_until": max(data["wake_at"], before), "why": "quota", "sentence": data["sentence"]}


def _circuit(row: Row, data: Mapping[str, Any]) -> dict[str, Any]:
    if row["why"] == "quota" and row["wait_until"] > data["wake_at"]:
        return {}  # nothing would be gained by trying before the quota is there again
    return {"wait_until": data["wake_at"], "why": "circuit", "sentence": data["sentence"]}


def _failed(row: Row, event: Recorded) -> dict[str, Any]:
    data = event.data
    if data["error_class"] in TELLS_NOTHING:
        return {}
    if data["error_class"] not in FAILED_BY_EXECUTOR and data["reason"] not in BROKEN:
        return _answered(row, event)
    failures = row["failures"] + 1
    return {
        "failures": failures,
        "error_class": data["error_class"],
        "failure": data["sentence"],
        "due": "open" if failures >= names.CIRCUIT_FAILURES and not _rests(row, event) else row["due"],
        "event_id": event.id,
    }


def _rests(row: Row, event: Recorded) -> bool:
    """Its circuit is open already: what fails now had been begun before that, and tells nothing new."""
    return row["why"] == "circuit" and (row["wait_until"] or 0) > event.time


def _answered(row: Row, event: Recorded) -> dict[str, Any]:
    """Whatever became of the task, its executor worked."""
    if not row["failures"] and not row["opened"]:
        return {}
    return {"failures": 0, "due": "close" if row["opened"] else None, "event_id": event.id}


PROJECTION: Final = Projection(
    name="executors",
    version=4,
    types=_SHARED
    | {
        names.QUOTA_WAIT_STARTED,
        names.RETRY_REQUESTED,
        names.CIRCUIT_OPENED,
        names.CIRCUIT_CLOSED,
        names.TASK_FAILED,
        names.TASK_SUCCEEDED,
        names.RETRY_SCHEDULED,
    },
    keys=_keys,
    apply=_apply,
)
