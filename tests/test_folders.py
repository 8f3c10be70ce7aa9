"""What is a real directory, a small text file, a program that can be started."""

import os
import sys
from pathlib import Path

import pytest
import trio

from adapters.folders import Folders

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="links and modes as POSIX has them")


def program(folder: Path, name: str, mode: int = 0o755) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / (name + (".exe" if sys.platform == "win32" else ""))
    path.write_bytes(b"#!/bin/sh\n")
    path.chmod(mode)
    return path


@posix_only
def test_the_real_path_of_a_directory_has_no_links(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert trio.run(Folders("").real, str(tmp_path / "link")) == str(tmp_path.resolve() / "real")


def test_what_is_no_directory_has_no_real_path(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8", newline="\n")
    for path in (tmp_path / "missing", tmp_path / "file"):
        assert trio.run(Folders("").real, str(path)) is None
    assert trio.run(Folders("").real, "a\0b") is None


@posix_only
def test_a_loop_of_links_and_a_name_without_utf_8_have_no_real_path(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    odd = tmp_path / os.fsdecode(b"\xff")
    odd.mkdir()
    (tmp_path / "to odd").symlink_to(odd)
    for name in ("a", "to odd"):
        assert trio.run(Folders("").real, str(tmp_path / name)) is None


def test_a_text_file_is_read_up_to_the_limit(tmp_path: Path) -> None:
    (tmp_path / "CLAUDE.md").write_bytes(b"\xef\xbb\xbfbe kind \xff")
    folders = Folders("")
    assert trio.run(folders.read_text, str(tmp_path), "CLAUDE.md", 100) == "be kind �"
    assert trio.run(folders.read_text, str(tmp_path), "CLAUDE.md", 5) == "be"
    assert trio.run(folders.read_text, str(tmp_path), "OTHER.md", 5) is None


@posix_only
def test_a_link_is_not_read_as_text(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x", encoding="utf-8", newline="\n")
    (tmp_path / "CLAUDE.md").symlink_to(tmp_path / "secret")
    assert trio.run(Folders("").read_text, str(tmp_path), "CLAUDE.md", 100) is None


@pytest.mark.parametrize("name", ["../CLAUDE.md", "a/b", "", ".", ".."])
def test_a_name_that_leaves_the_directory_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="is not the name of a file"):
        trio.run(Folders("").read_text, str(tmp_path), name, 100)


def test_a_program_is_found_on_the_given_path_in_its_order(tmp_path: Path) -> None:
    program(tmp_path / "late", "agent")
    early = program(tmp_path / "early", "agent")
    folders = Folders(
        os.pathsep.join([str(tmp_path / "none"), str(tmp_path / "early"), str(tmp_path / "late")])
    )
    found = trio.run(folders.executable, "agent")
    assert found is not None
    assert os.path.normcase(found) == os.path.normcase(early)
    assert trio.run(folders.executable, "other") is None
    assert trio.run(folders.executable, "") is None


def test_a_full_path_counts_only_where_it_can_be_started(tmp_path: Path) -> None:
    there = program(tmp_path / "bin", "agent")
    folders = Folders("")
    found = trio.run(folders.executable, str(there))
    assert found is not None
    assert os.path.normcase(found) == os.path.normcase(there)
    assert trio.run(folders.executable, str(tmp_path / "bin")) is None
    assert trio.run(folders.executable, str(tmp_path / "bin" / "missing")) is None


@posix_only
def test_a_file_without_the_executable_bit_is_no_program(tmp_path: Path) -> None:
    plain = program(tmp_path / "bin", "agent", 0o644)
    assert trio.run(Folders(str(tmp_path / "bin")).executable, "agent") is None
    assert trio.run(Folders("").executable, str(plain)) is None


def test_the_current_directory_is_no_place_for_programs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path / "here", "agent")
    monkeypatch.chdir(tmp_path / "here")
    folders = Folders(os.pathsep.join(["", ".", str(tmp_path / "none")]))
    assert trio.run(folders.executable, "agent") is None
