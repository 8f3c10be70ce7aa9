"""Whoever watches the bell hears every ring, whatever becomes of its file, and nothing else."""

import errno
import select
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from adapters import bell_watch
from adapters.bell_watch import BellWatch, LookingWatch, watch_bell
from eventstore.bell import WORD, Bell

if sys.platform == "linux":
    from inotify_simple import INotify, flags

    from adapters.bell_watch import InotifyWatch

    KINDS: list[Callable[[Path], BellWatch]] = [InotifyWatch, LookingWatch]
else:
    KINDS = [LookingWatch]

PATIENCE_S = 60.0
"""A ring ends the wait long before; only a lost one lasts so long."""

ROOT = Path(__file__).parents[1]

linux = pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / ".bell"


@pytest.fixture
def bell(path: Path) -> Iterator[Bell]:
    bell = Bell(path)
    yield bell
    bell.close()


@pytest.fixture(params=KINDS)
def watch(request: pytest.FixtureRequest, path: Path, bell: Bell) -> Iterator[BellWatch]:
    """Of a bell that has been rung and heard."""
    bell.ring()
    watch: BellWatch = request.param(path)
    assert watch.heard()
    yield watch
    watch.close()


def test_the_first_answer_is_yes_and_the_next_is_no(path: Path) -> None:
    for kind in KINDS:
        watch = kind(path)
        assert [watch.heard(), watch.heard()] == [True, False]
        watch.close()
        watch = kind(path)
        assert [watch.wait(PATIENCE_S), watch.wait(0)] == [True, False]
        watch.close()


def test_a_ring_is_heard_once_and_so_are_many(watch: BellWatch, bell: Bell) -> None:
    for rings in (1, 3):
        for _ in range(rings):
            bell.ring()
        assert [watch.heard(), watch.heard()] == [True, False]
        bell.ring()
        assert watch.wait(PATIENCE_S)
        assert not watch.wait(0)


RING = """
import sys
from pathlib import Path
from eventstore.bell import Bell
Bell(Path(sys.argv[1])).ring()
"""


def test_a_ring_of_another_process_ends_the_wait(watch: BellWatch, path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", RING, str(path)], cwd=ROOT) as ringer:
        assert watch.wait(PATIENCE_S)
        assert ringer.wait(PATIENCE_S) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_bell_that_is_made_later_is_heard(
    kind: Callable[[Path], BellWatch], path: Path, bell: Bell
) -> None:
    watch = kind(path)
    watch.heard()
    for _ in range(3):
        assert not watch.wait(0)
        bell.ring()
        assert watch.wait(PATIENCE_S)
    watch.close()


def test_a_bell_of_another_length_is_heard(watch: BellWatch, path: Path, bell: Bell) -> None:
    for length in (0, 3 * WORD):
        path.write_bytes(b"." * length)
        watch.heard()
        for _ in range(2):
            bell.ring()
            assert watch.wait(PATIENCE_S)
            assert not watch.heard()


posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps the name of a file that is open")


def remove(path: Path) -> None:
    path.unlink()


def move_away(path: Path) -> None:
    path.rename(path.with_name("moved"))


def replace(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(b"another one")
    other.replace(path)


def move_away_and_back(path: Path) -> None:
    path.rename(path.with_name("moved")).rename(path)


@posix
@pytest.mark.parametrize("change", [remove, move_away, replace, move_away_and_back])
@pytest.mark.parametrize("meanwhile", [False, True])
def test_a_bell_that_lost_its_file_is_heard_again(
    watch: BellWatch, path: Path, bell: Bell, change: Callable[[Path], None], meanwhile: bool
) -> None:
    change(path)
    if meanwhile:
        watch.heard()
    for _ in range(3):
        bell.ring()
        assert watch.wait(PATIENCE_S)
        assert not watch.heard()
    assert path.exists()


@posix
def test_a_file_that_is_the_bell_no_longer_is_not_listened_to(watch: BellWatch, path: Path) -> None:
    with path.open("ab", buffering=0) as old:
        replace(path)
        while watch.heard():
            continue
        old.write(b".")
        if watch.descriptor is not None:
            assert select.select([watch.descriptor], [], [], 0) == ([], [], [])
        assert not watch.wait(0)


def test_other_files_of_the_folder_are_none_of_its_business(watch: BellWatch, path: Path, bell: Bell) -> None:
    other = path.with_name("events.db-wal")
    other.write_bytes(b"frames")
    other.replace(path.with_name("events.db"))
    assert not watch.wait(0)
    bell.ring()
    other.write_bytes(b"frames")
    assert [watch.heard(), watch.heard()] == [True, False]


@linux
def test_what_the_kernel_had_no_room_for_counts_as_a_ring(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = InotifyWatch(path)
    assert [watch.heard(), watch.heard()] == [True, False]
    overflow = struct.pack("iIII", -1, flags.Q_OVERFLOW, 0, 0)
    monkeypatch.setattr(watch, "_told", lambda: overflow)
    assert watch.heard()
    watch.close()


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@linux
def test_where_inotify_is_refused_the_file_is_looked_at(
    path: Path, bell: Bell, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = open_files()

    class Refusing(INotify):  # type: ignore[misc]
        def add_watch(self, *words: object) -> int:
            raise OSError(errno.ENOSPC, "the user's limit of watches was reached")

    def none_left(**words: object) -> None:
        raise OSError(errno.EMFILE, "the user's limit of instances was reached")

    for refusal in (Refusing, none_left):
        monkeypatch.setattr(bell_watch, "INotify", refusal)
        watch = watch_bell(path)
        assert isinstance(watch, LookingWatch)
        assert watch.heard()
        bell.ring()
        assert watch.wait(PATIENCE_S)
    bell.close()
    assert open_files() == before


@linux
def test_a_bell_that_may_not_be_watched_any_more_ends_nobody(
    watch: BellWatch, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*words: object) -> int:
        raise PermissionError(errno.EACCES, "not yours")

    if isinstance(watch, InotifyWatch):
        monkeypatch.setattr(watch._kernel, "add_watch", refused)
    path.unlink()
    assert watch.heard()
    assert not watch.heard()
