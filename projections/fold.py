"""The rows of one view as events change them; rows that are stored elsewhere are asked for by key."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

from eventstore.event import Recorded
from eventstore.log import Log
from projections.projection import Projection, Row, Written, by_task

STRETCH: Final = 20_000
"""Events that are looked over for rows that end, before they are folded."""

Stored = Callable[[str], Written | None]
"""Looks up a row that was folded before; None where there is none."""


def nothing_stored(key: str) -> None:
    """For a view of which no row is stored yet."""


class Fold:
    """Only touched rows are held. With `stored`, a deleted row is remembered as deleted."""

    def __init__(self, projection: Projection, stored: Stored | None = None) -> None:
        self.projection = projection
        # Two dictionaries, not pairs: a pair for each event costs as much as a rule does.
        self._rows: dict[str, Row | None] = {}
        self._at: dict[str, int] = {}
        self._stored = stored
        self._keys = projection.keys
        self._apply = projection.apply
        self._gone: dict[str, int] = {}

    def __len__(self) -> int:
        """How many rows are held, deleted ones with them."""
        return len(self._rows)

    def apply(self, event: Recorded) -> None:
        """The caller has seen to it that the event is one of the projection's types."""
        rows, apply = self._rows, self._apply
        if self._gone and self._gone.get(event.stream, 0) > event.global_position:
            return
        for key in self._keys(event):
            row = rows.get(key)
            if row is None and self._stored is not None and key not in rows:
                found = self._stored(key)
                row = None if found is None else found.row
            row = apply(key, row, event)
            if row is None and self._stored is None:
                rows.pop(key, None)
                self._at.pop(key, None)
            else:
                rows[key] = row
                self._at[key] = event.global_position

    @property
    def looks_ahead(self) -> bool:
        """Whether it is worth telling where rows end."""
        return self.projection.keys is by_task and bool(self.projection.gone_after)

    def look_ahead(self, events: Iterable[Recorded]) -> None:
        """`events` are those of `gone_after` in the next stretch: what they end is not worked out."""
        self._gone = {event.stream: event.global_position for event in events}

    def load(self, rows: Mapping[str, Written]) -> None:
        """Hold rows that were folded before, in this order."""
        for key, (row, position) in rows.items():
            self._rows[key] = row
            self._at[key] = position

    def get(self, key: str) -> Written | None:
        row = self._rows.get(key)
        if row is not None:
            return Written(row, self._at[key])
        return None if key in self._rows or self._stored is None else self._stored(key)

    def over(self, stored: Mapping[str, Written]) -> dict[str, Written]:
        """All rows: the stored ones with the held ones laid over them, sorted by key."""
        kept = {key: found for key, found in stored.items() if key not in self._rows}
        return dict(sorted([*kept.items(), *self.changed(0)]))

    def rows(self) -> dict[str, Row]:
        """The held rows by key."""
        return {key: row for key, row in self._rows.items() if row is not None}

    def changed(self, after: int) -> Iterator[tuple[str, Written]]:
        """The held rows that an event past the global position `after` has written."""
        for key, row in self._rows.items():
            if row is not None and self._at[key] > after:
                yield key, Written(row, self._at[key])

    def deleted(self) -> list[str]:
        """With `stored`: the rows that are gone since the last `forget_deleted`."""
        return [key for key, row in self._rows.items() if row is None]

    def forget_deleted(self) -> None:
        """They are gone from where `stored` looks, too."""
        for key in self.deleted():
            del self._rows[key], self._at[key]


class _Wanting(dict[str, tuple[Callable[[Recorded], None], ...]]):
    """By event type, the folds that want it; worked out when a type comes for the first time."""

    def __init__(self, folds: Iterable[Fold]) -> None:
        super().__init__()
        self._folds = tuple(folds)

    def __missing__(self, event_type: str) -> tuple[Callable[[Recorded], None], ...]:
        self[event_type] = found = tuple(
            fold.apply
            for fold in self._folds
            if fold.projection.types is None or event_type in fold.projection.types
        )
        return found


def fold_log(folds: Sequence[Fold], log: Log, after: int, upto: int) -> None:
    """Fold what stands in between, a stretch at a time. No event is kept."""
    types = types_of(fold.projection for fold in folds)
    for start in range(after, upto, STRETCH):
        end = min(start + STRETCH, upto)
        for fold in folds:
            if fold.looks_ahead:
                fold.look_ahead(log.all(start, end, fold.projection.gone_after))
        fold_events(folds, log.all(start, end, types))


def fold_events(folds: Iterable[Fold], events: Iterable[Recorded]) -> None:
    """Give each event, in the log's order, to the folds that want its type."""
    wanting = _Wanting(folds)
    for event in events:
        for apply in wanting[event.type]:
            apply(event)


def types_of(projections: Iterable[Projection]) -> frozenset[str] | None:
    """All types that one of them reads; None: every type."""
    types: frozenset[str] = frozenset()
    for projection in projections:
        if projection.types is None:
            return None
        types |= projection.types
    return types
