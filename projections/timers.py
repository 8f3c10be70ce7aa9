"""timers: moments that somebody waits for; the timers' automation wakes the workers at them."""

from typing import Final

from eventstore.event import Recorded
from projections.projection import Projection, Row, by_task
from schemas import names


def _apply(key: str, row: Row | None, event: Recorded) -> Row | None:
    """`wake_at` is in microseconds since 1970."""
    if event.type == names.TASK_QUEUED and event.data["not_before"] is not None:
        return {"task_id": key, "kind": "not_before", "wake_at": event.data["not_before"]}
    return None


PROJECTION: Final = Projection(
    name="timers",
    version=1,
    types=frozenset({names.TASK_QUEUED, names.TASK_CLAIMED}) | names.ENDS,
    keys=by_task,
    apply=_apply,
)
