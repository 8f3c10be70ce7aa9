"""received: tasks that arrived and have no place in the queue yet; the queueing policy drains it.

A wish in plain words (`wish`) is for the mediator first: its receipt sets `parsed`, and `event_id` to that
receipt, from which the place in the queue then follows.
"""

from typing import Final

from eventstore.event import Recorded
from projections.projection import Projection, Row, by_task
from schemas import names


def _apply(key: str, row: Row | None, event: Recorded) -> Row | None:
    if event.type == names.TASK_RECEIVED:
        spec = event.data["spec"]
        return {
            "task_id": event.data["task_id"],
            "event_id": event.id,
            "wish": spec["shaped_by"] == "rules",
            "parsed": False,
        }
    if event.type == names.MEDIATION_FINISHED:
        if row is None or event.data["purpose"] != "parse":
            return row
        return {**row, "event_id": event.id, "parsed": True}
    return None


PROJECTION: Final = Projection(
    name="received",
    version=3,
    types=frozenset({names.TASK_RECEIVED, names.MEDIATION_FINISHED, names.TASK_QUEUED}) | names.ENDS,
    keys=by_task,
    apply=_apply,
)
