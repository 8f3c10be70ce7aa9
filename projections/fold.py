"""The rows of one view as events change them; rows that are stored elsewhere are asked for by key."""

from collections.abc import Callable, Mapping

from eventstore.event import Recorded
from projections.projection import Projection, Row, Written

Stored = Callable[[str], Written | None]
"""Looks up a row that was folded before; None where there is none."""


class Fold:
    """Only touched rows are held. With `stored`, a deleted row is held as None."""

    def __init__(self, projection: Projection, stored: Stored | None = None) -> None:
        self.projection = projection
        self.held: dict[str, Written | None] = {}
        self._stored = stored

    def apply(self, event: Recorded) -> None:
        """The caller has seen to it that the event is one of the projection's types."""
        for key in self.projection.keys(event):
            before = self.get(key)
            row = self.projection.apply(key, None if before is None else before.row, event)
            if row is not None:
                self.held[key] = Written(row, event.global_position)
            elif self._stored is not None:
                self.held[key] = None
            else:
                self.held.pop(key, None)

    def get(self, key: str) -> Written | None:
        if key in self.held or self._stored is None:
            return self.held.get(key)
        return self._stored(key)

    def over(self, stored: Mapping[str, Written]) -> dict[str, Written]:
        """All rows: the stored ones with the held ones laid over them, sorted by key."""
        merged: dict[str, Written | None] = {**stored, **self.held}
        return {key: found for key, found in sorted(merged.items()) if found is not None}

    def rows(self) -> dict[str, Row]:
        """The held rows by key."""
        return {key: found.row for key, found in self.held.items() if found is not None}
