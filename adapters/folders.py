"""Directories and programs as the system has them: what is real, what can be started."""

import os
import shutil
from pathlib import Path

import trio

from adapters.safe_files import read_at_most


class Folders:
    """`search_path` is a PATH as the environment gives it; only the composition root reads that."""

    def __init__(self, search_path: str) -> None:
        self._search_path = search_path

    async def real(self, path: str) -> str | None:
        """The path of a directory with every link resolved; None when there is none.

        None, too, for a directory whose real path is no UTF-8: the log could not name it.
        """
        return await trio.to_thread.run_sync(_real, path)

    async def read_text(self, directory: str, name: str, limit: int) -> str | None:
        """The first `limit` bytes of the file `name` inside `directory`, as text.

        None when there is no such regular file or it cannot be read. A byte that is
        no UTF-8 becomes U+FFFD. Raises ValueError for a name with a folder in it.
        """
        if not _is_bare(name) or name in ("", ".", ".."):
            raise ValueError(f"{name!r} is not the name of a file in a folder")
        return await trio.to_thread.run_sync(_read_text, Path(directory, name), limit)

    async def executable(self, name: str) -> str | None:
        """The full path of a program: looked for on the PATH, unless `name` holds a folder."""
        return await trio.to_thread.run_sync(self._executable, name)

    def _executable(self, name: str) -> str | None:
        if not name or "\0" in name:
            return None
        if not _is_bare(name):
            return _startable(Path(name).absolute())
        for folder in self._search_path.split(os.pathsep):
            # An empty or relative entry means the current directory: a program dropped
            # there must not be taken for the real one. Windows looks there first of all,
            # unless each candidate is named with its folder, as here.
            if Path(folder).is_absolute() and (found := _startable(Path(folder, name))):
                return found
        return None


def _is_bare(name: str) -> bool:
    return "/" not in name and (os.name != "nt" or not {"\\", ":"} & set(name))


def _startable(path: Path) -> str | None:
    """The path of a file that can be started; on Windows with the suffix that PATHEXT adds."""
    return shutil.which(str(path))


def _real(path: str) -> str | None:
    try:
        found = Path(path).resolve(strict=True)
        if not found.is_dir():
            return None
        str(found).encode("utf-8")
    except (OSError, ValueError, RuntimeError):  # ValueError: NUL, no UTF-8; RuntimeError: a loop of links
        return None
    return str(found)


def _read_text(path: Path, limit: int) -> str | None:
    try:
        content = read_at_most(path, limit)
    except (OSError, ValueError):
        return None
    return content.decode("utf-8-sig", errors="replace")
