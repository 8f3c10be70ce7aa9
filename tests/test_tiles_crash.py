"""Tiles survive a crash between any two changes of the file system."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from eventstore.tree import tile_file
from eventstore.tree.tile_file import WIDTH
from eventstore.tree.tiles import Tiles
from tests.test_tiles import LEAVES, files, grown, root

T = TypeVar("T")


class Crash(BaseException):
    """The process ends here."""


@pytest.fixture
def dying(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Let the process die before the n-th change of the file system."""

    def die_at(step: int) -> None:
        steps = iter(range(step))

        def patiently(act: Callable[[], T]) -> T:
            if getattr(act, "__name__", "") != "read_bytes" and next(steps, None) is None:
                raise Crash
            return act()

        monkeypatch.setattr(tile_file, "patiently", patiently)

    return die_at


@pytest.mark.parametrize(("before", "after"), [(0, 3), (250, 800), (65_530, 65_800)])
def test_an_extension_survives_a_crash_at_any_point(
    tmp_path: Path, dying: Callable[[int], None], before: int, after: int
) -> None:
    start, folder = tmp_path / "start", tmp_path / "tree"
    start.mkdir()
    grown(start, before)
    for number in range(before // WIDTH - 1):
        (start / "tile/0" / f"{number:03}").unlink()  # it goes without these, and the test is quicker
    shutil.copytree(start, tmp_path / "once")
    expected = files(grown(tmp_path / "once", after).folder)
    for step in range(100):
        dying(10**9)
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(start, folder)
        dying(step)
        try:
            Tiles(folder).extend(LEAVES[before:after])
        except Crash:
            dying(10**9)
        else:
            break
        for temporary in folder.rglob(".new"):
            temporary.write_bytes(b"half a tile")
        tiles = Tiles(folder)
        held = tiles.size()
        assert before <= held <= after
        assert [tiles.root(size) for size in (before, held)] == [root(before), root(held)]
        assert tiles.extend(LEAVES[held:after]) == after
        found = files(folder)
        assert {path: found[path] for path in expected} == expected
    assert 1 < step < 99


@pytest.mark.parametrize("size", [0, 3, 256, 300, 600])
def test_a_cut_survives_a_crash_at_any_point(tmp_path: Path, dying: Callable[[int], None], size: int) -> None:
    folder = tmp_path / "tree"
    expected = files(grown(tmp_path / "never", size).folder)
    for step in range(100):
        dying(10**9)
        Tiles(folder).cut(0)
        grown(folder, 800)
        dying(step)
        try:
            Tiles(folder).cut(size)
        except Crash:
            dying(10**9)
        else:
            break
        tiles = Tiles(folder)
        assert size <= tiles.size() <= 800 or not size
        assert tiles.root(tiles.size()) == root(tiles.size())
        tiles.cut(size)
        assert files(folder) == expected
    assert 0 < step < 99
