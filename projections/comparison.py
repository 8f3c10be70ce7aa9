"""Stored views against a fresh fold of the log: where they differ, and which event came first."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from eventstore.log import Log
from projections.fold import Fold
from projections.projection import Projection, Row, Written
from projections.view_rows import ViewRows, ViewsDamaged


@dataclass(frozen=True, slots=True)
class Difference:
    """A row that is not what the log says; None stands for no row.

    `global_position` is that of the last event that wrote it, as the fresh fold knows
    it, else as it is stored.
    """

    view: str
    key: str
    stored: Row | None
    fresh: Row | None
    global_position: int


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


def differences(path: Path, log: Log, projections: Iterable[Projection]) -> Comparison:
    """Fold the log up to each view's stored checkpoint and compare every row and its position."""
    projections = tuple(projections)
    stored: dict[str, dict[str, Written]] = {}
    compared: dict[str, int] = {}
    not_compared: dict[str, str] = {}
    with ViewRows.open(path, log, projections) as views:
        for projection in projections:
            at = views.stored_at(projection.name)
            if at is None:
                not_compared[projection.name] = (
                    views.problem or "nothing of this version is stored for this log"
                )
                continue
            try:
                stored[projection.name] = views.stored(projection.name)
                compared[projection.name] = at
            except ViewsDamaged as damage:
                not_compared[projection.name] = str(damage)
    folds = [Fold(projection) for projection in projections if projection.name in compared]
    events = _fold(log, folds, compared)
    found = [difference for fold in folds for difference in _differing(fold, stored[fold.projection.name])]
    found.sort(key=lambda difference: (difference.global_position, difference.view, difference.key))
    return Comparison(tuple(found), compared, not_compared, events)


def _fold(log: Log, folds: list[Fold], compared: dict[str, int]) -> int:
    count = 0
    for event in log.all(0, max(compared.values(), default=0)):
        count += 1
        for fold in folds:
            projection = fold.projection
            if event.global_position <= compared[projection.name] and (
                projection.types is None or event.type in projection.types
            ):
                fold.apply(event)
    return count


def _differing(fold: Fold, stored: dict[str, Written]) -> Iterable[Difference]:
    for key in sorted(stored.keys() | fold.held.keys()):
        old, new = stored.get(key), fold.held.get(key)
        last = new or old
        if old != new and last is not None:
            yield Difference(
                fold.projection.name,
                key,
                None if old is None else old.row,
                None if new is None else new.row,
                last.global_position,
            )
