"""The tree kept in files: tiles of 256 hashes on each level (c2sp.org/tlog-tiles, height 8).

The tiles of level 0, the leaves' hashes, are the truth; each other tile can be made from those below.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Final

from eventstore.tree.merkle import HASH_SIZE, parents, root_of
from eventstore.tree.tile_file import WIDTH, TileFiles, TilesDamaged

__all__ = ["WIDTH", "Tiles", "TilesDamaged"]

HEIGHT: Final = 8


class Tiles:
    """The tree below one folder (`logs/tree`). One writer at a time, any number of readers.

    Nothing is remembered between two calls, so that it always speaks of the files. All calls raise
    TilesDamaged for what is no tile, and OSError.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._files = TileFiles(folder / "tile")

    def size(self) -> int:
        """The number of leaves that level 0 holds, by the names of its last tile's files."""
        last = self._files.last(0)
        if last is None:
            return 0
        if self._files.is_full(0, last):
            return (last + 1) * WIDTH
        return last * WIDTH + max(self._files.widths(0, last), default=0)

    def leaves(self, start: int, stop: int) -> Iterator[bytes]:
        """The hashes of the leaves start..stop (from 0, without `stop`)."""
        while start < stop:
            number, first = divmod(start, WIDTH)
            after = min(WIDTH, stop - number * WIDTH)
            content = self._hashes(0, number, after)
            yield from _split(content[first * HASH_SIZE :])
            start = number * WIDTH + after

    def node(self, level: int, index: int) -> bytes:
        """The hash of the perfect subtree over leaves index·2^level up to (index + 1)·2^level."""
        row, height = divmod(level, HEIGHT)
        number, first = divmod(index << height, WIDTH)
        after = first + (1 << height)
        return _subtree(self._hashes(row, number, after)[first * HASH_SIZE :])

    def root(self, size: int) -> bytes:
        """The root of the first `size` leaves."""
        return root_of(size, self.node)

    def confirm(self, size: int, root: bytes) -> None:
        """Raise TilesDamaged unless the first `size` leaves have this root; then drop what stands past them.

        For whoever goes on after a start: tiles are not synced, and what is past the last signed
        tree head may be half of what it was before a power cut.
        """
        if (held := self.size()) < size:
            raise TilesDamaged(f"{self.folder} holds {held} leaves, and a tree head was signed over {size}")
        if self.root(size) != root:
            raise TilesDamaged(f"{self.folder} has another root at size {size} than the signed tree head")
        self.cut(size)

    def extend(self, leaves: Iterable[bytes]) -> int:
        """Append hashes of leaves and bring all levels up; the new size.

        A crash leaves a tree of some size between the old and the new one; what higher levels then
        lack is made from the level below, by whoever reads it and here. Raises ValueError for what
        is no hash.
        """
        size = self.size()
        self._mend(size)
        edge = _Edge(self._files, size, self._edge(size))
        each = iter(leaves)
        added = 0
        while batch := list(islice(each, WIDTH - edge.width(0))):
            content = b"".join(batch)
            if len(content) != len(batch) * HASH_SIZE or any(len(leaf) != HASH_SIZE for leaf in batch):
                raise ValueError(f"the hash of a leaf has {HASH_SIZE} bytes")
            added += len(batch)
            edge.push(content)
        edge.write_partials()
        return size + added

    def cut(self, size: int) -> None:
        """Drop what stands past the first `size` leaves, sound or not; 0 drops all, whatever it is.

        Raises TilesDamaged, before anything is changed, where the tiles up to there are not whole.
        """
        if not size:
            self._files.clear()
            return
        if (held := self.size()) < size:
            raise TilesDamaged(f"{self.folder} holds {held} leaves, not {size}")
        edge = self._edge(size)
        # From above, so that a crash leaves no level that holds more than the one below it.
        for level in reversed(self._files.levels()):
            number, width = divmod(size >> HEIGHT * level, WIDTH)
            if width and width not in self._files.widths(level, number):
                self._files.write(level, number, edge[level])
            for past in range(self._last(level), number, -1):
                self._files.remove(level, past)
            self._files.remove(level, number, above=width)

    def _last(self, level: int) -> int:
        last = self._files.last(level)
        return -1 if last is None else last

    def _hashes(self, level: int, number: int, width: int) -> bytes:
        """The first hashes of a tile; above level 0 they are computed where no file has them."""
        content = self._files.read(level, number, width)
        if content is not None:
            return content
        if not level:
            raise TilesDamaged(
                f"{self.folder} has no tile of level 0, number {number}, with {width} hashes or more"
            )
        held = max(self._files.widths(level, number), default=0)
        known = (self._files.read(level, number, held) if held else None) or b""
        first = number * WIDTH
        return known + b"".join(
            _subtree(self._hashes(level - 1, first + at, WIDTH))
            for at in range(len(known) // HASH_SIZE, width)
        )

    def _edge(self, size: int) -> list[bytes]:
        """The hashes of each level's last tile, as far as it is filled in a tree of `size` leaves."""
        places = [divmod(size >> HEIGHT * level, WIDTH) for level in range(_levels(size))]
        return [
            self._hashes(level, number, width) if width else b""
            for level, (number, width) in enumerate(places)
        ]

    def _mend(self, size: int) -> None:
        """Finish what a crash broke off at each level's last full tile."""
        for level in range(_levels(size)):
            number = (size >> HEIGHT * level) // WIDTH - 1
            if number < 0:
                break
            if not self._files.is_full(level, number):
                self._files.write(level, number, self._hashes(level, number, WIDTH))
            self._files.drop_partials(level, number)


class _Edge:
    """The right edge of a tree that grows: the last tile of each level, not full yet."""

    def __init__(self, files: TileFiles, size: int, contents: list[bytes]) -> None:
        self._files = files
        self._contents = contents or [b""]
        self._grown: set[int] = set()
        self._numbers = [size >> HEIGHT * (level + 1) for level in range(len(self._contents))]

    def width(self, level: int) -> int:
        return len(self._contents[level]) // HASH_SIZE

    def push(self, content: bytes) -> None:
        """Append hashes to level 0, no more than its tile has room for; what gets full is written."""
        level = 0
        while content:
            if level == len(self._contents):
                self._contents.append(b"")
                self._numbers.append(0)
            tile = self._contents[level] + content
            self._grown.add(level)
            if len(tile) < WIDTH * HASH_SIZE:
                self._contents[level] = tile
                return
            self._files.write(level, self._numbers[level], tile)
            self._contents[level] = b""
            self._numbers[level] += 1
            content = _subtree(tile)
            level += 1

    def write_partials(self) -> None:
        """Write what has grown and is no full tile, and what a crash left unwritten."""
        for level, content in enumerate(self._contents):
            number = self._numbers[level]
            if content and (
                level in self._grown or self.width(level) not in self._files.widths(level, number)
            ):
                self._files.write(level, number, content)


def _levels(size: int) -> int:
    """How many levels of tiles a tree has."""
    return -(-size.bit_length() // HEIGHT)


def _split(content: bytes) -> list[bytes]:
    return [content[at : at + HASH_SIZE] for at in range(0, len(content), HASH_SIZE)]


def _subtree(content: bytes) -> bytes:
    """The root over 2^k hashes."""
    hashes = _split(content)
    while len(hashes) > 1:
        hashes = parents(hashes)
    return hashes[0]
