"""Files replaced whole, opened without surprises, and paths that stay inside the home."""

import os
import socket
import sys
from pathlib import Path

import pytest
import trio

from adapters.output_files import OutputFiles
from adapters.safe_files import (
    PAUSES,
    NotRegular,
    OutsideHome,
    inside,
    open_regular,
    patiently,
    read_at_most,
    replace,
    unlink,
    write_atomically,
)

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="links and pipes as POSIX has them")


class HeldOpen:
    """A file that somebody else has open for the first `times` tries."""

    def __init__(self, times: int) -> None:
        self.left = times
        self.slept: list[float] = []

    def act(self) -> str:
        if self.left:
            self.left -= 1
            raise PermissionError(13, "in use")
        return "done"


def test_what_somebody_has_open_is_tried_again() -> None:
    held = HeldOpen(3)
    assert patiently(held.act, sleep=held.slept.append) == "done"
    assert held.slept == [0.01, 0.02, 0.04]


def test_patience_ends_with_the_system_s_own_error() -> None:
    held = HeldOpen(100)
    with pytest.raises(PermissionError, match="in use"):
        patiently(held.act, sleep=held.slept.append)
    assert held.slept == list(PAUSES)
    assert 2.4 < sum(PAUSES) < 2.6


def test_an_error_that_no_waiting_can_mend_is_raised_at_once(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        replace(tmp_path / "missing", tmp_path / "target")


def test_removing_what_is_not_there_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    unlink(tmp_path / "file")
    unlink(tmp_path / "file")
    assert not list(tmp_path.iterdir())


def test_a_file_is_replaced_whole_and_nothing_else_is_left(tmp_path: Path) -> None:
    place = tmp_path / "a.json"
    write_atomically(place, b"old")
    write_atomically(place, b"new")
    assert place.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [place]


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    place = tmp_path / "a"
    (place / "in the way").mkdir(parents=True)
    with pytest.raises(OSError):
        write_atomically(place, b"a file cannot take a folder's place")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (place / "in the way").is_dir()


@posix_only
def test_only_regular_files_are_opened_and_a_pipe_does_not_hold_us(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    (tmp_path / "folder").mkdir()
    if sys.platform != "win32":
        os.mkfifo(tmp_path / "pipe")
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(str(tmp_path / "socket"))
    for name in ("link", "folder", "pipe", "socket"):
        with pytest.raises(NotRegular):
            open_regular(tmp_path / name)
    with open_regular(tmp_path / "file") as file:
        assert file.read() == b"content"


def test_no_more_than_the_limit_is_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"0123456789")
    assert read_at_most(tmp_path / "file", 4) == b"0123"
    assert read_at_most(tmp_path / "file", 11) == b"0123456789"


@pytest.mark.parametrize("path", ["", ".", "..", "../x", "a/../../x", "/etc/passwd", "a/.."])
def test_a_path_that_leaves_the_home_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(OutsideHome):
        inside(tmp_path, path)


@posix_only
def test_a_link_does_not_lead_out_of_the_home(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "results").symlink_to(tmp_path)
    with pytest.raises(OutsideHome):
        inside(tmp_path / "home", "results/a.json")


def test_an_output_is_written_with_its_folders_and_never_outside(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    outputs = OutputFiles(home)
    trio.run(outputs.write, "results/deep/a.json", b"{}")
    trio.run(outputs.write, "results/deep/a.json", b"[]")
    assert (home / "results" / "deep" / "a.json").read_bytes() == b"[]"
    with pytest.raises(OutsideHome):
        trio.run(outputs.write, "../a.json", b"{}")
    assert [path.name for path in tmp_path.iterdir()] == ["home"]
