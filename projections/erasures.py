"""erasures: what was erased from the log; `pending` rows are not carried out everywhere yet.

The key is the global position of the erased event as text; `leaf` is the hash of its line as it
was appended, `before` that of the line which the latest erasure replaces.
"""

from typing import Final

from eventstore.event import Recorded
from projections.projection import Projection, Row
from schemas import names


def _keys(event: Recorded) -> tuple[str, ...]:
    return (str(event.data["position"]),)


def _apply(key: str, row: Row | None, event: Recorded) -> Row | None:
    if event.type == names.ERASURE_FINISHED:
        return None if row is None else {**row, "pending": False, "files": list(event.data["files"])}
    data = event.data
    return {
        "position": data["position"],
        "leaf": data["leaf"],
        "before": data["leaf"] if row is None else row["tombstone"],
        "tombstone": data["tombstone"],
        "fields": list(data["fields"]),
        "blobs": list(data["blobs"]),
        "reason": data["reason"],
        "erased_at": event.time,
        "erased_by": event.actor,
        "files": [],
        "pending": True,
    }


PROJECTION: Final = Projection(
    name="erasures",
    version=1,
    types=frozenset({names.EVENT_ERASED, names.ERASURE_FINISHED}),
    keys=_keys,
    apply=_apply,
)
