"""Tiles are C2SP tlog-tiles', the same however they were written, and what is no tile is told."""

import shutil
from collections.abc import Callable
from functools import cache
from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventstore import patience
from eventstore.tree.merkle import (
    EMPTY,
    Frontier,
    consistency_proof,
    inclusion_proof,
    is_consistent,
    is_included,
    leaf_hashes,
)
from eventstore.tree.tile_file import TileFiles, number_path
from eventstore.tree.tiles import Tiles, TilesDamaged

LEAVES = leaf_hashes(b"%d" % number for number in range(70_000))


@cache
def root(size: int) -> bytes:
    frontier = Frontier()
    frontier.extend(LEAVES[:size])
    return frontier.root()


def grown(folder: Path, *sizes: int) -> Tiles:
    tiles = Tiles(folder)
    for size in sizes:
        assert tiles.extend(LEAVES[tiles.size() : size]) == size
    return tiles


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


# the form


@pytest.mark.parametrize(
    ("number", "path"),
    [
        (0, "000"),
        (7, "007"),
        (999, "999"),
        (1000, "x001/000"),
        (123_456, "x123/456"),
        (1_000_000, "x001/x000/000"),
        (1_234_067, "x001/x234/067"),
    ],
)
def test_a_number_is_a_path_of_three_digits_an_element(number: int, path: str) -> None:
    assert number_path(number) == path


def test_a_tree_of_70000_leaves_has_the_tiles_that_the_specification_counts(tmp_path: Path) -> None:
    grown(tmp_path, 70_000)
    level_0 = {f"tile/0/{number:03}" for number in range(273)}
    others = {"tile/0/273.p/112", "tile/1/000", "tile/1/001.p/17", "tile/2/000.p/1"}
    assert files(tmp_path).keys() == level_0 | others


def test_a_tree_of_256_leaves_is_a_full_tile_and_one_hash_above(tmp_path: Path) -> None:
    grown(tmp_path, 256)
    content = b"".join(LEAVES[:256])
    assert files(tmp_path) == {"tile/0/000": content, "tile/1/000.p/1": root(256)}


def test_partial_tiles_stay_until_the_full_one_stands(tmp_path: Path) -> None:
    tiles = grown(tmp_path, 3, 200)
    assert files(tmp_path).keys() == {"tile/0/000.p/3", "tile/0/000.p/200"}
    tiles.extend(LEAVES[200:257])
    assert files(tmp_path).keys() == {"tile/0/000", "tile/0/001.p/1", "tile/1/000.p/1"}
    assert not (tmp_path / "tile/0/000.p").exists()


def test_an_empty_tree_has_no_tile(tmp_path: Path) -> None:
    tiles = Tiles(tmp_path / "tree")
    assert (tiles.size(), tiles.root(0), tiles.extend([]), list(tiles.leaves(0, 0))) == (0, EMPTY, 0, [])
    assert files(tmp_path) == {}
    tiles.cut(0)
    tiles.confirm(0, EMPTY)


@settings(max_examples=25)
@given(st.lists(st.integers(0, 400), min_size=1, max_size=6))
def test_tiles_written_in_any_portions_equal_those_written_at_once(portions: list[int]) -> None:
    sizes = list(accumulate(portions))
    with TemporaryDirectory() as name:
        once, often = Path(name) / "once", Path(name) / "often"
        tiles = grown(often, *sizes)
        grown(once, sizes[-1])
        expected, found = files(once), files(often)
        assert {path: found[path] for path in expected} == expected
        # What else is there are the partial tiles of sizes on the way.
        assert all(".p/" in path for path in found.keys() - expected.keys())
        for size in sizes:
            assert tiles.root(size) == root(size)
        assert list(tiles.leaves(0, sizes[-1])) == LEAVES[: sizes[-1]]


def test_all_is_found_in_a_large_tree(tmp_path: Path) -> None:
    tiles = grown(tmp_path, 65_535, 65_536, 65_537, 70_000)
    for start, stop in [(0, 1), (255, 257), (69_999, 70_000), (300, 300), (511, 1025)]:
        assert list(tiles.leaves(start, stop)) == LEAVES[start:stop]
    for size in (1, 255, 256, 65_535, 65_536, 65_537, 70_000):
        assert tiles.root(size) == root(size)
        for index in {0, size // 3, size - 1}:
            proof = inclusion_proof(index, size, tiles.node)
            assert is_included(index, size, LEAVES[index], proof, root(size))
        proof = consistency_proof(size, 70_000, tiles.node)
        assert is_consistent(size, root(size), 70_000, root(70_000), proof)


def test_a_thousandth_tile_is_found_as_the_last(tmp_path: Path) -> None:
    """Only the names count for the size, so that the other tiles need not be there."""
    for name, size in [("999", 256_000), ("x001/000.p/9", 256_009), ("x002/000", 512_256)]:
        path = tmp_path / "tile/0" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
        assert Tiles(tmp_path).size() == size
    (tmp_path / "tile/0/x003").mkdir()
    (tmp_path / "tile/0/x002/001.p").mkdir()
    assert Tiles(tmp_path).size() == 512_256


@pytest.mark.parametrize("bad", [[b"short"], [LEAVES[0] + b"x", LEAVES[1][:-1]], [b""]])
def test_what_is_no_hash_is_refused(tmp_path: Path, bad: list[bytes]) -> None:
    tiles = grown(tmp_path, 5)
    with pytest.raises(ValueError, match="the hash of a leaf has 32 bytes"):
        tiles.extend(bad)
    assert tiles.size() == 5


# what is damaged


@pytest.fixture
def tiles(tmp_path: Path) -> Tiles:
    return grown(tmp_path, 600)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "has 0 bytes, a tile of 256 hashes 8192"),
        (b"".join(LEAVES[:255]) + LEAVES[255][:-1], "has 8191 bytes"),
        (b"".join(LEAVES[:257]), "has 8224 bytes"),
        (b"".join(LEAVES[:128]) + bytes(4096), "has NUL bytes where a hash must be"),
    ],
    ids=["empty", "short", "long", "NUL"],
)
def test_a_torn_tile_is_named(tiles: Tiles, content: bytes, said: str) -> None:
    path = tiles.folder / "tile/0/001"
    path.write_bytes(content)
    reads: list[Callable[[], object]] = [
        lambda: list(tiles.leaves(0, 600)),
        lambda: tiles.node(0, 300),
        lambda: tiles.node(3, 40),
        lambda: tiles.cut(511),
    ]
    for read in reads:
        with pytest.raises(TilesDamaged) as damaged:
            read()
        assert str(path) in str(damaged.value)
        assert said in str(damaged.value)


def test_a_torn_last_tile_is_not_built_upon(tiles: Tiles) -> None:
    path = tiles.folder / "tile/0/002.p/88"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(TilesDamaged, match="88"):
        tiles.extend(LEAVES[600:601])
    with pytest.raises(TilesDamaged, match="88"):
        tiles.root(600)
    tiles.cut(512)
    assert tiles.extend(LEAVES[512:601]) == 601
    assert tiles.root(601) == root(601)


def test_a_torn_partial_tile_does_not_hide_the_narrower_one(tmp_path: Path) -> None:
    tiles = grown(tmp_path, 300, 310)
    (tmp_path / "tile/0/001.p/54").write_bytes(b"torn")
    assert tiles.root(300) == root(300)
    tiles.cut(300)
    assert tiles.extend(LEAVES[300:310]) == 310
    assert tiles.root(310) == root(310)


def test_an_absent_tile_of_leaves_is_told(tiles: Tiles) -> None:
    (tiles.folder / "tile/0/001").unlink()
    assert tiles.size() == 600
    with pytest.raises(TilesDamaged, match="has no tile of level 0, number 1, with 256 hashes or more"):
        list(tiles.leaves(0, 600))
    with pytest.raises(TilesDamaged, match="number 9"):
        tiles.node(0, 256 * 9)


def test_an_absent_tile_above_is_made_from_those_below(tmp_path: Path) -> None:
    tiles = grown(tmp_path, 66_000)
    shutil.rmtree(tmp_path / "tile/1")
    shutil.rmtree(tmp_path / "tile/2")
    assert tiles.root(66_000) == root(66_000)
    tiles.extend(LEAVES[66_000:66_001])
    once = tmp_path / "once"
    grown(once, 66_001)
    expected = files(once / "tile")
    assert {
        path: content for path, content in files(tmp_path / "tile").items() if path in expected
    } == expected


@pytest.mark.parametrize("name", ["X001", "002.P", "X001.p"])
def test_a_tile_with_an_upper_case_name_is_told(tiles: Tiles, name: str) -> None:
    path = tiles.folder / "tile/0" / name
    path.mkdir()
    with pytest.raises(TilesDamaged, match="is not named as a tile is") as damaged:
        tiles.size()
    assert str(path) in str(damaged.value)


def test_other_files_among_the_tiles_are_left_alone(tiles: Tiles) -> None:
    others = [tiles.folder / "tile/0" / name for name in (".DS_Store", "desktop.ini", "002.p/300", "002.p/0")]
    for other in others:
        other.write_bytes(b"not ours")
    assert tiles.extend(LEAVES[600:800]) == 800
    tiles.cut(768)
    assert all(other.read_bytes() == b"not ours" for other in others)
    assert tiles.size() == 768
    tiles.cut(0)
    assert files(tiles.folder) == {}


# what is cut


@settings(max_examples=25)
@given(st.integers(1, 800), st.integers(0, 800), st.integers(0, 300))
def test_what_is_cut_back_is_as_if_it_had_never_been(first: int, size: int, more: int) -> None:
    size = min(first, size)
    with TemporaryDirectory() as name:
        cut, never = Path(name) / "cut", Path(name) / "never"
        tiles = grown(cut, first)
        tiles.cut(size)
        grown(never, size)
        assert files(cut) == files(never)
        tiles.extend(LEAVES[size : size + more])
        assert tiles.root(size + more) == root(size + more)


def test_no_tree_is_cut_to_more_than_it_holds(tiles: Tiles) -> None:
    with pytest.raises(TilesDamaged, match="holds 600 leaves, not 601"):
        tiles.cut(601)


def test_the_tree_goes_on_from_a_signed_head(tiles: Tiles) -> None:
    with pytest.raises(TilesDamaged, match="holds 600 leaves, and a tree head was signed over 601"):
        tiles.confirm(601, root(601))
    with pytest.raises(TilesDamaged, match="has another root at size 500"):
        tiles.confirm(500, root(501))
    assert tiles.size() == 600
    tiles.confirm(500, root(500))
    assert tiles.size() == 500


# other systems, other processes


def test_a_file_that_somebody_has_open_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr(patience, "sleep", waited.append)
    tries = iter([PermissionError("in use"), PermissionError("in use")])

    def act() -> str:
        if (trouble := next(tries, None)) is not None:
            raise trouble
        return "done"

    assert patience.patiently(act) == "done"
    assert len(waited) == 2


def test_a_file_that_stays_in_use_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "sleep", lambda seconds: None)

    def act() -> None:
        raise PermissionError("in use")

    with pytest.raises(PermissionError, match="in use"):
        patience.patiently(act)


def test_a_reader_does_not_miss_a_tile_that_just_became_full(tmp_path: Path) -> None:
    grown(tmp_path, 100)

    class Overtaken(TileFiles):
        """The writer is quicker: what was listed is gone when it is opened."""

        def widths(self, level: int, number: int) -> set[int]:
            found = super().widths(level, number)
            grown(tmp_path, 300)
            return found

    assert Overtaken(tmp_path / "tile").read(0, 0, 50) == b"".join(LEAVES[:50])
