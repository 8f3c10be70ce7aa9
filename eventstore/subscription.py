"""A subscription: a reader of the log that knows how far it has come."""

from collections.abc import Callable, Sequence
from itertools import islice
from typing import Final, NamedTuple, Protocol

from eventstore.event import Recorded
from eventstore.log import Log

BATCH: Final = 500


class Checkpoints(Protocol):
    """Keeps, by a subscriber's name, the last global position that it applied."""

    def load(self, name: str) -> int:
        """0 for a name that nothing was saved for."""
        ...

    def save(self, name: str, position: int) -> None: ...


class Batch(NamedTuple):
    """Events in order; with all of them applied the subscriber stands at `position`."""

    events: tuple[Recorded, ...]
    position: int


class Subscription:
    """Pulls, at least once: what was applied but not marked comes again after a crash.

    Events of other types are passed over, and the checkpoint with them.
    """

    def __init__(
        self, log: Log, name: str, checkpoints: Checkpoints, types: frozenset[str] | None = None
    ) -> None:
        self._log = log
        self._name = name
        self._checkpoints = checkpoints
        self._types = types

    @property
    def position(self) -> int:
        """The last global position applied."""
        return self._checkpoints.load(self._name)

    def pull(self, limit: int = BATCH) -> Batch | None:
        """The next events, at most `limit`; None when the log has nothing past the checkpoint.

        A batch may hold no event: then only events of other types were passed over.
        """
        position, head = self.position, self._log.head()
        if head <= position:
            return None
        events = tuple(islice(self._log.all(position, head, self._types), limit))
        return Batch(events, events[-1].global_position if len(events) == limit else head)

    def mark(self, batch: Batch) -> None:
        """The batch is applied for good."""
        self._checkpoints.save(self._name, batch.position)

    def catch_up(self, apply: Callable[[Sequence[Recorded]], None], limit: int = BATCH) -> int:
        """Apply batch by batch up to the log's end; the number of events applied.

        What `apply` raises goes to the caller, and its batch comes again next time.
        """
        applied = 0
        while batch := self.pull(limit):
            if batch.events:
                apply(batch.events)
            self.mark(batch)
            applied += len(batch.events)
        return applied
