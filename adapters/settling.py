"""A verb that owns the home for a moment carries out what it decided."""

import trio

from adapters.app import Service
from adapters.desk import Desk


def settle(desk: Desk) -> None:
    """Artifacts, moves and open claims of a dead service; nothing is claimed."""
    trio.run(_service(desk).settle)


def read_wish(desk: Desk, task_id: str) -> None:
    """The local model looks at one wish, and what arrived gets its place in the queue."""
    trio.run(_service(desk).read_wish, task_id)


def _service(desk: Desk) -> Service:
    return Service(desk.home, desk.settings, desk.storage, desk.environ, workers=0)
