"""A repeat: the same events appended again are known by their ids and not kept twice."""

from collections.abc import Sequence
from typing import Final

from eventstore.event import ANY, Place

REMEMBERED: Final = 64
"""Expected version ANY knows a repeat whose last event is among so many of the stream's last."""


def window(expected: int, head: int, count: int) -> range:
    """The positions of a stream, ending at `head`, where a repeat of `count` events may stand.

    Raises ValueError for an expected version that means nothing.
    """
    if expected < ANY:
        raise ValueError(f"{expected} is no expected version")
    if expected == ANY:
        return range(max(0, head - REMEMBERED - count + 2), head + 1)
    return range(max(0, expected + 1), min(expected + count, head) + 1)


def places_of_repeat(ids: Sequence[str], standing: Sequence[tuple[Place, str]]) -> tuple[Place, ...] | None:
    """Where `ids` stand one after another among the events of a window; None when they do not.

    `standing` is in order of position. The latest run counts when there are several.
    """
    wanted = list(ids)
    there = [known for _, known in standing]
    for start in range(len(there) - len(wanted), -1, -1):
        if there[start : start + len(wanted)] == wanted:
            return tuple(place for place, _ in standing[start : start + len(wanted)])
    return None
