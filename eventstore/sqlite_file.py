"""The file of the SQLite log: made, recognised and opened, or refused in one sentence."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import apsw

from eventstore.log import LogUnreadable, Unrecordable
from eventstore.sqlite_schema import APPLICATION_ID, FORMAT, TABLES

BUSY_MS: Final = 10_000
"""So long SQLite waits for a lock; between our own writers the gate has decided before."""

DAMAGED: Final = "is damaged: restore it from a backup or from its mirror"

_READ: Final = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
_WRITE: Final = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_URI


def create(path: Path) -> None:
    """Make an empty log. Raises FileExistsError, LogUnreadable (another's file), OSError.

    An empty file is taken for a creation that was cut short, and finished.
    """
    if path.exists() and path.stat().st_size:
        raise FileExistsError(errno.EEXIST, "something stands there already", str(path))
    with translated(path):
        connection = _connect(path, "rwc", _WRITE | apsw.SQLITE_OPEN_CREATE)
        try:
            # In one transaction and with the rollback journal: a crash leaves nothing or all of it.
            connection.execute("PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; BEGIN EXCLUSIVE")
            if connection.execute("SELECT count(*) FROM sqlite_schema").get:
                connection.execute("ROLLBACK")
                raise FileExistsError(errno.EEXIST, "somebody else has just made it", str(path))
            connection.execute(TABLES)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {FORMAT}")
            connection.execute("COMMIT")
        finally:
            connection.close()


def connect(path: Path, *, read_only: bool) -> apsw.Connection:
    """Open a log that is there. Raises LogUnreadable; a foreign file is not touched."""
    _recognise(path)
    try:
        connection = _connect(path, "ro", _READ) if read_only else _connect(path, "rw", _WRITE)
        try:
            _settle(connection, path, read_only=read_only)
            # The first read maps or makes the -shm file, and finds out whether the tables are there.
            connection.execute("SELECT max(global_position) FROM events").get  # noqa: B018
            if connection.execute("SELECT global_position FROM checkpoint").get is None:
                raise LogUnreadable(f"{path} {DAMAGED} (no checkpoint)")
        except BaseException:
            connection.close()
            raise
    except (apsw.CantOpenError, apsw.ReadOnlyError) as error:
        remedy = "open it as its owner, or copy it with its -wal file to a folder of your own"
        raise LogUnreadable(
            f"{path} cannot be opened: SQLite may not use or make {path.name}-wal and {path.name}-shm "
            f"in {path.parent}: {remedy}"
        ) from error
    except apsw.SQLError as error:
        raise LogUnreadable(f"{path} {DAMAGED} ({error})") from error
    except apsw.Error as error:
        raise translation(error, path) from error
    return connection


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """SQLite's errors as those that the Log protocol names."""
    try:
        yield
    except apsw.Error as error:
        raise translation(error, path) from error


def translation(error: apsw.Error, path: Path) -> Exception:
    """OSError for what the disk refused, LogUnreadable for damage; a bug stays what it is."""
    match error:
        case apsw.FullError():
            return OSError(errno.ENOSPC, f"no space left for the log ({error})", str(path))
        case apsw.IOError():
            return OSError(errno.EIO, f"the disk failed ({error})", str(path))
        case apsw.ReadOnlyError():
            return OSError(errno.EROFS, f"the log may not be written ({error})", str(path))
        case apsw.BusyError() | apsw.LockedError():
            text = f"another program has kept the log locked for {BUSY_MS // 1000} s"
            return OSError(errno.EBUSY, text, str(path))
        case apsw.CantOpenError():
            return OSError(errno.EACCES, f"the log cannot be opened ({error})", str(path))
        case apsw.CorruptError() | apsw.NotADBError():
            return LogUnreadable(f"{path} {DAMAGED} ({error})")
        case apsw.TooBigError():
            return Unrecordable(f"an event is larger than a line can be ({error})")
        case _:
            return error


def _connect(path: Path, mode: str, flags: int, more: str = "") -> apsw.Connection:
    return apsw.Connection(f"{path.absolute().as_uri()}?mode={mode}{more}", flags=flags)


def _recognise(path: Path) -> None:
    """Look at the header without a lock or a file beside it: it may be anybody's."""
    try:
        size = path.stat().st_size
    except (FileNotFoundError, NotADirectoryError) as error:
        raise LogUnreadable(
            f"there is no log at {path}: make a new one, or restore it from a backup or from its mirror"
        ) from error
    if not path.is_file():
        raise LogUnreadable(f"{path} is no file: name the log's file")
    if not size:
        raise LogUnreadable(
            f"{path} is empty (0 bytes), as a creation cut short leaves it: make the log again, "
            "or restore it from a backup or from its mirror"
        )
    try:
        # Our header is in the main file since before its first WAL, so looking past the WAL is enough.
        connection = _connect(path, "ro", _READ, "&immutable=1")
        try:
            application = connection.pragma("application_id")
            version = connection.pragma("user_version")
        finally:
            connection.close()
    except apsw.NotADBError as error:
        raise LogUnreadable(
            f"{path} is no SQLite file: name the log's file, or restore it from a backup or its mirror"
        ) from error
    except apsw.CantOpenError as error:
        raise LogUnreadable(f"{path} cannot be opened: may this user read it?") from error
    except apsw.Error as error:
        raise translation(error, path) from error
    if application != APPLICATION_ID:
        raise LogUnreadable(f"{path} belongs to another program and was not touched: name the log's file")
    if version > FORMAT:
        raise LogUnreadable(
            f"{path} was written by a newer version of this program (format {version}, "
            f"this one reads up to {FORMAT}): install the newer version"
        )


def _settle(connection: apsw.Connection, path: Path, *, read_only: bool) -> None:
    connection.set_busy_timeout(BUSY_MS)
    # What a file's own schema could call is not to be trusted more than the file.
    connection.execute("PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON")
    if read_only:
        return
    # FULL: a commit ends in one fdatasync. NORMAL may lose the last commits with the power.
    connection.execute("PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON")
    if connection.execute("PRAGMA journal_mode = WAL").get != "wal":
        raise LogUnreadable(
            f"{path} lies on a file system that cannot keep a write-ahead log (a network folder?): "
            "move the home to a local disk"
        )
