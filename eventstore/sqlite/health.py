"""Whether the log's files can still be trusted by who writes them: once they cannot, never again."""

import errno
import sys
from pathlib import Path
from typing import Final, NamedTuple

import apsw

from eventstore.log import may_be_tried_again
from eventstore.sqlite.errors import translation

CHECKPOINT_PAGES: Final = 1000
"""So many pages stand in the write-ahead log before they are copied into the file: SQLite's own number."""

WAL_HEADER: Final = 32
FRAME_HEADER: Final = 24
BACK: Final = "and `evt recover` brings them back"


class _File(NamedTuple):
    """Which file bears a name, and how large it is."""

    number: tuple[int, int]
    size: int


def _seen(path: Path) -> _File | None:
    try:
        facts = path.stat()
    except OSError:
        return None
    return _File((facts.st_dev, facts.st_ino), facts.st_size)


def _same(one: _File | None, other: _File | None) -> bool:
    return one is not None and other is not None and one.number == other.number


class Health:
    """Of one connection that writes; its owner calls it under the writers' gate.

    The copying of the write-ahead log into the file is done here, where its failure is heard: SQLite
    itself would say nothing of it, and sync again after the next commit.
    """

    def __init__(self, path: Path, connection: apsw.Connection) -> None:
        self._path = path
        self._connection = connection
        self._wal = path.with_name(f"{path.name}-wal")
        self._paths = (path, self._wal, path.with_name(f"{path.name}-shm"))
        self._known = [_seen(one) for one in self._paths]
        self._pages = 0
        self._failure: OSError | None = None
        self._closed = False
        connection.set_wal_hook(self._committed)

    def require(self) -> None:
        """Raises OSError when a sync or a write has failed before, or a file was taken away."""
        if self._failure is not None:
            text = f"an earlier append failed, and nothing is written after it: {self._failure.strerror}"
            raise OSError(self._failure.errno, text, str(self._path))
        if (trouble := self.taken_away()) is not None:
            text = f"{trouble} while the log was open{self._rescue()}"
            self.fail(refusal := OSError(errno.ESTALE, text, str(self._path)))
            raise refusal

    def in_doubt(self) -> bool:
        """A look without the gate, which costs next to nothing."""
        return self._failure is not None or any(
            not _same(_seen(path), known) for path, known in zip(self._paths, self._known, strict=True)
        )

    def taken_away(self) -> str | None:
        """Which of the log's files was removed, replaced or cut since it was opened; None: none of them.

        Others would then not see what we write, nor we what they write. Three calls of stat(2).
        """
        if sys.platform == "win32":
            return None  # nobody removes a file there that somebody has open
        for number, (path, known) in enumerate(zip(self._paths, self._known, strict=True)):
            there = _seen(path)
            if there == known and there is not None:
                continue
            if there is None or known is None or not _same(there, known):
                return f"{path.name} was {'removed' if there is None else 'replaced'}"
            if there.size != known.size:
                if there.size < known.size and self._is_cut(path, there.size):
                    return f"{path.name} was cut short"
                self._known[number] = there
        return None

    def fail(self, refusal: OSError) -> None:
        """From now on nothing is written or synced, not even at the end: nobody knows what is on the disk."""
        if may_be_tried_again(refusal):
            return
        self._failure = self._failure or refusal
        self._connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)

    def checkpoint(self) -> None:
        """After a commit: copy the write-ahead log into the file when it is long. What was committed is
        durable without, so a failure is told by the next append.
        """
        if self._pages < CHECKPOINT_PAGES:
            return
        try:
            self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        except apsw.Error as error:
            trouble = translation(error, self._path, self._connection.system_errno)
            if not isinstance(trouble, OSError):
                trouble = OSError(errno.EIO, str(trouble), str(self._path))
            self.fail(trouble)  # no room or a lock: the next commit tries again

    def before_close(self) -> None:
        """Closing must not touch files that are not those that were opened. A second time it is nothing."""
        if self._closed:
            return
        self._closed = True
        if (trouble := self.taken_away()) is not None:
            self.fail(OSError(errno.ESTALE, trouble, str(self._path)))

    def _committed(self, connection: apsw.Connection, database: str, pages: int) -> int:
        self._pages = pages
        return apsw.SQLITE_OK

    def _is_cut(self, path: Path, size: int) -> bool:
        """A -wal may be short where all of it was copied and it begins anew; no other file shrinks."""
        if path != self._wal:
            return True
        frames, _ = self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_NOOP)
        page = int(self._connection.pragma("page_size"))
        return frames > 0 and size < WAL_HEADER + frames * (page + FRAME_HEADER)

    def _rescue(self) -> str:
        """What a removed -wal held we can still read: copy it into the file, if nobody else began anew."""
        (file, wal, shm), known = [_seen(path) for path in self._paths], self._known
        if not _same(file, known[0]):
            return (
                ": end all programs of the home and take its -wal and -shm away before a backup is put there"
            )
        # An index that was cut must not be looked into: the system would end this process (SIGBUS).
        whole = shm is None or known[2] is None or shm.size >= known[2].size
        if _same(wal, known[1]) and not (whole and self._is_cut(self._wal, 0 if wal is None else wal.size)):
            return f": nothing is lost, {self._wal.name} holds it"
        if (wal is None and (shm is None or _same(shm, known[2]))) or self._is_new(wal, shm):
            return f": {self._saved()}"
        return f": its last events stand in the mirror alone, {BACK}"

    def _is_new(self, wal: _File | None, shm: _File | None) -> bool:
        """Whether somebody has opened the log since, by our own index, and has written nothing."""
        replaced = wal is not None and not _same(wal, self._known[1])
        return replaced and wal is not None and not wal.size and _same(shm, self._known[2])

    def _saved(self) -> str:
        try:
            pages, copied = self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        except apsw.Error as error:
            return f"what it held could not be saved ({error}), {BACK}"
        if pages == copied:
            return f"nothing is lost, what it held was copied into {self._path.name}"
        return f"{copied} of its {pages} pages could be saved, {BACK}"
