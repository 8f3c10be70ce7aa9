"""A verb that owns the home for a moment carries out what it decided.

The service is loaded only then: beside one that runs a verb leaves the work to it, and needs none.
"""

import gc
from importlib import import_module
from typing import Protocol

import trio

from adapters.desk import Desk, NotTrusted


class Settling(Protocol):
    """What a verb asks of a service that it has made for itself."""

    async def settle(self) -> None: ...

    async def read_wish(self, task_id: str) -> None: ...


def settle(desk: Desk) -> None:
    """Artifacts, moves and open claims of a dead service; nothing is claimed. Raises NotTrusted."""
    trio.run(_service(desk).settle)


def read_wish(desk: Desk, task_id: str) -> None:
    """The local model looks at one wish, and what arrived gets its place in the queue. Raises NotTrusted."""
    trio.run(_service(desk).read_wish, task_id)


def _service(desk: Desk) -> Settling:
    if not desk.trusted:
        # A service starts programs and asks a model, which the home's settings name.
        raise NotTrusted(desk.home)
    gc.disable()  # what loads is no garbage
    try:
        app = import_module("adapters.app")
    finally:
        gc.enable()
    service: Settling = app.Service(desk.home, desk.settings, desk.storage, desk.environ, workers=0)
    return service
