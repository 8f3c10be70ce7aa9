"""Reading the views: what is stored, with the tail of the log folded over it in memory.

A reader never writes. Where the stored view is missing, of another version, from
another log or unreadable, it folds the log from its first event and says why.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from eventstore.log import Log
from eventstore.regular_file import is_odd
from projections.fold import Fold, fold_log
from projections.live import LiveViews
from projections.projection import Projection, Row, Written
from projections.sought import Held, Seeking, Stored
from projections.stored_form import (
    APPLICATION_ID,
    CHECKPOINTS,
    LAYOUT,
    READ,
    Checkpoint,
    RowUnreadable,
    checkpoint,
    decode,
    read_row,
)

T = TypeVar("T")


class ViewsDamaged(Exception):
    """What is stored cannot be read; the log still can."""


class ViewRows:
    """The rows of all views as of one `position`. `problem` says why stored rows were not used.

    `spoilt` says it where that is for good: the disk gave them, and they are not what was written.
    """

    def __init__(
        self,
        log: Log,
        projections: Iterable[Projection],
        connection: sqlite3.Connection | None,
        checkpoints: dict[str, Checkpoint],
        problem: str | None,
    ) -> None:
        self.problem = problem
        self.spoilt: str | None = None
        self._log = log
        self._projections = {projection.name: projection for projection in projections}
        self._connection = connection
        self._checkpoints = checkpoints
        self._folds: dict[str, Fold] = {}
        self._fitting: dict[str, bool] = {}
        # After the snapshot of the views was taken: they are never ahead of it.
        self.position = log.head()

    @classmethod
    def open(cls, path: Path, log: Log, projections: Iterable[Projection], *, still: bool = False) -> Self:
        """Never fails for the sake of the views' file: without it the log is folded.

        With `still` no file is left beside it: for one that nobody writes meanwhile.
        """
        how = "mode=ro&immutable=1" if still else "mode=ro"
        connection: sqlite3.Connection | None = None
        try:
            if is_odd(path):
                raise RowUnreadable("it is no regular file")
            connection = sqlite3.connect(
                f"{path.absolute().as_uri()}?{how}", uri=True, isolation_level=None, check_same_thread=False
            )
            checkpoints = _snapshot(connection)
        except (sqlite3.Error, RowUnreadable) as error:
            if connection is not None:
                connection.close()
            # A backup has none, nor has a home in which nothing was written yet.
            problem = f"{path.name} cannot be read: {error}" if path.exists() else f"there is no {path.name}"
            return cls(log, projections, None, {}, problem)
        return cls(log, projections, connection, checkpoints, None)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def rows(self, view: str) -> dict[str, Row]:
        """All rows, sorted by key."""
        return {key: found.row for key, found in self.written(view).items()}

    def row(self, view: str, key: str) -> Row | None:
        """One row; of the stored ones only this and those that the tail touches are read."""
        found = self._one(view, key)
        return None if found is None else found.row

    def seek(self, view: str, ask: Callable[[Seeking], T]) -> T:
        """What `ask` finds among the rows; stored ones are sought by an index, where the view has one."""
        try:
            fold = self._fold(view)
            if self._connection is not None and self._is_stored(view):
                return ask(Stored(self._connection, fold))
        except (sqlite3.Error, RowUnreadable) as error:
            fold = self._without_store(view, error)
        return ask(Held(fold.rows()))

    def written_at(self, view: str, key: str) -> int | None:
        """The global position of the event that last wrote the row."""
        found = self._one(view, key)
        return None if found is None else found.global_position

    def written(self, view: str) -> dict[str, Written]:
        """All rows with their positions, sorted by key."""
        try:
            fold = self._fold(view)
            return fold.over(dict(self._every(view)) if self._is_stored(view) else {})
        except (sqlite3.Error, RowUnreadable) as error:
            return self._without_store(view, error).over({})

    def stored_at(self, view: str) -> int | None:
        """Up to where the stored view answers, None where it is of no use."""
        return self._checkpoints[view].global_position if self._is_stored(view) else None

    def stored(self, view: str) -> dict[str, Written]:
        """The stored rows alone, without the tail. Raises ViewsDamaged."""
        try:
            return dict(self._every(view)) if self._is_stored(view) else {}
        except (sqlite3.Error, RowUnreadable) as error:
            raise ViewsDamaged(_unreadable(view, error)) from error

    def passing(self, view: str) -> Iterator[tuple[str, Written]]:
        """The stored rows one after another, sorted by key, none of them kept. Raises ViewsDamaged.

        For who compares them: rows that somebody changed come as they are.
        """
        try:
            if self._is_stored(view):
                for key, row, position, _ in self._select(view, "ORDER BY key"):
                    yield key, Written(decode(row), position)
        except (sqlite3.Error, RowUnreadable) as error:
            raise ViewsDamaged(_unreadable(view, error)) from error

    def _one(self, view: str, key: str) -> Written | None:
        try:
            return self._fold(view).get(key)
        except (sqlite3.Error, RowUnreadable) as error:
            return self._without_store(view, error).get(key)

    def _is_stored(self, view: str) -> bool:
        if view not in self._fitting:
            checkpoint = self._checkpoints.get(view)
            self._fitting[view] = checkpoint is not None and checkpoint.fits(
                self._projections[view], self._log
            )
        return self._fitting[view]

    def _fold(self, view: str) -> Fold:
        """The tail of the log, folded over the stored rows."""
        fold = self._folds.get(view)
        if fold is None:
            projection = self._projections[view]
            stored = self._is_stored(view)
            start = self._checkpoints[view].global_position if stored else 0
            fold = Fold(projection, (lambda key: self._stored_row(view, key)) if stored else None)
            fold_log((fold,), self._log, start, self.position)
            self._folds[view] = fold
        return fold

    def _without_store(self, view: str, error: Exception) -> Fold:
        """The stored view turned out to be damaged: never look there again."""
        self.problem = _unreadable(view, error)
        if isinstance(error, RowUnreadable):
            self.spoilt = self.problem
        self._fitting[view] = False
        self._folds.pop(view, None)
        return self._fold(view)

    def _stored_row(self, view: str, key: str) -> Written | None:
        found = self._select(view, "WHERE key=?", key)
        return next((read_row(view, *columns)[1] for columns in found), None)

    def _every(self, view: str) -> Iterator[tuple[str, Written]]:
        return (read_row(view, *columns) for columns in self._select(view, "ORDER BY key"))

    def _select(self, view: str, tail: str, *arguments: str) -> Iterator[tuple[Any, Any, Any, Any]]:
        if self._connection is None:
            raise RuntimeError("the views are closed")
        query = f'SELECT {READ} FROM "{view}" {tail}'  # noqa: S608 our own names
        yield from self._connection.execute(query, arguments)


def _unreadable(view: str, error: Exception) -> str:
    return f"the stored view {view} cannot be read: {error}"


def _snapshot(connection: sqlite3.Connection) -> dict[str, Checkpoint]:
    """Begin to read, so that everything read later is of one moment. Raises sqlite3.Error, RowUnreadable."""
    connection.execute("BEGIN")
    owner = connection.execute("PRAGMA application_id").fetchone()[0]
    layout = connection.execute("PRAGMA user_version").fetchone()[0]
    if (owner, layout) != (APPLICATION_ID, LAYOUT):
        raise RowUnreadable("it is no file of ours, or one of another layout")
    found = connection.execute(
        f"SELECT view, version, global_position, event_id FROM {CHECKPOINTS}"  # noqa: S608 our own name
    )
    return {view: checkpoint(*rest) for view, *rest in found}


def fold_at(log: Log, projection: Projection, upto: int) -> LiveViews:
    """A view as it was when the log ended at the global position `upto`."""
    fold = Fold(projection)
    fold_log((fold,), log, 0, upto)
    live = LiveViews((projection,))
    live.load(projection.name, dict(fold.changed(0)), upto)
    live.reached(upto)
    return live
