"""Every view there is, and which of them are somebody's to-do list."""

from typing import Final

from projections import (
    artifacts,
    costs,
    erasures,
    executors,
    in_inbox,
    mediator,
    metrics,
    queue,
    received,
    tasks,
    timers,
    to_archive,
    to_write,
    types,
    waiting,
)
from projections.projection import Projection

TO_DO: Final[tuple[Projection, ...]] = (
    received.PROJECTION,
    queue.PROJECTION,
    waiting.PROJECTION,
    timers.PROJECTION,
    to_write.PROJECTION,
    to_archive.PROJECTION,
    in_inbox.PROJECTION,
    executors.PROJECTION,
    mediator.PROJECTION,
)
"""Rows only for work that is left and for who does it: they fit into memory whatever the log's length."""

ALL: Final[tuple[Projection, ...]] = (
    tasks.PROJECTION,
    artifacts.PROJECTION,
    metrics.PROJECTION,
    costs.PROJECTION,
    erasures.PROJECTION,
    types.PROJECTION,
    *TO_DO,
)
BY_NAME: Final = {projection.name: projection for projection in ALL}
