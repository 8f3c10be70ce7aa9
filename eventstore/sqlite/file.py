"""The file of the SQLite log: made, recognised and opened, or refused in one sentence."""

import errno
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import apsw

from eventstore.file_lock import FileLock
from eventstore.log import NO_ROOM, LogUnreadable
from eventstore.patience import patiently
from eventstore.sqlite.belongings import strange
from eventstore.sqlite.errors import BUSY_MS, DAMAGED, NO_HANDLE, changed, translation
from eventstore.sqlite.errors import translated as translated
from eventstore.sqlite.schema import APPLICATION_ID, FORMAT, NEVER_CHANGED, TABLES
from eventstore.sqlite.wal_reset import has_wal_reset_fault

SHM_BYTES: Final = 32_768
"""What SQLite gives a -shm file at first."""

MAKING: Final = ".making"
"""Stands behind a log's name until it is whole."""

MAGIC: Final = b"SQLite format 3\0"

_READ: Final = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
_WRITE: Final = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_URI


class LogNotOurs(LogUnreadable):
    """Another program's file, or a newer version's: nobody may make it anything else."""


def create(path: Path, fill: Callable[[apsw.Connection], None] | None = None) -> None:
    """Make an empty log. Raises FileExistsError, OSError.

    It is made under another name and gets its own when it is whole: a crash leaves nothing there, or
    all of it. An empty file that stands there is replaced. What `fill` writes goes in with the tables.
    """
    with FileLock(path.with_name(".gate")):
        if path.exists() and path.stat().st_size:
            raise FileExistsError(errno.EEXIST, "something stands there already", str(path))
        making = path.with_name(f"{path.name}{MAKING}")
        _remove(making)
        try:
            with translated(path):
                _make(making, fill)
            patiently(lambda: making.replace(path))
        except BaseException:
            with suppress(OSError):  # the first error is the one to tell
                _remove(making)
            raise
        _sync_folder(path.parent)


def _make(path: Path, fill: Callable[[apsw.Connection], None] | None) -> None:
    connection = _connect(path, "rwc", _WRITE | apsw.SQLITE_OPEN_CREATE)
    try:
        connection.execute("PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; BEGIN EXCLUSIVE")
        connection.execute(TABLES)
        connection.execute(NEVER_CHANGED)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {FORMAT}")
        if fill is not None:
            fill(connection)
        # Whoever opens it finds what it will stay: the change would be a transaction of its own.
        connection.execute("COMMIT; PRAGMA journal_mode = WAL")
    finally:
        connection.close()


def _remove(making: Path) -> None:
    """What a creation that was cut off has left."""
    for suffix in ("-journal", "-wal", "-shm", ""):
        making.with_name(f"{making.name}{suffix}").unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Make a new name durable; Windows knows no such thing."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def connect(path: Path, *, read_only: bool, library: str = apsw.sqlite_lib_version()) -> apsw.Connection:
    """Open a log that is there. Raises LogUnreadable, OSError; a foreign file is not touched.

    For reading it is taken as it stands where its -shm file cannot be made and nobody writes it: see
    `is_frozen`. `library` is the version of SQLite at work: one that could damage the file only reads it.
    """
    _recognise(path)
    if not read_only:
        _refuse_to_write(path, library)
        return _opened(path, "rw", _WRITE)
    try:
        return _opened(path, "ro", _READ)
    except (LogUnreadable, OSError) as refusal:
        if not (on_read_only_volume(path) or _lacks_room(path, refusal)):
            raise
        return _frozen(path)


def connect_still(path: Path) -> apsw.Connection:
    """Open a log for reading without a lock, leaving no file beside it. Raises LogUnreadable, OSError.

    Nobody may write it meanwhile: see sqlite_frozen.Unchanged.
    """
    _recognise(path)
    return _frozen(path)


def is_frozen(connection: apsw.Connection) -> bool:
    """Whether it holds no lock and sees no later event: for a log that nobody writes meanwhile."""
    return bool(connection.execute("PRAGMA locking_mode").get == "exclusive")


def on_read_only_volume(path: Path) -> bool:
    """Whether the file system of a file is mounted so that nobody writes there."""
    if sys.platform == "win32":
        return False
    return bool(os.statvfs(path.parent).f_flag & os.ST_RDONLY)


def open_bare(path: Path, *, new: bool = False) -> apsw.Connection:
    """Any file, unrecognised and unsettled: for reading, or a new one for writing. Raises apsw.Error."""
    connection = (
        _connect(path, "rwc", _WRITE | apsw.SQLITE_OPEN_CREATE) if new else _connect(path, "ro", _READ)
    )
    connection.set_busy_timeout(BUSY_MS)
    return connection


def _connect(path: Path, mode: str, flags: int, more: str = "", vfs: str | None = None) -> apsw.Connection:
    return apsw.Connection(f"{path.absolute().as_uri()}?mode={mode}{more}", flags=flags, vfs=vfs)


def _refuse_to_write(path: Path, library: str) -> None:
    """Raises OSError, LogUnreadable."""
    if on_read_only_volume(path):
        text = "the log lies on a file system that is mounted read-only: reading verbs work there"
        raise OSError(errno.EROFS, text, str(path))
    if has_wal_reset_fault(library):
        raise LogUnreadable(
            f"{path} is not opened for writing: SQLite {library} may damage it when several programs write "
            f"(the WAL-reset fault): install apsw 3.51.3 or newer; reading verbs work with this one"
        )


def _opened(path: Path, mode: str, flags: int, more: str = "", vfs: str | None = None) -> apsw.Connection:
    """Ready for use, or closed again: then raises LogUnreadable, OSError. `vfs` or `more`: see _frozen."""
    with translated(path):
        connection = _connect(path, mode, flags, more, vfs)
    try:
        if more or vfs:
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        _settle(connection, path, read_only=flags == _READ)
        # The first read maps or makes the -shm file, and finds out whether the tables are there.
        connection.execute("SELECT max(global_position) FROM events").get  # noqa: B018
        if connection.execute("SELECT global_position FROM checkpoint").get is None:
            raise LogUnreadable(f"{path} {DAMAGED} (no checkpoint)")
        if flags != _READ and (wrong := strange(connection).wrong):
            raise changed(path, wrong)
    except BaseException as error:
        said = connection.system_errno
        connection.close()
        if isinstance(error, apsw.Error):
            raise _refusal(error, path, said) from error
        raise
    return connection


def _lacks_room(path: Path, refusal: Exception) -> bool:
    """Whether the -shm cannot grow to its first size: then nobody has the log open either."""
    if not (isinstance(refusal, OSError) and refusal.errno in NO_ROOM):
        return False
    shm = path.with_name(f"{path.name}-shm")
    return not shm.exists() or shm.stat().st_size < SHM_BYTES


def _frozen(path: Path) -> apsw.Connection:
    wal = path.with_name(f"{path.name}-wal")
    if not wal.exists() or not wal.stat().st_size:
        return _opened(path, "ro", _READ, "&immutable=1")
    # With the file for itself SQLite keeps the index of the -wal in memory; so it may take no lock.
    return _opened(path, "ro", _READ, vfs=next(name for name in apsw.vfs_names() if name.endswith("-none")))


def _refusal(error: apsw.Error, path: Path, said: int) -> Exception:
    if isinstance(error, apsw.CantOpenError | apsw.ReadOnlyError) and said not in NO_HANDLE:
        remedy = "open it as its owner, or copy it with its -wal file to a folder of your own"
        return LogUnreadable(
            f"{path} cannot be opened: SQLite may not use or make {path.name}-wal and {path.name}-shm "
            f"in {path.parent}: {remedy}"
        )
    if isinstance(error, apsw.SQLError):
        return LogUnreadable(f"{path} {DAMAGED} ({error})")
    return translation(error, path, said)


def _recognise(path: Path) -> None:
    """Look at the header without a lock or a file beside it: it may be anybody's."""
    try:
        size = path.stat().st_size
    except (FileNotFoundError, NotADirectoryError) as error:
        raise LogUnreadable(
            f"there is no log at {path}: `evt recover` makes it again from its mirror, "
            "and `evt init` makes a new one"
        ) from error
    if not path.is_file():
        raise LogUnreadable(f"{path} is no file: name the log's file")
    if not size:
        raise LogUnreadable(
            f"{path} is empty (0 bytes), as a creation cut short leaves it: `evt init` makes it again, "
            "and where it has a mirror `evt recover` brings its events back"
        )
    header = _header(path)
    if not header.startswith(MAGIC):
        raise LogUnreadable(
            f"{path} is no SQLite file: name the log's file, or `evt recover` makes it again from its mirror"
        )
    application, version = (int.from_bytes(header[at : at + 4], "big") for at in (68, 60))
    if application != APPLICATION_ID:
        raise LogNotOurs(f"{path} belongs to another program and was not touched: name the log's file")
    if version > FORMAT:
        raise LogNotOurs(
            f"{path} was written by a newer version of this program (format {version}, "
            f"this one reads up to {FORMAT}): install the newer version"
        )


def _header(path: Path) -> bytes:
    """The first 100 bytes of the main file, see sqlite.org/fileformat2.html: a log is made with them.

    A connection would want more of the file to make sense, and a checkpoint that was cut off leaves one that
    does not without its -wal. SQLite's own way to the file: another descriptor, closed, would drop its locks.
    """
    flags = [apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_MAIN_DB, 0]
    try:
        file = apsw.VFSFile("", str(path.absolute()), flags)
        try:
            return file.xRead(100, 0)
        finally:
            file.xClose()
    except UnicodeEncodeError as error:
        raise LogUnreadable(_not_utf8(path)) from error
    except apsw.CantOpenError as error:
        raise LogUnreadable(f"{path} cannot be opened: may this user read it?") from error
    except apsw.Error as error:
        raise translation(error, path) from error


def _not_utf8(path: Path) -> str:
    """What SQLite cannot be given: a name of other bytes, or Python was told to read names in another way."""
    try:
        meant = os.fsencode(path).decode("utf-8")
    except UnicodeError:
        return f"{str(path)!a} is no path in UTF-8, which SQLite asks for: rename it"
    return (
        f"{meant} cannot be opened: this process reads names of files as {sys.getfilesystemencoding()}, and "
        "SQLite asks for UTF-8: set LC_ALL=C.UTF-8, or take PYTHONUTF8=0 away"
    )


def _settle(connection: apsw.Connection, path: Path, *, read_only: bool) -> None:
    connection.set_busy_timeout(BUSY_MS)
    # What a file's own schema could call is not to be trusted more than the file. What SQLite keeps
    # aside for a statement stays in memory: another disk that is full must not refuse an append.
    connection.execute("PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA temp_store = MEMORY")
    if read_only:
        return
    # FULL: a commit ends in one fdatasync. NORMAL may lose the last commits with the power.
    connection.execute("PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON")
    if connection.execute("PRAGMA journal_mode = WAL").get != "wal":
        raise LogUnreadable(
            f"{path} lies on a file system that cannot keep a write-ahead log (a network folder?): "
            "move the home to a local disk"
        )
