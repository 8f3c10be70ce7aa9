"""Files that are replaced whole, opened without surprises, and never outside the home.

Everything here blocks: on the event loop it is called through a thread.
"""

import contextlib
import errno
import io
import os
import re
import stat
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypeVar

from eventstore.regular_file import NotRegular as NotRegular

T = TypeVar("T")

PAUSES: Final = (0.01, 0.02, 0.04, 0.08, 0.16, *(0.2,) * 11)
"""Seconds between tries, 2.5 in total: a virus scanner or an indexer lets go sooner."""

READ_FLAGS: Final = (
    os.O_RDONLY
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)  # a FIFO without a writer would hold us for ever
    | getattr(os, "O_NOCTTY", 0)
)


class OutsideHome(ValueError):
    """A path was meant to stay inside the home and does not."""

    def __init__(self, home: Path, path: str) -> None:
        super().__init__(f"{path!r} does not lie inside the home {home}")
        self.home = home
        self.path = path


def patiently(
    act: Callable[[], T],
    pauses: Sequence[float] = PAUSES,
    sleep: Callable[[float], None] = time.sleep,
) -> T:
    """Do it, again after each pause while Windows says that somebody has the file open.

    Raises the last PermissionError when the pauses (seconds) are used up.
    """
    for pause in pauses:
        try:
            return act()
        except PermissionError:
            sleep(pause)
    return act()


def replace(source: Path, target: Path) -> None:
    """Rename over whatever stands at `target`. Raises OSError."""
    patiently(lambda: source.replace(target))


def unlink(path: Path) -> None:
    """Remove a file; one that is not there is no error. Raises OSError."""
    patiently(lambda: path.unlink(missing_ok=True))


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable, where the system knows such a thing."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        # some network and FUSE file systems cannot sync a folder; a failing disk must be heard
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(handle)


TEMPORARY = re.compile(r"\.[0-9a-f]{16}\.tmp")


def temporary_beside(path: Path) -> Path:
    """A free name in the same folder, hidden, short whatever the length of the real name."""
    return path.with_name(f".{os.urandom(8).hex()}.tmp")


def sweep(folder: Path) -> int:
    """Remove what a crash left of `temporary_beside`, in all folders below; how many files.

    Only for whoever knows that nobody writes there now.
    """
    removed = 0
    for left in folder.rglob(".*.tmp"):
        if TEMPORARY.fullmatch(left.name):
            unlink(left)
            removed += 1
    return removed


def write_atomically(path: Path, content: bytes, mode: int | None = None) -> None:
    """Write so that a crash leaves the old file or the new one, durable on return.

    The folder must exist; what may be done with the file, see `close_to_others`.
    Raises OSError; the file is then as it was.
    """
    temporary = temporary_beside(path)
    try:
        with temporary.open("xb") as file:
            close_to_others(temporary, mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):  # the first error is the one to tell
            temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def close_to_others(path: Path, mode: int | None = None) -> None:
    """Give it that mode; else all rights to its owner and no writing to others, whatever the umask left."""
    found = stat.S_IMODE(path.stat().st_mode)
    owner = stat.S_IRWXU if path.is_dir() else stat.S_IRUSR | stat.S_IWUSR
    wanted = mode if mode is not None else (found | owner) & ~(stat.S_IWGRP | stat.S_IWOTH)
    if wanted != found:
        with contextlib.suppress(OSError):  # some file systems keep no modes
            path.chmod(wanted)


def make_folder(folder: Path) -> None:
    """Make it, see `close_to_others`; one that is there is left as it is. Raises OSError."""
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        if not folder.is_dir():
            raise
        return
    close_to_others(folder)


def open_regular(path: Path) -> io.FileIO:
    """Open a regular file for reading, following no link and waiting for nobody.

    Raises NotRegular for anything else, OSError when it cannot be opened.
    """
    if not hasattr(os, "O_NOFOLLOW") and path.is_symlink():
        raise NotRegular(errno.ELOOP, "it is a symbolic link", str(path))
    try:
        handle = os.open(path, READ_FLAGS)
    except OSError as error:
        # a link gives ELOOP (EMLINK on some BSDs), a socket ENXIO
        if error.errno in (errno.ELOOP, errno.EMLINK, errno.ENXIO):
            raise NotRegular(error.errno, "it is no regular file", str(path)) from error
        raise
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise NotRegular(errno.EINVAL, "it is no regular file", str(path))
    return io.FileIO(handle, "rb")


def read_at_most(path: Path, limit: int, *, alone: bool = False) -> bytes:
    """The first `limit` bytes of a regular file, with `alone` only of one that has a single name.

    Raises NotRegular, OSError.
    """
    with open_regular(path) as file:
        if alone and os.fstat(file.fileno()).st_nlink > 1:
            raise NotRegular(errno.EMLINK, "it is a hard link", str(path))
        pieces: list[bytes] = []
        while limit > 0 and (piece := file.read(limit)):
            pieces.append(piece)
            limit -= len(piece)
        return b"".join(pieces)


def inside(home: Path, path: str) -> Path:
    """The place of a relative, `/`-separated path in the home.

    Raises OutsideHome for an absolute path, one with `..`, and one that a link leads out.
    """
    relative = Path(path)
    if not path or relative.is_absolute() or relative.drive or relative.root or ".." in relative.parts:
        raise OutsideHome(home, path)
    place = home / relative
    if place == home or not place.parent.resolve().is_relative_to(home.resolve()):
        raise OutsideHome(home, path)
    return place
