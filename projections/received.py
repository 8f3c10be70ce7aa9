"""received: tasks that arrived and have no place in the queue yet; the queueing policy drains it."""

from typing import Final

from eventstore.event import Recorded
from projections.projection import Projection, Row, by_task
from schemas import names


def _apply(key: str, row: Row | None, event: Recorded) -> Row | None:
    if event.type == names.TASK_RECEIVED:
        return {"task_id": event.data["task_id"], "event_id": event.id}
    return None


PROJECTION: Final = Projection(
    name="received",
    version=2,
    types=frozenset({names.TASK_RECEIVED, names.TASK_QUEUED}) | names.ENDS,
    keys=by_task,
    apply=_apply,
)
