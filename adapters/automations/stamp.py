"""The envelope of a command: when, by whom, and under which id."""

from typing import Any

from eventstore.ids import command_event_id
from handlers.ports.clock import Clock, Ids


class Stamp:
    """Makes the envelope fields of commands, so that each command states its own."""

    def __init__(self, clock: Clock, ids: Ids) -> None:
        self.clock = clock
        self.ids = ids

    def __call__(self, actor: str, causation_id: str | None = None, key: str | None = None) -> dict[str, Any]:
        """A fresh id, or with `key` always the same one: the command is then done once at most."""
        command_id = self.ids.new() if key is None else command_event_id(key, 0)
        return {
            "command_id": command_id,
            "time": self.clock.now(),
            "actor": actor,
            "causation_id": causation_id,
        }
