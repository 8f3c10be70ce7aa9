"""Which views are folded next, and how far: together as many as stand at the same place."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from projections.projection import Projection
from projections.stored_form import Checkpoint


@dataclass(frozen=True, slots=True)
class Batch:
    """The views that stand at `start`, and the global position up to which events concern them next."""

    projections: tuple[Projection, ...]
    start: int
    end: int


def next_batch(
    projections: Iterable[Projection], checkpoints: Mapping[str, Checkpoint], head: int, most: int
) -> Batch | None:
    """The hindmost views, up to where the next ones stand, `most` events at most; None: all at the head."""
    at = [(projection, checkpoints[projection.name].global_position) for projection in projections]
    start = min((position for _, position in at), default=head)
    if start >= head:
        return None
    hindmost = tuple(projection for projection, position in at if position == start)
    ends = (start + most, head, *(position for _, position in at))
    return Batch(hindmost, start, min(end for end in ends if end > start))
