"""What is renamed into its place is on the disk before, and its name afterwards: for every writer."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import trio

from adapters.blob_store import BlobStore
from adapters.log_import import Given, make
from adapters.safe_files import write_atomically
from tests.exported import mirror_of, told
from tests.reading_evt import Evt

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="which file a descriptor is of, /proc says")

Done = tuple[str, Path]


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[Done]:
    """What was synced, renamed and made, in its order."""
    seen: list[Done] = []
    fsync, rename, mkdir = os.fsync, os.replace, os.mkdir

    def noted_fsync(descriptor: int) -> None:
        fsync(descriptor)
        seen.append(("sync", Path(f"/proc/self/fd/{descriptor}").readlink()))

    def noted_replace(source: Path, target: Path) -> None:
        rename(source, target)
        seen.extend([("from", Path(source)), ("to", Path(target))])

    def noted_mkdir(path: Path, *rest: int) -> None:
        mkdir(path, *rest)
        seen.append(("made", Path(path)))

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(os, "replace", noted_replace)
    monkeypatch.setattr(os, "mkdir", noted_mkdir)
    return seen


def check(done: list[Done], target: Path, *, content: bool = True) -> None:
    at = done.index(("to", target))
    if content:
        assert ("sync", done[at - 1][1]) in done[:at], "its content is on the disk before it has its name"
    assert ("sync", target.parent) in done[at:], "its name is on the disk before anybody is told"


def of_write_atomically(folder: Path, evt: Callable[[Path], Evt]) -> Path:
    write_atomically(folder / "a.json", b"{}")
    return folder / "a.json"


def of_a_blob(folder: Path, evt: Callable[[Path], Evt]) -> Path:
    name = trio.run(BlobStore(folder, str).put, b"x" * 100)
    return folder / "sha256" / name[:2] / f"{name}.gz"


def of_an_export(folder: Path, evt: Callable[[Path], Evt]) -> Path:
    assert evt(told(folder / "home"))("export", "-o", str(folder / "log.ndjson")).code == 0
    return folder / "log.ndjson"


@pytest.mark.parametrize(
    "write", [of_write_atomically, of_a_blob, of_an_export], ids=lambda one: one.__name__
)
def test_a_whole_file_and_its_name_are_on_the_disk(
    tmp_path: Path, done: list[Done], capsys: pytest.CaptureFixture[str], write: Callable[..., Path]
) -> None:
    target = write(tmp_path, lambda home: Evt(home, capsys))
    check(done, target)


def test_the_name_of_a_new_folder_of_blobs_is_on_the_disk(tmp_path: Path, done: list[Done]) -> None:
    trio.run(BlobStore(tmp_path, str).put, b"x" * 100)
    (made,) = [path for what, path in done if what == "made" and path.parent.name == "sha256"]
    assert ("sync", made.parent) in done[done.index(("made", made)) :]


def test_the_name_of_an_imported_log_is_on_the_disk_before_anything_is_made_of_it(
    tmp_path: Path, done: list[Done]
) -> None:
    with mirror_of(told(tmp_path / "old")).open("rb") as text:
        done.clear()
        make(Given("log.ndjson", text), tmp_path / "new")
    target = tmp_path / "new" / "logs" / "events.db"
    at = done.index(("to", target))
    assert done[at + 1] == ("sync", target.parent)
