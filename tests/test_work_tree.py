"""What changed in a working directory."""

import os
import shutil
import sys
from pathlib import Path

import orjson
import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters import work_tree
from adapters.work_tree import WorkTrees, _shown, _unshown

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="links, modes and names as POSIX has them")
needs_git = pytest.mark.skipif(
    shutil.which("git") is None, reason="git builds the repositories of these tests"
)


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8", newline="\n")


def snapshot(cwd: Path, *exclude: Path) -> bytes:
    return trio.run(WorkTrees(exclude).snapshot, str(cwd))


def paths(cwd: Path, *exclude: Path) -> set[str]:
    return set(orjson.loads(snapshot(cwd, *exclude)))


def changes(cwd: Path, before: bytes, *exclude: Path) -> list[tuple[str, ...]]:
    found = trio.run(WorkTrees(exclude).changes, str(cwd), before)
    return [(one.change, one.path, *([one.moved_from] if one.moved_from else [])) for one in found.files]


def test_every_kind_of_change_is_found_and_sorted_by_path(tmp_path: Path) -> None:
    write(tmp_path, {"keep": "1", "edit": "1", "drop": "1", "sub/old": "moved content", "z": "1"})
    before = snapshot(tmp_path)
    write(tmp_path, {"edit": "2", "new/file": "n"})
    (tmp_path / "drop").unlink()
    (tmp_path / "sub" / "old").rename(tmp_path / "sub" / "name")
    assert changes(tmp_path, before) == [
        ("deleted", "drop"),
        ("modified", "edit"),
        ("created", "new/file"),
        ("renamed", "sub/name", "sub/old"),
    ]


def test_equal_states_give_equal_bytes_and_no_changes(tmp_path: Path) -> None:
    write(tmp_path, {"b": "1", "a/c": "2"})
    before = snapshot(tmp_path)
    assert snapshot(tmp_path) == before
    assert changes(tmp_path, before) == []


def test_an_edit_that_keeps_size_and_time_is_found(tmp_path: Path) -> None:
    write(tmp_path, {"file": "one"})
    facts = (tmp_path / "file").stat()
    before = snapshot(tmp_path)
    write(tmp_path, {"file": "two"})
    os.utime(tmp_path / "file", ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert changes(tmp_path, before) == [("modified", "file")]


def test_a_file_that_was_only_touched_is_not_modified(tmp_path: Path) -> None:
    write(tmp_path, {"file": "one"})
    before = snapshot(tmp_path)
    os.utime(tmp_path / "file", ns=(1, 1))
    assert changes(tmp_path, before) == []


def test_a_file_whose_stat_is_the_same_is_not_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, {"old": "one", "fresh": "two"})
    before = orjson.loads(snapshot(tmp_path))
    before["from tomorrow"] = [
        1,
        before["old"][1] + 10**13,
        before["old"][2] and before["old"][2] + 10**13,
        0,
        "x",
    ]
    read: list[str] = []
    content = work_tree._content

    def noting(place: Path, facts: os.stat_result) -> str:
        read.append(place.name)
        return content(place, facts)

    monkeypatch.setattr(work_tree, "_content", noting)
    write(tmp_path, {"fresh": "three"})
    assert ("modified", "fresh") in changes(tmp_path, orjson.dumps(before))
    assert read == ["fresh"]


@posix_only
def test_the_executable_bit_is_a_modification(tmp_path: Path) -> None:
    write(tmp_path, {"script": "x"})
    before = snapshot(tmp_path)
    (tmp_path / "script").chmod(0o755)
    assert changes(tmp_path, before) == [("modified", "script")]


@posix_only
def test_a_link_is_an_entry_with_its_target_and_is_never_followed(tmp_path: Path) -> None:
    write(tmp_path, {"outside/file": "x", "cwd/file": "y"})
    cwd = tmp_path / "cwd"
    (cwd / "folder").symlink_to(tmp_path / "outside")
    (cwd / "dangling").symlink_to("nowhere")
    before = snapshot(cwd)
    assert set(orjson.loads(before)) == {"file", "folder", "dangling"}
    write(tmp_path, {"outside/file": "changed"})
    (cwd / "dangling").unlink()
    (cwd / "dangling").symlink_to("elsewhere")
    (cwd / "file").unlink()
    (cwd / "file").symlink_to("folder/file")
    assert changes(cwd, before) == [("modified", "dangling"), ("modified", "file")]


@posix_only
def test_a_folder_replaced_by_a_link_has_lost_its_files(tmp_path: Path) -> None:
    write(tmp_path, {"cwd/sub/file": "x"})
    cwd = tmp_path / "cwd"
    before = snapshot(cwd)
    (cwd / "sub").rename(tmp_path / "elsewhere")
    (cwd / "sub").symlink_to(tmp_path / "elsewhere")
    assert changes(cwd, before) == [("created", "sub"), ("deleted", "sub/file")]


def test_renames_are_one_to_one_and_prefer_the_same_file_name(tmp_path: Path) -> None:
    write(tmp_path, {"a/one": "same", "a/two": "same", "empty": ""})
    before = snapshot(tmp_path)
    shutil.rmtree(tmp_path / "a")
    (tmp_path / "empty").unlink()
    write(tmp_path, {"b/two": "same", "b/x": "same", "b/y": "same", "void": ""})
    assert changes(tmp_path, before) == [
        ("renamed", "b/two", "a/two"),
        ("renamed", "b/x", "a/one"),
        ("created", "b/y"),
        ("deleted", "empty"),
        ("created", "void"),
    ]


def test_what_is_excluded_is_never_looked_at(tmp_path: Path) -> None:
    write(tmp_path, {"logs/events.db": "x", "sub/logs/file": "y", ".env": "z", "work/t/file": "w"})
    state = [tmp_path / "logs", tmp_path / ".env", tmp_path / "work"]
    assert paths(tmp_path, *state) == {"sub/logs/file"}
    assert paths(tmp_path / "work" / "t", *state) == {"file"}


@posix_only
def test_odd_names_can_be_written_and_their_files_found_again(tmp_path: Path) -> None:
    names = ["new\nline", 'quo"te', "back\\slash", "\\xff", os.fsdecode(b"\xff"), "ünï", "$(id)"]
    for name in names:
        (tmp_path / name).write_bytes(name.encode("utf-8", "surrogateescape"))
    before = snapshot(tmp_path)
    (tmp_path / os.fsdecode(b"\xff")).unlink()
    assert len(orjson.loads(before)) == len(names)
    assert changes(tmp_path, before) == [("deleted", "\\xff")]
    (tmp_path / "\\xff").write_bytes(b"changed")
    assert ("modified", "\\\\xff") in changes(tmp_path, before)


@given(st.binary(min_size=1, max_size=20))
def test_a_shown_name_gives_the_name_back(raw: bytes) -> None:
    name = os.fsdecode(raw.replace(b"/", b"_") if os.sep == "/" else b"name")
    shown = _shown(name)
    assert orjson.loads(orjson.dumps(shown)) == shown
    assert _unshown(shown) == name


@posix_only
def test_pipes_and_sockets_are_no_files(tmp_path: Path) -> None:
    if sys.platform != "win32":
        os.mkfifo(tmp_path / "pipe")
    assert paths(tmp_path) == set()


def test_a_file_that_vanishes_while_it_is_looked_at_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, {"stays": "1", "goes": "2"})
    content = work_tree._content

    def vanishing(place: Path, facts: os.stat_result) -> str:
        (tmp_path / "goes").unlink(missing_ok=True)
        return content(place, facts)

    monkeypatch.setattr(work_tree, "_content", vanishing)
    assert paths(tmp_path) - {"goes"} == {"stays"}
    assert paths(tmp_path) == {"stays"}


def test_a_large_file_is_known_by_its_time_and_its_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work_tree, "LARGE", 100)
    monkeypatch.setattr(work_tree, "END", 10)
    write(tmp_path, {"large": "x" * 200})
    before = snapshot(tmp_path)
    assert orjson.loads(before)["large"][4].startswith("ends:200:")
    with (tmp_path / "large").open("r+b") as file:
        file.seek(195)
        file.write(b"y")
    assert changes(tmp_path, before) == [("modified", "large")]
    (tmp_path / "large").rename(tmp_path / "moved")
    assert changes(tmp_path, snapshot(tmp_path)) == []


def test_a_working_directory_that_is_gone_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        snapshot(tmp_path / "missing")


FILES = st.dictionaries(st.sampled_from(["a", "b", "c/d", "c/e", "f/g/h"]), st.text("xy", max_size=3))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(FILES, FILES)
def test_changes_lead_from_the_state_before_to_the_state_after(
    tmp_path: Path, old: dict[str, str], new: dict[str, str]
) -> None:
    cwd = tmp_path / "cwd"
    shutil.rmtree(cwd, ignore_errors=True)
    cwd.mkdir()
    write(cwd, old)
    before = snapshot(cwd)
    for name in old.keys() - new.keys():
        (cwd / name).unlink()
    write(cwd, new)
    state = dict(old)
    found = changes(cwd, before)
    for change, path, *origin in found:
        if change == "deleted":
            del state[path]
        elif origin:
            assert state.pop(origin[0]) == new[path]
            state[path] = new[path]
        else:
            assert (change == "created") == (path not in old)
            assert old.get(path) != new[path]
            state[path] = new[path]
    assert state == new
    assert found == sorted(found, key=lambda one: one[1])
