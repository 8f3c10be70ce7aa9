"""types: how many events of each type the log holds, and where the last one stands."""

from typing import Final

from eventstore.event import Recorded
from projections.projection import Projection, Row


def _keys(event: Recorded) -> tuple[str, ...]:
    return (event.type,)


def _apply(key: str, row: Row | None, event: Recorded) -> Row | None:
    return {"events": 1 if row is None else row["events"] + 1, "last": event.global_position}


PROJECTION: Final = Projection(name="types", version=1, types=None, keys=_keys, apply=_apply)
