"""SQLite's errors as those that the Log protocol names: what was refused, what failed, what is damaged."""

import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import apsw

from eventstore.log import NO_ROOM, LogUnreadable, Unrecordable

BUSY_MS: Final = 10_000
"""So long SQLite waits for a lock; between our own writers the gate has decided before."""

DAMAGED: Final = "is damaged: `evt recover` makes it again from its mirror"

NO_HANDLE: Final = frozenset({errno.EMFILE, errno.ENFILE})
WRITES: Final = frozenset({apsw.SQLITE_IOERR_WRITE, apsw.SQLITE_IOERR_SHMOPEN, apsw.SQLITE_IOERR_SHMSIZE})
"""What may have failed for want of room alone: a write, not yet synced, and the growth of the -shm."""


@contextmanager
def translated(path: Path, connection: apsw.Connection | None = None) -> Iterator[None]:
    """SQLite's errors as those that the Log protocol names; `connection` knows what the system said."""
    try:
        yield
    except apsw.Error as error:
        raise translation(error, path, 0 if connection is None else connection.system_errno) from error


def damaged(path: Path, where: str, why: object) -> LogUnreadable:
    """`where` says which event, as far as it is known."""
    return LogUnreadable(
        f"{path} is damaged {where}".rstrip() + f"{DAMAGED.removeprefix('is damaged')} ({why})"
    )


def changed(path: Path, how: Iterable[str]) -> LogUnreadable:
    """Somebody else has changed what the file is made of: see belongings.strange."""
    return LogUnreadable(
        f"{path} was changed by another program ({'; '.join(how)}): `evt recover` makes it again from its "
        "lines and its mirror; until then nothing is written to it, and reading verbs work"
    )


def translation(error: apsw.Error, path: Path, said: int = 0) -> Exception:
    """OSError for what the disk refused, LogUnreadable for damage; a bug stays what it is.

    ENOSPC and EDQUOT: a write found no room, before any sync. EIO: a write, a sync or a read failed.
    `said` is the system's own error number, 0 where it is not known.
    """
    match error:
        case apsw.FullError():
            return OSError(errno.ENOSPC, "there is no space left for the log", str(path))
        case apsw.IOError():
            return _failed(error, path, said)
        case apsw.ReadOnlyError():
            return OSError(errno.EROFS, f"the log may not be written ({error})", str(path))
        case apsw.BusyError() | apsw.LockedError():
            text = f"another program has kept the log locked for {BUSY_MS // 1000} s"
            return OSError(errno.EBUSY, text, str(path))
        case apsw.CantOpenError() if said in NO_HANDLE:
            return OSError(said, f"the log cannot be opened ({os.strerror(said)})", str(path))
        case apsw.CantOpenError():
            return OSError(errno.EACCES, f"the log cannot be opened ({error})", str(path))
        case apsw.CorruptError() | apsw.NotADBError():
            return damaged(path, "", error)
        case apsw.TooBigError():
            return Unrecordable(f"an event is larger than a line can be ({error})")
        case _:
            return error


def _failed(error: apsw.IOError, path: Path, said: int) -> OSError:
    code = getattr(error, "extendedresult", 0)  # one that was not raised by SQLite has none
    # SQLite itself says FULL for ENOSPC, not so for a quota, and never where the -shm cannot grow.
    # What a sync answers is never taken for want of room: then it is not known what was written.
    if code in WRITES and said in NO_ROOM:
        return OSError(said, f"there is no space left for the log ({os.strerror(said)})", str(path))
    if code == apsw.SQLITE_IOERR_SHORT_READ:
        text = (
            "a file of the log is shorter than its index says: was one removed while a program had it open?"
        )
        return OSError(errno.EIO, f"{text} End those programs, then try again", str(path))
    name = apsw.mapping_extended_result_codes.get(code, "disk I/O error")
    return OSError(errno.EIO, f"the disk failed ({name})", str(path))
