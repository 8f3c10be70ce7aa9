"""The inbox: a scan is the truth, and nothing is moved by mistake."""

import hashlib
import os
import socket
import sys
from pathlib import Path

import pytest
import trio

from adapters.safe_files import NotRegular, OutsideHome, replace
from adapters.watchdog_inbox import WatchdogInbox

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="links, pipes and names as POSIX has them")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "tasks").mkdir()
    return tmp_path


def drop(home: Path, name: str, content: bytes = b"a task", mtime: int | None = None) -> str:
    path = home / "tasks" / name
    path.write_bytes(content)
    if mtime is not None:
        os.utime(path, ns=(mtime, mtime))
    return hashlib.sha256(content).hexdigest()


def names(home: Path) -> list[str]:
    return [dropped.name for dropped in trio.run(WatchdogInbox(home).scan)]


def archive(
    home: Path, name: str, sha256: str | None, target: str = "tasks/processed/a.queued.task.md"
) -> str | None:
    return trio.run(WatchdogInbox(home).archive, name, sha256, target)


def left(home: Path) -> list[str]:
    return sorted(path.relative_to(home).as_posix() for path in home.rglob("*") if not path.is_dir())


# --- scanning and reading


def test_task_files_are_seen_by_age_and_then_by_name(home: Path) -> None:
    drop(home, "young.task.md", mtime=3_000_000_000)
    drop(home, "b.task.md", mtime=2_000_000_000)
    drop(home, "a.task.md", mtime=2_000_000_000)
    drop(home, "z.task.md", mtime=1_000_000_000)
    assert names(home) == ["z.task.md", "a.task.md", "b.task.md", "young.task.md"]


def test_what_editors_and_browsers_leave_behind_is_not_seen(home: Path) -> None:
    (home / "tasks" / "processed").mkdir()
    for name in (
        ".hidden.task.md",
        ".x.task.md.swp",
        "x.task.md~",
        "x.task.md.tmp",
        "x.task.md.crdownload",
        ".~lock.x.task.md#",
        "~$x.task.md",
        "Thumbs.db",
        "x.md",
        "processed/y.task.md",
    ):
        drop(home, name)
    assert names(home) == []


def test_a_fingerprint_changes_when_the_file_does(home: Path) -> None:
    drop(home, "a.task.md", b"one", mtime=1_000_000_000)
    inbox = WatchdogInbox(home)
    first, again = trio.run(inbox.scan), trio.run(inbox.scan)
    assert first == again
    assert (first[0].size, first[0].problem) == (3, None)
    drop(home, "a.task.md", b"two", mtime=2_000_000_000)
    assert trio.run(inbox.scan)[0].fingerprint != first[0].fingerprint


@posix_only
def test_what_is_no_regular_file_is_named_with_its_problem(home: Path) -> None:
    tasks = home / "tasks"
    drop(home, "file.task.md")
    (tasks / "link.task.md").symlink_to(tasks / "file.task.md")
    (tasks / "folder.task.md").mkdir()
    if sys.platform != "win32":
        os.mkfifo(tasks / "pipe.task.md")
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(str(tasks / "s.task.md"))
    inbox = WatchdogInbox(home)
    assert {dropped.name: dropped.problem for dropped in trio.run(inbox.scan)} == {
        "file.task.md": None,
        "link.task.md": "It is a symbolic link; a task file is a regular file.",
        "folder.task.md": "It is a directory; a task file is a regular file.",
        "pipe.task.md": "It is a named pipe; a task file is a regular file.",
        "s.task.md": "It is a socket; a task file is a regular file.",
    }
    for name in ("link.task.md", "folder.task.md", "pipe.task.md", "s.task.md"):
        with pytest.raises(NotRegular):
            trio.run(inbox.read, name, 10)
        assert archive(home, name, None, f"tasks/processed/{name}") == f"tasks/processed/{name}"
    assert names(home) == ["file.task.md"]
    assert (tasks / "processed" / "link.task.md").is_symlink()


@posix_only
def test_a_name_that_is_no_utf_8_is_shown_escaped_and_can_be_handed_back(home: Path) -> None:
    sha256 = drop(home, os.fsdecode(b"\xffx.task.md"))
    inbox = WatchdogInbox(home)
    [dropped] = trio.run(inbox.scan)
    assert dropped.name == "\\xffx.task.md"
    assert dropped.problem == "Its name is not valid UTF-8, so the log could not tell it again."
    assert trio.run(inbox.read, dropped.name, 100) == b"a task"
    assert archive(home, dropped.name, sha256) is not None
    assert names(home) == []


@posix_only
def test_a_name_that_only_looks_escaped_means_itself(home: Path) -> None:
    drop(home, "\\xff.task.md", b"itself")
    [dropped] = trio.run(WatchdogInbox(home).scan)
    assert dropped.problem is None
    assert trio.run(WatchdogInbox(home).read, dropped.name, 100) == b"itself"


def test_no_more_than_the_limit_is_read(home: Path) -> None:
    drop(home, "a.task.md", b"0123456789")
    assert trio.run(WatchdogInbox(home).read, "a.task.md", 4) == b"0123"


@pytest.mark.parametrize("name", ["", "..", "../x", "processed/x.task.md", "/etc/passwd"])
def test_a_name_that_leaves_the_inbox_is_refused(home: Path, name: str) -> None:
    with pytest.raises(OutsideHome):
        trio.run(WatchdogInbox(home).read, name, 10)
    with pytest.raises(OutsideHome):
        archive(home, name, None)


def test_an_inbox_that_is_gone_is_empty(home: Path) -> None:
    (home / "tasks").rmdir()
    assert names(home) == []


@posix_only
def test_an_inbox_that_is_a_link_is_refused(home: Path) -> None:
    (home / "tasks").rename(home / "elsewhere")
    (home / "tasks").symlink_to(home / "elsewhere")
    with pytest.raises(OSError, match="the inbox is a symbolic link"):
        names(home)


def test_an_inbox_that_is_a_file_is_refused(home: Path) -> None:
    (home / "tasks").rmdir()
    (home / "tasks").write_bytes(b"")
    with pytest.raises(OSError, match="the inbox is no folder"):
        names(home)


# --- moving


def test_a_known_file_is_moved_and_moving_it_again_is_done_already(home: Path) -> None:
    sha256 = drop(home, "a.task.md")
    target = "tasks/processed/a.queued.task.md"
    assert archive(home, "a.task.md", sha256) == target
    assert archive(home, "a.task.md", sha256) == target
    assert left(home) == [target]


def test_a_file_with_other_content_is_left_alone(home: Path) -> None:
    drop(home, "a.task.md", b"edited since")
    assert archive(home, "a.task.md", hashlib.sha256(b"a task").hexdigest()) is None
    assert left(home) == ["tasks/a.task.md"]


def test_a_file_that_is_saved_while_it_is_moved_goes_back(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sha256 = drop(home, "a.task.md")

    def saved_at_the_last_moment(source: Path, target: Path) -> None:
        if source.parent.name == "tasks":
            drop(home, "a.task.md", b"another task")
        replace(source, target)

    monkeypatch.setattr("adapters.watchdog_inbox.replace", saved_at_the_last_moment)
    assert archive(home, "a.task.md", sha256) is None
    assert left(home) == ["tasks/a.task.md"]
    assert (home / "tasks" / "a.task.md").read_bytes() == b"another task"


def test_a_taken_target_is_never_overwritten(home: Path) -> None:
    moved = []
    for content in (b"one", b"two", b"three"):
        sha256 = drop(home, "a.task.md", content)
        moved.append(archive(home, "a.task.md", sha256))
        assert archive(home, "a.task.md", sha256) == moved[-1]
    assert moved == [f"tasks/processed/a.queued{part}.task.md" for part in ("", "-2", "-3")]
    assert left(home) == sorted(str(place) for place in moved)


def test_a_target_with_the_same_content_counts_as_done(home: Path) -> None:
    for _ in range(2):
        sha256 = drop(home, "a.task.md")
        assert archive(home, "a.task.md", sha256) == "tasks/processed/a.queued.task.md"
    assert left(home) == ["tasks/processed/a.queued.task.md"]


def test_a_file_that_is_neither_here_nor_there_is_none(home: Path) -> None:
    assert archive(home, "a.task.md", "0" * 64) is None
    assert archive(home, "a.task.md", None) is None
    assert trio.run(WatchdogInbox(home).rearchive, "tasks/processed/a", "tasks/processed/b") is None


def test_without_a_hash_it_is_moved_whatever_it_is(home: Path) -> None:
    drop(home, "a.task.md")
    assert archive(home, "a.task.md", None) == archive(home, "a.task.md", None) is not None
    assert names(home) == []


def test_a_target_outside_the_home_is_refused(home: Path) -> None:
    sha256 = drop(home, "a.task.md")
    with pytest.raises(OutsideHome):
        archive(home, "a.task.md", sha256, "../a.task.md")
    assert left(home) == ["tasks/a.task.md"]


def test_an_archived_file_is_renamed_once(home: Path) -> None:
    sha256 = drop(home, "a.task.md")
    queued, done = "tasks/processed/a.queued.task.md", "tasks/processed/a.succeeded.task.md"
    archive(home, "a.task.md", sha256)
    inbox = WatchdogInbox(home)
    assert trio.run(inbox.rearchive, queued, done) == done
    assert trio.run(inbox.rearchive, queued, done) == done
    assert trio.run(inbox.rearchive, done, done) == done
    drop(home, "processed/a.queued.task.md", b"other")
    assert trio.run(inbox.rearchive, queued, done) == "tasks/processed/a.succeeded-2.task.md"
    assert left(home) == ["tasks/processed/a.succeeded-2.task.md", done]


def test_a_reason_is_written_with_its_folder_whatever_the_text_holds(home: Path) -> None:
    inbox = WatchdogInbox(home)
    trio.run(inbox.write_reason, "tasks/processed/a.reason.txt", "because of \udcff\n")
    assert (home / "tasks" / "processed" / "a.reason.txt").read_bytes() == b"because of \\udcff\n"
    assert left(home) == ["tasks/processed/a.reason.txt"]
