"""A verb that owns the home for a moment carries out what it decided."""

import trio

from adapters.app import Service
from adapters.desk import Desk


def settle(desk: Desk) -> None:
    """Artifacts, moves and open claims of a dead service; nothing is claimed."""
    service = Service(desk.home, desk.settings, desk.storage, desk.environ, workers=0)
    trio.run(service.settle)
