"""A regular file, opened without waiting: a FIFO without a partner would hold its opener for ever."""

import errno
import os
import stat
from io import BufferedReader, FileIO
from pathlib import Path
from typing import Final

AT_ONCE: Final = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
"""Windows knows neither; it has no such files under names of a folder."""


class NotRegular(OSError):
    """The path is a link, a directory, a device or the like where a file was wanted."""


def regular(path: str | os.PathLike[str], flags: int, mode: int = 0o666) -> int:
    """An `opener` for `open` and FileIO: a descriptor of a regular file. A link to one is followed.

    Raises NotRegular, OSError.
    """
    try:
        descriptor = os.open(path, flags | AT_ONCE | getattr(os, "O_CLOEXEC", 0), mode)
    except OSError as error:
        # a FIFO that nobody reads, or a socket; a link where none is followed (EMLINK on some BSDs)
        if error.errno in (errno.ENXIO, errno.ELOOP, errno.EMLINK):
            raise NotRegular(error.errno, "it is no regular file", os.fspath(path)) from error
        raise
    kind = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(kind):
        os.close(descriptor)
        if stat.S_ISDIR(kind):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
        raise NotRegular(errno.EINVAL, "it is no regular file", os.fspath(path))
    return descriptor


def opened(path: Path) -> BufferedReader:
    """The file, for reading its bytes; close it. Raises NotRegular, OSError."""
    return BufferedReader(FileIO(path, opener=regular))


def read_regular(path: Path) -> bytes:
    """All that it holds. Raises NotRegular, OSError."""
    with opened(path) as file:
        return file.read()


def is_odd(path: Path) -> bool:
    """Whether something stands there that is no regular file: SQLite would wait at a FIFO."""
    try:
        return not stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False  # none there, or whoever opens it says why it cannot be
