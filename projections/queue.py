"""queue: tasks that wait for a worker or have one; the workers drain it."""

from typing import Any, Final

from eventstore.event import Recorded
from projections.projection import Projection, Row, by_task
from projections.standing import standing_of, told
from schemas import names

RANKS: Final = {"high": 0, "medium": 1, "low": 2}

IDLE: Final[Row] = {
    "worker": None,
    "claimed_at": None,
    "lease_until": None,
    "process": None,
    "agent_process": None,
    "session_id": None,
}
"""What a row says of a task that nobody holds."""


HELD: Final = frozenset({names.TASK_PAUSED, names.TASK_RESUMED})


def _queued(key: str, row: Row | None, event: Recorded) -> Row:
    data = event.data
    standing = standing_of(row).after(event.type, data)
    return {
        "task_id": key,
        **told(standing),
        "priority": data["priority"],
        "rank": RANKS.get(data["priority"], RANKS["medium"]),
        "queued_at": event.time,
        "received_position": event.global_position,
        "waits_for": list(data["waits_for"]),
        "not_before": data["not_before"],
        "cwd": data["cwd"],
        "title": data["title"],
        "task_type": data["task_type"],
        "executor": data["executor"],
        "attempt": data.get("attempt", 0),
        "snapshot": None,
        "cancel_requested": False,
        **IDLE,
    }


def _changes(event: Recorded) -> dict[str, Any]:
    """What an event changes, beside the status, in the row of a task that is queued or at work."""
    data = event.data
    match event.type:
        case names.TASK_RELEASED:
            return {"waits_for": []}
        case names.TASK_CLAIMED:
            return {
                **IDLE,
                "attempt": data["attempt"],
                "worker": data["worker"],
                "claimed_at": event.time,
                "lease_until": data["lease_until"],
                "process": data["process"],
                "cwd": data["cwd"],
            }
        case names.LEASE_EXTENDED:
            return {"lease_until": data["lease_until"]}
        case names.STEP_FINISHED if data["phase"] == "snapshot":
            return {"snapshot": data["blob"]}
        case names.TURN_STARTED:
            return {"session_id": data["session_id"], "agent_process": None}
        case names.AGENT_STARTED:
            return {"agent_process": data["process"]}
        case names.TASK_INTERRUPTED:
            return {**IDLE, "not_before": None}
        case names.RETRY_SCHEDULED | names.QUOTA_WAIT_STARTED:
            return {**IDLE, "not_before": data["wake_at"]}
        case names.CANCEL_REQUESTED:
            return {"cancel_requested": True}
        case _:
            return {}


def _apply(key: str, row: Row | None, event: Recorded) -> Row | None:
    if event.type in (names.TASK_QUEUED, names.RETRY_REQUESTED):
        return _queued(key, row, event)
    if row is None or event.type in names.ENDS:
        return None
    standing = standing_of(row).after(event.type, event.data)
    return {**row, **_changes(event), **told(standing)}


PROJECTION: Final = Projection(
    name="queue",
    version=2,
    types=frozenset(
        {
            names.TASK_QUEUED,
            names.TASK_RELEASED,
            names.TASK_CLAIMED,
            names.STEP_FINISHED,
            names.TURN_STARTED,
            names.AGENT_STARTED,
            names.TASK_INTERRUPTED,
            names.CANCEL_REQUESTED,
            names.LEASE_EXTENDED,
            names.RETRY_SCHEDULED,
            names.QUOTA_WAIT_STARTED,
            names.RETRY_REQUESTED,
        }
    )
    | HELD
    | names.ENDS,
    keys=by_task,
    apply=_apply,
)
