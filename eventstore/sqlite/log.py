"""The log in one SQLite file, for several processes at once."""

import errno
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import apsw
import orjson

from eventstore.bell import Bell
from eventstore.event import ANY, Event, Place, Recorded, Upcasts
from eventstore.file_lock import FileLock
from eventstore.line import Draft, render
from eventstore.log import Append, Outcome, Unrecordable, WrongExpectedVersion
from eventstore.repeats import REMEMBERED, places_of_repeat, window
from eventstore.sqlite import file as sqlite_file
from eventstore.sqlite.errors import damaged, translation
from eventstore.sqlite.frozen import Unchanged
from eventstore.sqlite.heads import Head, Heads
from eventstore.sqlite.health import Health
from eventstore.sqlite.schema import AT_POSITIONS, CHAIN, COLUMNS, INSERT

Row = tuple[int, str, int, str, int, bytes]
"""The columns of an event, in the order of `COLUMNS`."""

PAGE_ROWS: Final = 256
PAGE_BYTES: Final = 4 * 2**20
SCAN_ROWS: Final = 20_000
"""So many rows one look passes over while it seeks a type: the lock is not held for longer."""


Places = tuple[Place, ...]

_Todo = tuple[int, Append, list[Draft]]
"""The number of a wish in its group, the wish, and its lines but for their places."""


def _placed(
    wish: Append, drafts: Sequence[Draft], last: int, head: Head, rows: list[tuple[Any, ...]]
) -> Places:
    """The places of a wish behind the global position `last` and its stream's head; its rows join `rows`."""
    # Called for each append under the lock: no call that can be spared.
    stream, places = wish.stream, []
    position, prev = head
    for event, draft in zip(wish.events, drafts, strict=True):
        last += 1
        position += 1
        rows.append((last, stream, position, prev, event.type, event.time, draft.splice(last, position)))
        places.append(Place(last, position))
        prev = last
    return tuple(places)


class SqliteLog:
    """See Log. Threads take turns; a child process must open the file for itself.

    Beside the file lie the writers' gate (`.gate`) and the bell (`.bell`). No page is read
    with a transaction left open, so a slow reader holds nobody up.
    """

    def __init__(
        self,
        path: Path,
        *,
        upcasts: Upcasts | None = None,
        read_only: bool = False,
        still: bool = False,
        library: str = apsw.sqlite_lib_version(),
    ) -> None:
        """Open a log that is there. Raises LogUnreadable with a sentence that says what to do, OSError.

        With `still` it is read without a lock, and no file is left beside it: see sqlite_file.connect_still.
        `library` is the version of SQLite: with one that may damage the file it is opened for reading only.
        """
        self.path = path
        self.read_only = read_only = read_only or still
        self._upcasts = upcasts
        self._pid = os.getpid()
        before = Unchanged(path)
        self._connection = (
            sqlite_file.connect_still(path)
            if still
            else sqlite_file.connect(path, read_only=read_only, library=library)
        )
        self._frozen = before if read_only and sqlite_file.is_frozen(self._connection) else None
        self._health = None if read_only else Health(path, self._connection)
        self._heads = Heads(self._connection)
        self._seen = 0  # a head that was; it only grows
        self._gate = FileLock(path.with_name(".gate"), keep_open=True)
        self._bell = Bell(path.with_name(".bell"))
        self._writing = threading.Lock()
        self._using = threading.Lock()
        self._reading = _Reading(self)

    @property
    def bell(self) -> Path:
        """The file that grows after each commit of any process."""
        return self._bell.path

    @classmethod
    def create(cls, path: Path, *, upcasts: Upcasts | None = None) -> Self:
        """Make an empty log and open it. Raises FileExistsError when one stands there."""
        sqlite_file.create(path)
        return cls(path, upcasts=upcasts)

    def append(self, stream: str, events: Sequence[Event], expected: int) -> tuple[Place, ...]:
        """See Log.append."""
        (outcome,) = self.append_group([Append(stream, events, expected)])
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def append_group(self, wishes: Sequence[Append]) -> list[Outcome]:
        """See Log.append_group. The lines are rendered before any lock is taken."""
        self._check_process()
        if self._health is None:
            raise OSError(errno.EROFS, "the log was opened for reading only", str(self.path))
        outcomes: dict[int, Outcome] = {}
        todo: list[_Todo] = []
        for number, wish in enumerate(wishes):
            try:
                drafts = [render(wish.stream, event) for event in wish.events]
            except Unrecordable as refusal:
                outcomes[number] = refusal
                continue
            if drafts:
                todo.append((number, wish, drafts))
            else:
                outcomes[number] = ()
        if todo:
            outcomes |= self._commit_or_part(todo, self._health)
        return [outcomes[number] for number in range(len(wishes))]

    def _commit_or_part(self, todo: Sequence[_Todo], health: Health) -> dict[int, Outcome]:
        """One transaction; where one of them is larger than SQLite can hold, each has its own."""
        try:
            return self._commit_under_lock(todo, health)
        except Unrecordable as refusal:
            if len(todo) == 1:
                return {todo[0][0]: refusal}
            found: dict[int, Outcome] = {}
            for one in todo:
                found |= self._commit_or_part([one], health)
            return found

    def _commit_under_lock(self, todo: Sequence[_Todo], health: Health) -> dict[int, Outcome]:
        # The gate is fair where SQLite's own waiting is not; safe is SQLite's lock.
        with self._writing:
            with self._gate, self._using:
                health.require()
                try:
                    with sqlite_file.translated(self.path, self._connection):
                        found, added = self._commit(todo)
                except OSError as refusal:
                    # What a failed sync left on the disk is unknown, and asking again would not tell.
                    health.fail(refusal)
                    raise
                health.checkpoint()
            if added:
                # The events are durable: a bell that cannot ring must not deny that. Followers also look.
                with suppress(OSError):
                    self._bell.ring()
        return found

    def stream(self, name: str, after: int = -1) -> Iterator[Recorded]:
        """See Log.stream."""
        self._check_process()
        with self._using, self._reading:
            self._heads.catch_up()
            positions = self._positions(self._heads.of(name), after)
        return self._at(positions)

    def all(
        self, after: int = 0, upto: int | None = None, types: frozenset[str] | None = None
    ) -> Iterator[Recorded]:
        """See Log.all. What is appended while the caller iterates does not come."""
        if upto is None:
            upto = self.head()
        elif upto > self._seen:
            upto = min(upto, self.head())
        return self._between(max(after, 0), upto, types)

    def head(self) -> int:
        """See Log.head."""
        self._seen = int(self._value("SELECT coalesce(max(global_position), 0) FROM events"))
        return self._seen

    def position_at(self, time: int) -> int:
        """See Log.position_at. Walks back from the end: clocks go backwards, so times are in no order."""
        query = "SELECT global_position FROM events WHERE time <= ? ORDER BY global_position DESC LIMIT 1"
        return int(self._value(query, time) or 0)

    def count_types(self) -> dict[str, int]:
        """How many events of each type it holds; no line is decoded."""
        self._check_process()
        with self._using, self._reading:
            rows: list[Any] = self._connection.execute(
                "SELECT type, count(*) FROM events GROUP BY type"
            ).fetchall()
        return dict(rows)

    def data_version(self) -> int:
        """A number that changes when another connection has committed; never by our own appends."""
        return int(self._value("PRAGMA data_version"))

    def check_files(self) -> None:
        """For whoever appends seldom. Raises OSError once a file of the log was removed or replaced, or
        the disk has failed: see append.
        """
        if self._health is not None and self._health.in_doubt():
            with self._writing, self._gate, self._using:
                self._health.require()

    def close(self) -> None:
        """Close the file. In a child process nothing happens: the file is its parent's."""
        if os.getpid() != self._pid:
            return
        with self._writing, self._using:
            if self._health is not None:
                self._health.before_close()
            self._connection.close()
            self._bell.close()
            self._gate.close()

    def _commit(self, todo: Sequence[_Todo]) -> tuple[dict[int, Outcome], bool]:
        """What becomes of each, and whether anything was added (not so for repeats and refusals)."""
        found: dict[int, Outcome] = {}
        rows: list[tuple[Any, ...]] = []
        added = False
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            last = self._heads.catch_up()
            for number, wish, drafts in todo:
                head = self._heads.of(wish.stream)
                if wish.expected != head.position:
                    self._insert(rows)  # a repeat may be one of this very group
                    known = self._unexpected(wish, head)
                    if known is not None:
                        found[number] = known
                        continue
                places = _placed(wish, drafts, last, head, rows)
                last, position = places[-1]
                added, found[number] = True, places
                self._heads.move(wish.stream, Head(position, last), wish.events)
            self._insert(rows)
            self._connection.execute("COMMIT" if added else "ROLLBACK")
        except BaseException:
            self._undo()
            raise
        return found, added

    def _insert(self, rows: list[tuple[Any, ...]]) -> None:
        if rows:
            before = self._connection.total_changes()
            self._connection.executemany(INSERT, rows)
            if self._connection.total_changes() - before != len(rows):
                # A trigger that is not ours can swallow a row, and SQLite calls that done.
                raise OSError(errno.EIO, "a line was not stored: a stranger changes the log", str(self.path))
            rows.clear()

    def _unexpected(self, wish: Append, head: Head) -> Outcome | None:
        """The places of a repeat, the refusal, or None: it may be appended all the same."""
        try:
            known = self._repeat(wish.stream, head, [event.id for event in wish.events], wish.expected)
        except ValueError as nonsense:
            return nonsense
        if known is not None or wish.expected == ANY:
            return known
        return WrongExpectedVersion(wish.stream, wish.expected, head.position)

    def _undo(self) -> None:
        """Nothing of a failed transaction stays, neither in the file nor in memory."""
        self._heads.forget()
        if self._connection.in_transaction:
            try:
                self._connection.execute("ROLLBACK")
            except apsw.Error as error:
                if self._health is not None:  # the first error is on its way; nothing more goes in
                    self._health.fail(OSError(errno.EIO, f"the disk failed ({error})", str(self.path)))
                raise

    def _repeat(self, stream: str, head: Head, ids: Sequence[str], expected: int) -> tuple[Place, ...] | None:
        positions = window(expected, head.position, len(ids))
        if expected == ANY:
            recent = self._heads.recent(stream)
            if recent is not None and ids[-1] not in recent:
                return None
        elif len(positions) < len(ids):
            return None
        standing = [
            (Place(event.global_position, event.position), event.id)
            for event in self._at_once(self._positions(head, positions.start - 1)[: len(positions)])
        ]
        if expected == ANY:
            self._heads.remember(stream, [known for _, known in standing[-REMEMBERED:]])
        return places_of_repeat(ids, standing)

    def _positions(self, head: Head, after: int) -> list[int]:
        """Global positions of one stream's events past `after`, in order."""
        rows = self._connection.execute(CHAIN, (head.global_position, after)).fetchall()
        return [position for (position,) in reversed(rows)]

    def _at_once(self, positions: Sequence[int]) -> list[Recorded]:
        wanted = orjson.dumps(positions).decode()
        rows: list[Any] = self._connection.execute(AT_POSITIONS, (wanted,)).fetchall()
        return [self._recorded(row) for row in rows]

    def _at(self, positions: Sequence[int]) -> Iterator[Recorded]:
        done = 0
        while done < len(positions):
            wanted = orjson.dumps(positions[done : done + PAGE_ROWS]).decode()
            page, _ = self._page(AT_POSITIONS, (wanted,))
            done += len(page)
            yield from map(self._recorded, page)

    def _between(self, after: int, upto: int, types: frozenset[str] | None) -> Iterator[Recorded]:
        only, names, upcasts = "", sorted(types or ()), self._upcasts
        if types is not None:
            only = f"AND type IN ({','.join('?' * len(names))})"
        query = (
            f"SELECT {COLUMNS} FROM events WHERE global_position > ? AND global_position <= ? {only} "  # noqa: S608
            f"ORDER BY global_position LIMIT {PAGE_ROWS}"
        )
        while after < upto:
            until = min(upto, after + SCAN_ROWS)
            page, cut = self._page(query, (after, until, *names))
            reached = page[-1][0] if cut or len(page) == PAGE_ROWS else until
            if types is None and len(page) != reached - after:
                there = {row[0] for row in page}
                missing = next(at for at in range(after + 1, reached + 1) if at not in there)
                raise damaged(self.path, f"at event {missing}", "it is missing")
            after = reached
            for row in page:
                yield Recorded(*row, upcasts)

    def _page(self, query: str, arguments: tuple[Any, ...]) -> tuple[list[Row], bool]:
        """Rows until they are many bytes (then True); the statement is finished before anybody sees them."""
        rows: list[Row] = []
        size = 0
        self._check_process()
        with self._using, self._reading:
            cursor = self._connection.execute(query, arguments)
            try:
                for row in cursor:
                    rows.append(row)
                    size += len(row[5])
                    if size >= PAGE_BYTES:
                        break
            except (apsw.CorruptError, apsw.NotADBError) as error:
                where = f"behind event {rows[-1][0]}" if rows else ""
                raise damaged(self.path, where, error) from error
            cursor.close()
        return rows, size >= PAGE_BYTES

    def _recorded(self, row: Row) -> Recorded:
        return Recorded(*row, self._upcasts)

    def _value(self, query: str, *arguments: Any) -> Any:
        self._check_process()
        with self._using, self._reading:
            return self._connection.execute(query, arguments).get

    def _check_process(self) -> None:
        # SQLite's locks and memory of the file are the parent's: a child that used them would destroy it.
        if os.getpid() != self._pid:
            raise RuntimeError(f"{self.path} was opened by process {self._pid}: a child opens it anew")


class _Reading:
    """A look at the file, with errors as the Log protocol names them.

    No generator: a follower that has slept pays for each step of Python. And nothing that would have to be
    given back: Ctrl-C may come between any two of those steps, so the lock is held by a `with` of its own,
    which Python enters and leaves in one.
    """

    def __init__(self, log: SqliteLog) -> None:
        self._log = log

    def __enter__(self) -> None:
        """Nothing to do."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        log = self._log
        if isinstance(error, apsw.Error):
            raise translation(error, log.path, log._connection.system_errno) from error
        if error is None and log._frozen is not None:
            log._frozen.require()
