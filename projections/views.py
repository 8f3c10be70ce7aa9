"""The database of the views: kept up to the log, and made anew whenever it cannot be trusted.

One table a view, and one of checkpoints; rows and checkpoint go in together, in one
transaction that begins with the write lock, so of two writers one sees that the other
was first. The file holds nothing that the log does not: it may be deleted at any time.
"""

import contextlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

from sqlite_utils import Database

from eventstore.log import Log
from eventstore.regular_file import is_odd
from projections.batch import Batch, next_batch
from projections.fold import Fold, fold_log, nothing_stored
from projections.projection import Projection, Written
from projections.stored_form import (
    APPLICATION_ID,
    CHECKPOINTS,
    COLUMNS,
    LAYOUT,
    NO_EVENT,
    READ,
    Checkpoint,
    RowUnreadable,
    checkpoint,
    checksum,
    encode,
    event_id,
    field,
    read_row,
)

BATCH: Final = 20_000
"""Events that go in together: a row that many of them touch is written once."""
KEPT_ROWS: Final = 2_000
"""So many rows of a view may stay in memory from one batch to the next."""
BUSY_S: Final = 5.0
"""So long another writer is waited for. Nothing is lost without: the log is folded, and that is told."""
TRIES: Final = 20
PAUSE_S: Final = 0.05

UNTRUSTWORTHY: Final = frozenset(
    {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT}
)
"""SQLite's codes for damaged pages, for no database, and for tables or triggers that we did not make."""

Progress = Callable[[int, int], None]
"""Called after each batch with the global position reached and the log's head."""


class _Strange(Exception):
    """The file is a database, but none of ours; `foreign` when another program made it."""

    def __init__(self, what: str, *, foreign: bool) -> None:
        super().__init__(what)
        self.foreign = foreign


class Views:
    """The writer of one database of views. One caller at a time, from any thread.

    `pause` is called with seconds where Windows does not let go of a file yet.
    `repairs` has a sentence for each time the file had to be made anew.
    """

    def __init__(
        self,
        path: Path,
        projections: Iterable[Projection],
        pause: Callable[[float], None] = lambda seconds: None,
    ) -> None:
        self.repairs: list[str] = []
        self._path = path
        self._projections = tuple(projections)
        self._pause = pause
        self._database: Database | None = None
        self._identity: tuple[int, int] | None = None

    def catch_up(self, log: Log, progress: Progress | None = None) -> int:
        """Fold what the log has and the views have not; returns the global position reached.

        Raises sqlite3.Error or OSError where the disk refuses or the file stays locked.
        """
        return self._trusted(lambda: self._catch_up(log, progress))

    def rebuild(self, log: Log, progress: Progress | None = None) -> int:
        """Drop every view and fold the log from its first event."""
        self._trusted(lambda: self._reset(lambda projection, checkpoint: True))
        return self.catch_up(log, progress)

    def distrust(self, log: Log, why: str) -> None:
        """Make it anew, for a reader came upon a row that cannot be used. Raises as `catch_up` does."""
        self.close()
        self._identity = _identity(self._path)
        self._set_aside(why, keep=False)
        self.catch_up(log)

    def remove(self) -> None:
        """Delete the file: what it holds may no longer be kept anywhere. The next catch-up makes it anew."""
        self.close()
        for suffix in ("-wal", "-shm", ""):
            self._away(self._path.with_name(self._path.name + suffix), None)

    def close(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None

    def _trusted(self, work: Callable[[], int]) -> int:
        """Do it on a database that is ours and whole; if it is not, set it aside and do it on a new one."""
        for _ in range(2):
            try:
                self._open()
                return work()
            except _Strange as strange:
                self._set_aside(str(strange), keep=strange.foreign)
            except RowUnreadable as unreadable:
                self._set_aside(str(unreadable), keep=False)
            except sqlite3.DatabaseError as error:
                code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF
                if code not in UNTRUSTWORTHY:
                    self.close()
                    raise
                self._set_aside(str(error), keep=code == sqlite3.SQLITE_NOTADB)
            except BaseException:
                self.close()
                raise
        self._open()
        return work()

    # the file

    def _open(self) -> None:
        """Open it, unless it is open and still the file at the path."""
        if self._database is not None:
            if self._identity == _identity(self._path):
                return
            self.close()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        if is_odd(self._path):
            self._identity = _identity(self._path)
            raise _Strange("it is no regular file", foreign=True)
        connection = sqlite3.connect(
            self._path, timeout=BUSY_S, isolation_level=None, check_same_thread=False
        )
        self._identity = _identity(self._path)
        self._database = Database(connection, execute_plugins=False)
        self._recognise(self._database)
        self._write_ahead(self._database)
        connection.execute("PRAGMA synchronous=NORMAL")
        with self._locked() as database:
            if not database[CHECKPOINTS].exists():
                columns = {"view": str, "version": int, "global_position": int, "event_id": str}
                database.create_table(CHECKPOINTS, columns, pk="view", not_null=set(columns))
                database.execute(f"PRAGMA application_id={APPLICATION_ID}")
                database.execute(f"PRAGMA user_version={LAYOUT}")

    def _recognise(self, database: Database) -> None:
        """Look before anything is written: ours, empty, or somebody else's."""
        # In one transaction: another process may be making the file at this moment.
        database.conn.execute("BEGIN")
        owner = database.conn.execute("PRAGMA application_id").fetchone()[0]
        layout = database.conn.execute("PRAGMA user_version").fetchone()[0]
        tables = database.table_names()
        database.conn.execute("ROLLBACK")
        if owner == APPLICATION_ID:
            if layout != LAYOUT:
                raise _Strange(f"its layout is {layout}, not {LAYOUT}", foreign=False)
        elif owner or layout or tables:
            raise _Strange("another program made it", foreign=True)

    def _write_ahead(self, database: Database) -> None:
        """Switching the journal does not wait for a lock by itself."""
        for left in reversed(range(TRIES)):
            try:
                database.enable_wal()
                return
            except sqlite3.OperationalError:
                if not left:
                    raise
                self._pause(PAUSE_S)

    def _set_aside(self, why: str, *, keep: bool) -> None:
        """Move the file out of the way if it may be somebody's, else delete it."""
        self.close()
        if self._identity != _identity(self._path):
            return  # another process was here first: what stands there now is new
        aside = next(self._unused_names()) if keep else None
        # The journal goes first: left behind, it would be taken for the new file's own.
        for suffix in ("-wal", "-shm", ""):
            old = self._path.with_name(self._path.name + suffix)
            new = None if aside is None else aside.with_name(aside.name + suffix)
            self._away(old, new)
        kept = "" if aside is None else f"; the old one is kept as {aside.name}"
        self.repairs.append(f"{self._path.name} was made anew from the log: {why}{kept}")

    def _away(self, old: Path, new: Path | None) -> None:
        for left in reversed(range(TRIES)):
            try:
                if new is None:
                    old.unlink(missing_ok=True)
                elif old.exists():
                    old.rename(new)
                return
            except PermissionError:
                if not left:
                    raise
                self._pause(PAUSE_S)

    def _unused_names(self) -> Iterator[Path]:
        for number in range(1, 1_000_000):
            name = self._path.with_name(f"{self._path.name}.aside-{number}")
            if not name.exists():
                yield name

    # the tables

    @contextlib.contextmanager
    def _locked(self) -> Iterator[Database]:
        """A transaction that has the write lock from its beginning."""
        if self._database is None:
            raise RuntimeError("the views are not open")
        connection = self._database.conn
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield self._database
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def _checkpoints(self) -> dict[str, Checkpoint]:
        if self._database is None:
            raise RuntimeError("the views are not open")
        query = f"SELECT view, version, global_position, event_id FROM {CHECKPOINTS}"  # noqa: S608 our own name
        found = self._database.execute(query)
        return {view: checkpoint(*rest) for view, *rest in found}

    def _reset(self, unfit: Callable[[Projection, Checkpoint | None], bool]) -> int:
        """Begin the views anew for which `unfit` holds; returns how many."""
        with self._locked() as database:
            checkpoints = self._checkpoints()
            chosen = [found for found in self._projections if unfit(found, checkpoints.get(found.name))]
            for projection in chosen:
                database[projection.name].drop(ignore=True)
                database.create_table(projection.name, COLUMNS, pk="key", not_null=set(COLUMNS))
                if projection.sought:
                    name, fields = projection.name, ", ".join(map(field, projection.sought))
                    database.execute(f'CREATE INDEX "{name}_sought" ON "{name}"({fields})')
                database.table(CHECKPOINTS).upsert(
                    {
                        "view": projection.name,
                        "version": projection.version,
                        "global_position": 0,
                        "event_id": NO_EVENT,
                    },
                    pk="view",
                )
        return len(chosen)

    def _catch_up(self, log: Log, progress: Progress | None) -> int:
        def unfit(projection: Projection, checkpoint: Checkpoint | None) -> bool:
            return checkpoint is None or not checkpoint.fits(projection, log)

        trusted: dict[str, Checkpoint] | None = None
        folds: dict[str, Fold] = {}
        while True:
            checkpoints = self._checkpoints()
            if checkpoints != trusted:
                folds.clear()
                if any(unfit(found, checkpoints.get(found.name)) for found in self._projections):
                    self._reset(unfit)
                    checkpoints = self._checkpoints()
            head = log.head()
            batch = next_batch(self._projections, checkpoints, head, BATCH)
            if batch is None:
                return head
            trusted = self._write(log, batch, checkpoints, folds)
            if trusted is not None and progress is not None:
                progress(batch.end, head)

    def _write(
        self, log: Log, batch: Batch, checkpoints: dict[str, Checkpoint], folds: dict[str, Fold]
    ) -> dict[str, Checkpoint] | None:
        """Fold a batch and store it with its checkpoints; None when another writer was first.

        `folds` keep rows from one batch to the next, as long as nobody else has written.
        """
        end_id = event_id(log, batch.end) or NO_EVENT
        with self._locked() as database:
            if self._checkpoints() != checkpoints:
                return None
            at_work = [
                folds.setdefault(projection.name, _fold(database.conn, projection, batch.start))
                for projection in batch.projections
            ]
            fold_log(at_work, log, batch.start, batch.end)
            for fold in at_work:
                _store(database.conn, fold, batch.start)
            database.conn.executemany(
                f"UPDATE {CHECKPOINTS} SET global_position=?, event_id=? WHERE view=?",  # noqa: S608 our own name
                [(batch.end, end_id, projection.name) for projection in batch.projections],
            )
        for fold in at_work:
            fold.forget_deleted()
            if len(fold) > KEPT_ROWS:
                folds[fold.projection.name] = Fold(
                    fold.projection, _lookup(database.conn, fold.projection.name)
                )
        moved = {
            projection.name: Checkpoint(projection.version, batch.end, end_id)
            for projection in batch.projections
        }
        return {**checkpoints, **moved}


def _fold(connection: sqlite3.Connection, projection: Projection, start: int) -> Fold:
    return Fold(projection, _lookup(connection, projection.name) if start else nothing_stored)


def _lookup(connection: sqlite3.Connection, view: str) -> Callable[[str], Written | None]:
    query = f'SELECT {READ} FROM "{view}" WHERE key=?'  # noqa: S608 our own names

    def stored(key: str) -> Written | None:
        found = connection.execute(query, (key,)).fetchone()
        return None if found is None else read_row(view, *found)[1]

    return stored


def _store(connection: sqlite3.Connection, fold: Fold, after: int) -> None:
    """Write the rows that an event past the global position `after` has touched."""
    view = fold.projection.name
    connection.executemany(
        f'INSERT OR REPLACE INTO "{view}" ({READ}) VALUES (?, ?, ?, ?)',  # noqa: S608 our own names
        [_to_write(view, key, found) for key, found in fold.changed(after)],
    )
    connection.executemany(
        f'DELETE FROM "{view}" WHERE key=?',  # noqa: S608 our own name
        [(key,) for key in fold.deleted()],
    )


def _to_write(view: str, key: str, found: Written) -> tuple[str, str, int, int]:
    row, position = encode(found.row), found.global_position
    return key, row, position, checksum(view, key, row, position)


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file stands at the path; None when there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
