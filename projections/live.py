"""Views in memory: for the service's to-do lists, for simulation, for a look back in time."""

from collections.abc import Iterable, Mapping

from eventstore.event import Recorded
from projections.fold import Fold
from projections.projection import Projection, Row, Written


class LiveViews:
    """Folds what it is given, in the log's order; an event that it has seen is skipped."""

    def __init__(self, projections: Iterable[Projection]) -> None:
        self._folds = {projection.name: Fold(projection) for projection in projections}
        self._at = dict.fromkeys(self._folds, 0)
        self._readers: dict[str, list[Fold]] = {}
        self._plain: dict[str, dict[str, Row]] = {}
        self._touched = dict.fromkeys(self._folds, 0)
        self._position = 0

    @property
    def position(self) -> int:
        """The global position that every view answers for."""
        return min(self._at.values(), default=self._position)

    def apply(self, events: Iterable[Recorded]) -> None:
        """Fold events that follow in the log, all of them or all of the projections' types."""
        last = self._position
        for event in events:
            last = event.global_position
            for fold in self._interested(event.type):
                if last > self._at[fold.projection.name]:
                    fold.apply(event)
                    self._note(fold, event)
        self.reached(last)

    def reached(self, position: int) -> None:
        """Nothing up to this global position concerns these views any more."""
        self._position = max(self._position, position)
        for name, at in self._at.items():
            self._at[name] = max(at, position)

    def load(self, name: str, rows: Mapping[str, Written], position: int) -> None:
        """Begin with rows folded before, which answer for `position`."""
        fold = Fold(self._folds[name].projection)
        in_order = sorted(rows.items(), key=lambda item: item[1].global_position)
        fold.held.update(in_order)
        self._folds[name] = fold
        self._at[name] = self._touched[name] = position
        self._readers.clear()
        self._plain.pop(name, None)

    def rows(self, name: str) -> dict[str, Row]:
        """The rows by key, in no promised order.

        The mapping is the caller's own; the rows are not to be changed.
        """
        plain = self._plain.get(name)
        if plain is None:
            plain = self._plain[name] = self._folds[name].rows()
        return plain.copy()

    def touched(self, name: str) -> int:
        """The global position up to which the view has moved: no row is newer."""
        return self._touched[name]

    def row(self, name: str, key: str) -> Row | None:
        found = self._folds[name].get(key)
        return None if found is None else found.row

    def written_at(self, name: str, key: str) -> int | None:
        """The global position of the event that last wrote the row."""
        found = self._folds[name].get(key)
        return None if found is None else found.global_position

    def written(self, name: str) -> dict[str, Written]:
        """Rows with their positions, sorted by key."""
        return self._folds[name].over({})

    def _note(self, fold: Fold, event: Recorded) -> None:
        """Keep the plain rows up to the fold: copying them is much quicker than making them."""
        name, keys = fold.projection.name, fold.projection.keys(event)
        if keys:
            self._touched[name] = event.global_position
        plain = self._plain.get(name)
        if plain is not None:
            for key in keys:
                found = fold.get(key)
                if found is None:
                    plain.pop(key, None)
                else:
                    plain[key] = found.row

    def _interested(self, event_type: str) -> list[Fold]:
        readers = self._readers.get(event_type)
        if readers is None:
            readers = [
                fold
                for fold in self._folds.values()
                if fold.projection.types is None or event_type in fold.projection.types
            ]
            self._readers[event_type] = readers
        return readers
