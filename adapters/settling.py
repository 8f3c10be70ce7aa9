"""A verb that owns the home for a moment carries out what it decided."""

import trio

from adapters.app import Service
from adapters.desk import Desk


def settle(desk: Desk) -> None:
    """Artifacts, moves and open claims of a dead service; nothing is claimed."""
    trio.run(_service(desk).settle)


def read_wishes(desk: Desk) -> None:
    """The local model looks at the wishes that wait for it, and what arrived gets its place in the queue."""
    trio.run(_service(desk).read_wishes)


def _service(desk: Desk) -> Service:
    return Service(desk.home, desk.settings, desk.storage, desk.environ, workers=0)
