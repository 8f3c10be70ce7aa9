"""One walk over a log's lines: the leaves held against the tiles, and the root at each tree head's size."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from eventstore.audit.erased import Erased
from eventstore.tree.merkle import HASH_SIZE, Frontier, leaf_hashes
from eventstore.tree.tile_file import TileFiles
from eventstore.tree.tiles import WIDTH, Tiles, TilesDamaged

BATCH: Final = WIDTH
"""Lines that are taken at a time: as many as a tile of level 0 holds."""


class Tiled:
    """The leaves' hashes as somebody kept them, read tile by tile: one that is hurt says nothing of others.

    `problem` is the first trouble that was met; nothing here is verified.
    """

    def __init__(self, folder: Path | None) -> None:
        self.given = folder is not None
        self.size = 0
        self.problem: str | None = None
        self._files: TileFiles | None = None
        if folder is not None:
            try:
                self.size = Tiles(folder).size()
            except (TilesDamaged, OSError) as damage:
                self.problem = str(damage)
            else:
                self._files = TileFiles(folder / "tile")

    def read(self, start: int, stop: int) -> bytes:
        """From `start` on, inside of one tile, as many hashes as there are and can be read."""
        stop = min(stop, self.size)
        if self._files is None or start >= stop:
            return b""
        number, first = divmod(start, WIDTH)
        try:
            content = self._files.read(0, number, stop - number * WIDTH)
        except (TilesDamaged, OSError) as damage:
            self.problem = self.problem or str(damage)
            return b""
        if content is None:
            self.problem = self.problem or f"tile {number} of level 0 is missing"
            return b""
        return content[first * HASH_SIZE :]


class Walk:
    """What was met so far: `size` lines, the `roots` at the wanted `sizes`, and `first_differing`, the
    index of the first leaf that is not the one in the tiles; `differing` counts those.
    """

    def __init__(self, sizes: Iterable[int], tiles: Tiled, erased: Erased) -> None:
        self.size = 0
        self.roots: dict[int, bytes] = {}
        self.first_differing: int | None = None
        self.differing = 0
        self._wanted = sorted(set(sizes), reverse=True)
        self._tiles = tiles
        self._erased = erased
        self._frontier = Frontier()
        if self._wanted and not self._wanted[-1]:
            self.roots[self._wanted.pop()] = self._frontier.root()

    def take(self, lines: Sequence[bytes]) -> list[int]:
        """The next lines: BATCH of them, fewer only the last time. The sizes that were wanted and met."""
        start = self.size
        leaves = leaf_hashes(lines)
        self._erased.apply(lines, leaves)
        tiled = self._tiles.read(start, start + len(leaves))
        if not b"".join(leaves).startswith(tiled):
            self._compare(start, leaves, split(tiled))
        self.size += len(leaves)
        met = []
        while self._wanted and self._wanted[-1] <= self.size:
            size = self._wanted.pop()
            self._frontier.extend(leaves[self._frontier.size - start : size - start])
            self.roots[size] = self._frontier.root()
            met.append(size)
        self._frontier.extend(leaves[self._frontier.size - start :])
        return met

    def _compare(self, start: int, leaves: Sequence[bytes], tiled: Sequence[bytes]) -> None:
        pairs = enumerate(zip(leaves, tiled, strict=False), start)
        unlike = [index for index, (ours, theirs) in pairs if ours != theirs]
        self.differing += len(unlike)
        if self.first_differing is None:
            self.first_differing = unlike[0]


def split(content: bytes) -> list[bytes]:
    """Hashes that stand one behind another."""
    return [content[at : at + HASH_SIZE] for at in range(0, len(content), HASH_SIZE)]
