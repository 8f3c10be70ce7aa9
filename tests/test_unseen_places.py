"""What of a working directory cannot be looked at: it counts as it was, and that is said."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import orjson
import pytest
import trio

from adapters.work_tree import WorkTrees
from handlers.ports.files import NAMED, Compared
from schemas import names
from tests.service import drop, events, evt, folder, home_at, task_text

LONG = "d" * 250
LEVELS = 20
"""Folders of that length in each other are longer than a path may be (4,096 bytes on Linux)."""

pytestmark = pytest.mark.skipif(os.name == "nt", reason="no folder can be made deeper than a path there")


@contextmanager
def deepest(root: Path) -> Iterator[int]:
    """The deepest folder, made step by step as a program does that changes into each."""
    at = os.open(root, os.O_RDONLY)
    try:
        for _ in range(LEVELS):
            with suppress(FileExistsError):
                os.mkdir(LONG, dir_fd=at)
            below = os.open(LONG, os.O_RDONLY, dir_fd=at)
            os.close(at)
            at = below
        yield at
    finally:
        os.close(at)


def write_below(root: Path, name: str, text: bytes) -> None:
    with deepest(root) as at:
        handle = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, dir_fd=at)
        os.write(handle, text)
        os.close(handle)


def compared(root: Path, act: Callable[[], object]) -> Compared:
    trees = WorkTrees(())
    before = trio.run(trees.snapshot, str(root))
    act()
    return trio.run(trees.changes, str(root), before)


def test_a_place_below_the_longest_path_is_told_and_what_can_be_seen_is_compared(tmp_path: Path) -> None:
    (tmp_path / "near").write_bytes(b"1")
    write_below(tmp_path, "far", b"1")

    def act() -> None:
        (tmp_path / "near").write_bytes(b"22")
        write_below(tmp_path, "far", b"22")

    found = compared(tmp_path, act)
    assert [(change.change, change.path) for change in found.files] == [("modified", "near")]
    (place,) = found.unseen
    assert place.endswith("d (File name too long)")
    assert "1 place could not be looked at: dddd" in (found.unseen_in_words() or "")


def refuse(monkeypatch: pytest.MonkeyPatch, *names_: str) -> None:
    """Root may list every folder, so the refusal is played."""
    real = os.scandir

    def scandir(path: Path) -> object:
        if Path(path).name in names_:
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr("adapters.work_tree.os.scandir", scandir)


def test_files_in_a_folder_that_can_no_longer_be_listed_are_not_called_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shut" / "inner").mkdir(parents=True)
    for name in ("shut/a", "shut/inner/b", "gone", "stays"):
        (tmp_path / name).write_bytes(name.encode())
    facts = os.lstat

    def act() -> None:
        (tmp_path / "gone").unlink()
        refuse(monkeypatch, "shut")

        def lstat(path: Path, **more: int) -> os.stat_result:
            if Path(path).parent.name in ("shut", "inner"):
                raise PermissionError(13, "Permission denied", str(path))
            return facts(path)

        monkeypatch.setattr(Path, "lstat", lstat)

    found = compared(tmp_path, act)
    assert [(change.change, change.path) for change in found.files] == [("deleted", "gone")]
    assert found.unseen == ("shut/ (Permission denied)",)


def test_files_in_a_folder_that_could_not_be_listed_before_are_not_called_created(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shut").mkdir()
    (tmp_path / "shut" / "a").write_bytes(b"1")
    with monkeypatch.context() as shut:
        refuse(shut, "shut")
        before = trio.run(WorkTrees(()).snapshot, str(tmp_path))
    assert orjson.loads(before) == {"shut/": ["Permission denied"]}
    (tmp_path / "new").write_bytes(b"1")
    found = trio.run(WorkTrees(()).changes, str(tmp_path), before)
    assert [(change.change, change.path) for change in found.files] == [("created", "new")]
    assert found.unseen == ("shut/ (Permission denied)",)


def test_of_many_places_some_are_named_and_the_others_counted() -> None:
    places = tuple(f"p{number}/ (no)" for number in range(NAMED + 2))
    assert Compared((), places).unseen_in_words() == (
        "5 places could not be looked at: p0/ (no); p1/ (no); p2/ (no) and 2 more"
    )
    assert Compared(()).unseen_in_words() is None


def test_the_log_and_the_artifact_say_what_could_not_be_looked_at(tmp_path: Path) -> None:
    home = home_at(tmp_path / "home")
    shop = folder(home)
    write_below(shop, "far", b"1")
    drop(home, "deep", task_text(shop))
    assert evt(home, "run", "--drain", "--quiet").returncode == 0
    told = [event.data for event in events(home) if event.type == names.STEP_FINISHED]
    (unseen,) = [data["unseen"] for data in told if data["phase"] == "compare"]
    assert unseen.startswith("1 place could not be looked at: dddd")
    assert unseen.endswith("…")
    artifact = orjson.loads((home / "results" / "deep.json").read_bytes())
    assert unseen in str(artifact)
    assert [event.type for event in events(home) if event.type in names.ENDS] == [names.TASK_SUCCEEDED]
