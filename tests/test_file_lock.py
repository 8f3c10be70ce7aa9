"""One holder at a time, in a process and between processes, and none after its death."""

import subprocess
import sys
from pathlib import Path

import pytest

from eventstore.file_lock import FileLock

ROOT = Path(__file__).parents[1]
HOLD = """
import subprocess, sys
from pathlib import Path
from eventstore.file_lock import FileLock
lock = FileLock(Path(sys.argv[1]))
lock.acquire()
if "child" in sys.argv:    # it outlives its parent, and must not take the lock along
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=0, stdout=subprocess.DEVNULL)
print("held", flush=True)
input()
"""


def holder(path: Path, *more: str) -> "subprocess.Popen[str]":
    """Another process that holds the lock until its stdin ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path), *more],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / ".gate"


def test_two_locks_of_one_process_exclude_each_other(path: Path) -> None:
    one, other = FileLock(path), FileLock(path)
    assert one.try_acquire()
    assert not other.try_acquire()
    assert (one.held, other.held) == (True, False)
    one.release()
    assert other.acquire()
    other.release()
    other.release()
    assert path.exists()


def test_a_held_lock_is_not_taken_twice(path: Path) -> None:
    lock = FileLock(path)
    with lock:
        with pytest.raises(RuntimeError, match="held already"):
            lock.acquire()
        assert lock.held
    assert not lock.held


def test_an_error_inside_gives_the_lock_back(path: Path) -> None:
    with pytest.raises(KeyError), FileLock(path):
        raise KeyError
    assert FileLock(path).try_acquire()


@pytest.mark.parametrize("more", [(), ("child",)], ids=["alone", "with a child that lives on"])
def test_a_lock_ends_with_the_process_that_holds_it(path: Path, more: tuple[str, ...]) -> None:
    process = holder(path, *more)
    with process:
        lock = FileLock(path)
        assert not lock.try_acquire()
        process.kill()
        assert lock.acquire()  # blocks until the system has taken it back
        lock.release()


def test_a_waiter_gets_the_lock_when_it_is_given_back(path: Path) -> None:
    process = holder(path)
    with process:
        assert process.stdin is not None
        process.stdin.close()
        with FileLock(path) as lock:
            assert lock.held


@pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be removed there")
def test_a_lock_on_a_removed_file_binds_nobody_and_is_not_taken(path: Path) -> None:
    with FileLock(path):
        path.unlink()
        with FileLock(path):
            assert path.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be removed there")
def test_a_lock_whose_file_stays_open_is_not_taken_on_one_that_was_replaced(path: Path) -> None:
    lock = FileLock(path, keep_open=True)
    with lock:
        assert not FileLock(path).try_acquire()
    path.unlink()
    with FileLock(path):
        assert not lock.try_acquire()
    with lock:
        assert not FileLock(path).try_acquire()
    lock.close()
    assert FileLock(path).try_acquire()


def test_a_lock_whose_file_stays_open_binds_nobody_while_it_is_not_held(path: Path) -> None:
    lock = FileLock(path, keep_open=True)
    with lock:
        pass
    with FileLock(path):
        assert not lock.try_acquire()
    assert lock.try_acquire()
    lock.close()
    assert not lock.held


def test_a_lock_in_a_folder_that_is_not_there_is_an_os_error(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "no" / ".gate")
    with pytest.raises(FileNotFoundError):
        lock.acquire()
    assert not lock.held


def test_the_locked_file_can_be_read_by_others(path: Path) -> None:
    path.write_text("who holds it", encoding="utf-8")
    with FileLock(path):
        assert path.read_text(encoding="utf-8") == "who holds it"
