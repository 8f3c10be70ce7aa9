"""Stored views against a fresh fold of the log: where they differ, and which event came first."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from eventstore.event import Recorded
from eventstore.log import Log
from projections.fold import Fold, fold_events
from projections.projection import Projection, Row, Written
from projections.view_rows import ViewRows, ViewsDamaged


@dataclass(frozen=True, slots=True)
class Difference:
    """A row that is not what the log says; None stands for no row.

    Each is followed by the global position of the event that last wrote it.
    """

    view: str
    key: str
    stored: Row | None
    stored_at: int | None
    fresh: Row | None
    fresh_at: int | None

    @property
    def global_position(self) -> int:
        """Of the last event that wrote it, as the fresh fold knows it, else as it is stored."""
        return self.fresh_at or self.stored_at or 0


@dataclass(frozen=True, slots=True)
class Comparison:
    """`differences` is sorted by position: the first is where it began. `events` were folded.

    `not_compared` maps a view to the reason why nothing stored could be compared.
    `compared` maps a view to the position up to which it was compared.
    """

    differences: tuple[Difference, ...]
    compared: dict[str, int]
    not_compared: dict[str, str]
    events: int

    @property
    def identical(self) -> bool:
        return not self.differences and not self.not_compared


def differences(
    path: Path, log: Log, projections: Iterable[Projection], *, still: bool = False
) -> Comparison:
    """Fold the log up to each view's stored checkpoint and compare every row and its position.

    `still`: see ViewRows.open.
    """
    projections = tuple(projections)
    compared: dict[str, int] = {}
    not_compared: dict[str, str] = {}
    found: list[Difference] = []
    with ViewRows.open(path, log, projections, still=still) as views:
        for projection in projections:
            at = views.stored_at(projection.name)
            if at is None:
                not_compared[projection.name] = (
                    views.problem or "nothing of this version is stored for this log"
                )
            else:
                compared[projection.name] = at
        folds = [Fold(projection) for projection in projections if projection.name in compared]
        events = _fold(log, folds, compared)
        for fold in folds:
            name = fold.projection.name
            try:
                found += _differing(fold, views.passing(name))
            except ViewsDamaged as damage:
                not_compared[name] = str(damage)
                del compared[name]
    found.sort(key=lambda difference: (difference.global_position, difference.view, difference.key))
    return Comparison(tuple(found), compared, not_compared, events)


def _fold(log: Log, folds: Sequence[Fold], compared: Mapping[str, int]) -> int:
    """Fold each view up to its own position; returns how many events were read."""
    count = start = 0

    def counted(events: Iterable[Recorded]) -> Iterator[Recorded]:
        nonlocal count
        for event in events:
            count += 1
            yield event

    for end in sorted(set(compared.values())):
        reaching = [fold for fold in folds if compared[fold.projection.name] >= end]
        fold_events(reaching, counted(log.all(start, end)))
        start = end
    return count


def _differing(fold: Fold, stored: Iterable[tuple[str, Written]]) -> Iterator[Difference]:
    """The stored rows pass by one at a time: they need not fit into memory beside the fresh ones."""
    name, met = fold.projection.name, set[str]()
    for key, old in stored:
        met.add(key)
        new = fold.get(key)
        if new is None:
            yield Difference(name, key, *old, None, None)
        elif new != old:
            yield Difference(name, key, *old, *new)
    for key, new in fold.changed(0):
        if key not in met:
            yield Difference(name, key, None, None, *new)
