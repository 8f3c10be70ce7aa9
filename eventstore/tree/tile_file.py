"""One tile in one file: where it stands, how it is written and what is a sound one (c2sp.org/tlog-tiles)."""

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from shutil import rmtree
from typing import Final

from eventstore.patience import patiently
from eventstore.regular_file import read_regular
from eventstore.tree.merkle import HASH_SIZE

WIDTH: Final = 256
"""Hashes of a full tile: a subtree of height 8."""

TEMPORARY: Final = ".new"

NO_HASH: Final = bytes(HASH_SIZE)
NUMBER: Final = re.compile(r"[0-9]{3}")
FOLDER: Final = re.compile(r"x[0-9]{3}")
PARTIAL: Final = re.compile(r"[0-9]{3}\.p")
NARROW: Final = re.compile(r"[1-9][0-9]?|1[0-9]{2}|2[0-4][0-9]|25[0-5]")
LEVEL: Final = re.compile(r"[0-9]|[1-5][0-9]|6[0-3]")
NEARLY: Final = re.compile(r"x?[0-9]{3}(?:\.p)?", re.IGNORECASE)


class TilesDamaged(Exception):
    """A file of the tree is not what it has to be; the text says which and what is wrong."""


def number_path(number: int) -> str:
    """A tile's number as a path, three digits an element: 1234067 is `x001/x234/067`."""
    path = f"{number % 1000:03}"
    while number >= 1000:
        number //= 1000
        path = f"x{number % 1000:03}/{path}"
    return path


class TileFiles:
    """The files below `tile/`; a level is a folder. One writer at a time, any number of readers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self, level: int, number: int, width: int) -> bytes | None:
        """The first `width` hashes of a tile: from the file of that width, or else of the next wider one.

        None where no file has as many. Raises TilesDamaged for a file that has not what its name
        promises, OSError.
        """
        for _ in range(2):  # between two looks a writer may have put the full one in place of the partial
            if (content := _content(self._path(level, number, width), width)) is not None:
                return content
            if (content := _content(self._path(level, number, WIDTH), WIDTH)) is not None:
                return content[: width * HASH_SIZE]
            for wider in sorted(found for found in self.widths(level, number) if found > width):
                if (content := _content(self._path(level, number, wider), wider)) is not None:
                    return content[: width * HASH_SIZE]
        return None

    def write(self, level: int, number: int, content: bytes) -> None:
        """Write a tile of as many hashes as `content` holds, whole or not at all. Raises OSError."""
        width = len(content) // HASH_SIZE
        path, temporary = self._path(level, number, width), self.folder / TEMPORARY
        if not path.parent.is_dir():
            path.parent.mkdir(parents=True)
        # No fsync: each tile can be made again from the log. What a power cut leaves under the new
        # name is too short or has NUL where hashes were, and `read` refuses both.
        patiently(lambda: temporary.write_bytes(content))
        patiently(lambda: temporary.replace(path))
        if width == WIDTH:
            self.drop_partials(level, number)

    def is_full(self, level: int, number: int) -> bool:
        """Whether the full tile stands, looked at by its name."""
        return self._path(level, number, WIDTH).is_file()

    def widths(self, level: int, number: int) -> set[int]:
        """The widths of the partial tiles that stand, by their names; other names are not ours."""
        names = _names(self._partials(level, number))
        return {int(name) for name in names if NARROW.fullmatch(name)}

    def last(self, level: int) -> int | None:
        """The highest number of a tile of this level, full or partial; None where there is none.

        Raises TilesDamaged for a name that is nearly a tile's, OSError.
        """
        return max(self._numbers(self.folder / str(level), 0), default=None)

    def levels(self) -> list[int]:
        """The levels that have a folder."""
        return sorted(int(name) for name in _names(self.folder) if LEVEL.fullmatch(name))

    def remove(self, level: int, number: int, above: int = 0) -> None:
        """Remove the files of a tile that hold more than `above` hashes. Raises OSError."""
        for width in (WIDTH, *sorted(self.widths(level, number), reverse=True)):
            if width > above:
                patiently(partial(self._path(level, number, width).unlink, missing_ok=True))
        if not above:
            self.drop_partials(level, number)

    def drop_partials(self, level: int, number: int) -> None:
        """Remove the partial tiles, as one does when the full one stands. Raises OSError."""
        folder = self._partials(level, number)
        if not folder.is_dir():
            return
        for width in self.widths(level, number):
            patiently(partial((folder / str(width)).unlink, missing_ok=True))
        if not _names(folder):
            patiently(folder.rmdir)

    def clear(self) -> None:
        """Remove all tiles and whatever stands among them; a crash leaves all of them or none."""
        gone = self.folder.with_name(f"{self.folder.name}.gone")
        for _ in range(2):  # one may be left of the last time
            if gone.exists():
                patiently(lambda: rmtree(gone))
            if self.folder.exists():
                patiently(lambda: self.folder.rename(gone))

    def _numbers(self, folder: Path, above: int) -> Iterator[int]:
        """The highest numbers only: of the folders that hold more digits the last that is not empty."""
        here, deeper = [], []
        for name in _names(folder):
            if FOLDER.fullmatch(name):
                deeper.append(int(name[1:]))
            elif NUMBER.fullmatch(name):
                here.append(int(name))
            elif PARTIAL.fullmatch(name):
                if any(NARROW.fullmatch(width) for width in _names(folder / name)):
                    here.append(int(name[:3]))
            elif NEARLY.fullmatch(name):
                raise TilesDamaged(
                    f"{folder / name} is not named as a tile is: a lower-case x before a folder's three "
                    "digits, a lower-case .p behind a partial tile's"
                )
        for number in sorted(deeper, reverse=True):
            below = list(self._numbers(folder / f"x{number:03}", above * 1000 + number))
            yield from below
            if below:
                break
        yield from (above * 1000 + number for number in here)

    def _path(self, level: int, number: int, width: int) -> Path:
        if width < WIDTH:
            return self._partials(level, number) / str(width)
        return self.folder / str(level) / number_path(number)

    def _partials(self, level: int, number: int) -> Path:
        return self.folder / str(level) / f"{number_path(number)}.p"


def _names(folder: Path) -> list[str]:
    """The names in a folder, of one that is not there none."""
    try:
        return [path.name for path in folder.iterdir()]
    except FileNotFoundError:
        return []


def _content(path: Path, width: int) -> bytes | None:
    try:
        content = patiently(partial(read_regular, path))
    except FileNotFoundError:
        return None
    if len(content) != width * HASH_SIZE:
        raise TilesDamaged(f"{path} has {len(content)} bytes, a tile of {width} hashes {width * HASH_SIZE}")
    if NO_HASH in content:
        raise TilesDamaged(f"{path} has NUL bytes where a hash must be")
    return content
