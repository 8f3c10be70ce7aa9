"""queue: tasks that wait for a worker or have one; the workers drain it."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from eventstore.event import Recorded
from projections.projection import Projection, Row, by_task
from projections.standing import standing_of, told
from schemas import names
from schemas.standing import MOVES

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

SPARED: Final[Row] = {"service_deaths": 0, "death_id": None}
"""What a row says of a task that no service has died with. Else: how often in a row one ended without a
word while it held the task, with no turn of the task finished in between; and the event of the last time.
"""

PLACED: Final = frozenset({names.TASK_QUEUED, names.RETRY_REQUESTED})


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
        **SPARED,
        **IDLE,
    }


def _claimed(event: Recorded) -> dict[str, Any]:
    data = event.data
    return {
        **IDLE,
        "attempt": data["attempt"],
        "worker": data["worker"],
        "claimed_at": event.time,
        "lease_until": data["lease_until"],
        "process": data["process"],
        "cwd": data["cwd"],
    }


def _step_finished(event: Recorded) -> dict[str, Any]:
    data = event.data
    return {"snapshot": data["blob"]} if data["phase"] == "snapshot" else {}


def _died(row: Row, event: Recorded) -> Row:
    if not event.data.get("service_died"):  # an older log does not say it
        return SPARED
    return {"service_deaths": row["service_deaths"] + 1, "death_id": event.id}


def _waits(event: Recorded) -> dict[str, Any]:
    return {**IDLE, "not_before": event.data["wake_at"]}


CHANGES: Final[Mapping[str, Callable[[Recorded], dict[str, Any]]]] = {
    names.TASK_RELEASED: lambda event: {"waits_for": []},
    names.TASK_CLAIMED: _claimed,
    names.LEASE_EXTENDED: lambda event: {"lease_until": event.data["lease_until"]},
    names.STEP_FINISHED: _step_finished,
    names.TURN_STARTED: lambda event: {"session_id": event.data["session_id"], "agent_process": None},
    names.AGENT_STARTED: lambda event: {"agent_process": event.data["process"]},
    names.TURN_FINISHED: lambda event: SPARED,
    names.TASK_INTERRUPTED: lambda event: {**IDLE, "not_before": None},
    names.RETRY_SCHEDULED: _waits,
    names.QUOTA_WAIT_STARTED: _waits,
    names.CANCEL_REQUESTED: lambda event: {"cancel_requested": True},
    names.TASK_PAUSED: lambda event: {},
    names.TASK_RESUMED: lambda event: SPARED,
}
"""What an event changes, beside the status, in the row of a task that is queued or at work."""


def _apply(key: str, row: Row | None, event: Recorded) -> Row | None:
    event_type = event.type
    if event_type in PLACED:
        return _queued(key, row, event)
    if row is None or event_type in names.ENDS:
        return None
    changes = dict(CHANGES[event_type](event))
    if event_type == names.TASK_INTERRUPTED:
        changes |= _died(row, event)
    if event_type in MOVES:
        changes |= told(standing_of(row).after(event_type, event.data))
    return {**row, **changes} if changes else row


PROJECTION: Final = Projection(
    name="queue",
    version=3,
    types=frozenset(PLACED | CHANGES.keys() | names.ENDS),
    keys=by_task,
    apply=_apply,
    gone_after=names.ENDS,
)
