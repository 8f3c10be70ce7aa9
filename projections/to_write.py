"""to_write: tasks whose artifact is older than their last turn or end; the artifact writer drains it."""

from typing import Final

from eventstore.event import Recorded
from projections.projection import Projection, Row, by_task
from schemas import names


def _apply(key: str, row: Row | None, event: Recorded) -> Row | None:
    if event.type != names.ARTIFACT_WRITTEN:
        return {"task_id": key, "upto": event.global_position}
    # A receipt may be older than the newest turn: then there is still something to write.
    if row is not None and event.data["upto"] < row["upto"]:
        return row
    return None


PROJECTION: Final = Projection(
    name="to_write",
    version=1,
    types=frozenset({names.TURN_FINISHED, names.ARTIFACT_WRITTEN}) | names.ENDS,
    keys=by_task,
    apply=_apply,
)
