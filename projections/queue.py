"""queue: tasks that wait for a worker or have one; the workers drain it."""

from typing import Any, Final

from eventstore.event import Recorded
from projections.projection import Projection, Row, by_task
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


def _queued(key: str, event: Recorded) -> Row:
    data = event.data
    return {
        "task_id": key,
        "status": "waiting_dependency" if data["waits_for"] else "queued",
        "priority": data["priority"],
        "rank": RANKS.get(data["priority"], RANKS["medium"]),
        "queued_at": event.time,
        "received_position": event.global_position,
        "waits_for": list(data["waits_for"]),
        "not_before": data["not_before"],
        "cwd": data["cwd"],
        "title": data["title"],
        "task_type": data["task_type"],
        "attempt": 0,
        "snapshot": None,
        "cancel_requested": False,
        **IDLE,
    }


def _changes(event: Recorded) -> dict[str, Any] | None:
    """What an event changes in the row of a task that is queued or at work."""
    match event.type:
        case names.TASK_RELEASED:
            return {"status": "queued", "waits_for": []}
        case names.TASK_CLAIMED:
            data = event.data
            return {
                **IDLE,
                "status": "running",
                "attempt": data["attempt"],
                "worker": data["worker"],
                "claimed_at": event.time,
                "lease_until": data["lease_until"],
                "process": data["process"],
                "cwd": data["cwd"],
            }
        case names.STEP_FINISHED if event.data["phase"] == "snapshot":
            return {"snapshot": event.data["blob"]}
        case names.TURN_STARTED:
            return {"session_id": event.data["session_id"], "agent_process": None}
        case names.AGENT_STARTED:
            return {"agent_process": event.data["process"]}
        case names.TASK_INTERRUPTED:
            return {**IDLE, "status": "queued"}
        case names.CANCEL_REQUESTED:
            return {"cancel_requested": True}
        case _:
            return None


def _apply(key: str, row: Row | None, event: Recorded) -> Row | None:
    if event.type == names.TASK_QUEUED:
        return _queued(key, event)
    if row is None or event.type in names.ENDS:
        return None
    changes = _changes(event)
    return row if changes is None else {**row, **changes}


PROJECTION: Final = Projection(
    name="queue",
    version=1,
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
        }
    )
    | names.ENDS,
    keys=by_task,
    apply=_apply,
)
