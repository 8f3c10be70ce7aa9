"""Views in memory: for the service's to-do lists, for simulation, for a look back in time."""

from collections.abc import Iterable, Mapping
from typing import Any

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
        self._groups: dict[tuple[str, str], dict[Any, dict[str, Row]]] = {}
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
                    self._keep_up(fold, event)
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
        fold.load(dict(in_order))
        self._folds[name] = fold
        self._at[name] = self._touched[name] = position
        self._readers.clear()
        self._plain.pop(name, None)
        self._groups = {place: found for place, found in self._groups.items() if place[0] != name}

    def rows(self, name: str) -> dict[str, Row]:
        """The rows by key, in no promised order.

        The mapping is the caller's own; the rows are not to be changed.
        """
        return self._plain_rows(name).copy()

    def where(self, name: str, column: str, value: Any) -> dict[str, Row]:
        """The rows whose column has this value, by key: found without going through the others.

        The column must hold plain values (text, numbers, None) in every row.
        """
        groups = self._groups.get((name, column))
        if groups is None:
            groups = self._groups[name, column] = {}
            for key, row in self._plain_rows(name).items():
                groups.setdefault(row[column], {})[key] = row
        return groups.get(value, {}).copy()

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

    def _plain_rows(self, name: str) -> dict[str, Row]:
        plain = self._plain.get(name)
        if plain is None:
            plain = self._plain[name] = self._folds[name].rows()
        return plain

    def _keep_up(self, fold: Fold, event: Recorded) -> None:
        """Bring what was made of the fold up to it: making it anew would take long."""
        name, keys = fold.projection.name, fold.projection.keys(event)
        if keys:
            self._touched[name] = event.global_position
        plain = self._plain.get(name)
        if plain is None:
            return
        for key in keys:
            found = fold.get(key)
            before = plain.pop(key, None) if found is None else plain.get(key)
            if found is not None:
                plain[key] = found.row
            for (view, column), groups in self._groups.items():
                if view == name:
                    if before is not None:
                        groups[before[column]].pop(key, None)
                    if found is not None:
                        groups.setdefault(found.row[column], {})[key] = found.row

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
