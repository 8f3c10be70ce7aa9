"""The real program on a disk that is full, low, read-only or taken away: it says so and loses nothing."""

import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from adapters import volume
from adapters.home import Home
from adapters.home_making import Occupied, make_home
from adapters.storage import open_storage
from eventstore.event import Recorded
from eventstore.log import LogUnreadable
from schemas import names
from tests.reading_evt import Evt
from tests.service import (
    PATIENCE_S,
    drop,
    events,
    evt,
    folder,
    home_at,
    running,
    task_text,
    until,
)
from tests.small_disk import SmallDisk, small_disk

ROOT = Path(__file__).parents[1]
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="signals, and files removed while open")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk", "16m") as made:
        yield made


def is_a(kind: str, task_id: str | None = None) -> Callable[[Recorded], bool]:
    stream = None if task_id is None else names.task_stream(task_id)
    return lambda event: event.type == kind and stream in (None, event.stream)


def outside(tmp_path: Path) -> tuple[Path, str]:
    """A working directory on another disk than the home's, and the settings that allow it."""
    made = folder(tmp_path)
    return made, f"CLAUDE_ALLOWED_ROOT={tmp_path.resolve()}\n"


def said_once(text: str) -> None:
    """One sentence, perhaps a second one that says what to do; never a traceback."""
    assert "Traceback" not in text
    assert text.startswith("evt: ")
    assert len(text.splitlines()) <= 2, text


def test_a_service_on_a_full_disk_waits_says_so_and_goes_on_when_there_is_room(
    disk: SmallDisk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place, settings = outside(tmp_path)
    home = home_at(disk.root / "home", f"{settings}DISK_RESERVE_MB=1\n")
    told = home / "service.txt"
    with running(home, "--quiet") as service:
        drop(home, "one", task_text(place))
        until(home, is_a(names.TASK_SUCCEEDED, "one"))
        hidden = home / "tasks" / ".two.tmp"
        hidden.write_text(task_text(folder(tmp_path, "other")), encoding="utf-8", newline="\n")
        disk.fill()
        hidden.replace(home / "tasks" / "two.task.md")
        while "no space left for the log" not in told.read_text(encoding="utf-8"):
            assert service.poll() is None, told.read_text(encoding="utf-8")
            time.sleep(0.01)
        here = Evt(home, capsys)
        refused = here("add", "read this and tell me", "--cwd", str(place))
        assert refused.code == 74
        assert "nothing was taken in" in refused.err
        said_once(refused.err)
        status = here("status")
        assert status.code == 0, status.err
        disk.make_room()
        low = until(home, is_a(names.DISK_LOW))
        until(home, is_a(names.DISK_RESTORED))
        until(home, is_a(names.TASK_SUCCEEDED, "two"))
        service.send_signal(signal.SIGTERM)
        assert service.wait(PATIENCE_S) == 0
    assert low.data["path"] == str(home / "logs")
    text = told.read_text(encoding="utf-8")
    assert "the log can be written again: everything goes on" in text
    assert "Traceback" not in text
    log = events(home)
    assert [event.global_position for event in log] == list(range(1, len(log) + 1))
    count = Counter(event.type for event in log)
    assert (count[names.TASK_SUCCEEDED], count[names.TASK_INTERRUPTED]) == (2, 0)
    assert here("replay", "--verify").code == 0


def test_below_the_reserve_nothing_is_begun_and_each_verb_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = home_at(tmp_path / "home", "DISK_RESERVE_MB=1000000\n")  # nobody's disk has so much
    here = Evt(home, capsys)
    drop(home, "one", task_text(folder(home)))
    drained = evt(home, "run", "--drain", "--drain-wait", "0", "--quiet")
    assert drained.returncode == 74, drained.stderr
    assert f"the disk of {home / 'logs'} is low" in drained.stderr
    assert "DISK_RESERVE_MB" in drained.stderr
    types = [event.type for event in events(home)]
    assert types.count(names.DISK_LOW) == 1
    assert names.TASK_RECEIVED not in types
    assert (home / "tasks" / "one.task.md").is_file()

    added = here("add", "read this and tell me")
    assert added.code == 74
    said_once(added.err)
    status = here("status").out
    assert "disk     low since" in status
    assert "nothing is begun; make room, and it goes on by itself" in status
    assert "nothing is begun until there is room" in here("tail").out

    settings = (home / ".env").read_text(encoding="utf-8").replace("=1000000", "=0")
    (home / ".env").write_text(settings, encoding="utf-8", newline="\n")
    assert evt(home, "run", "--drain", "--quiet").returncode == 0
    types = [event.type for event in events(home)]
    assert (types.count(names.DISK_LOW), types.count(names.DISK_RESTORED)) == (1, 1)
    assert names.TASK_SUCCEEDED in types
    assert "disk " not in here("status").out


CRASH = """
import os, sys
from pathlib import Path
from eventstore.event import ANY
from eventstore.sqlite.log import SqliteLog
from tests.log_contract import fact
SqliteLog(Path(sys.argv[1])).append("system", [fact(1)], ANY)
os._exit(0)
"""


@pytest.mark.parametrize("crashed", [False, True], ids=["closed", "crashed"])
def test_on_a_read_only_file_system_one_can_read_and_is_told_why_one_cannot_write(
    disk: SmallDisk, capsys: pytest.CaptureFixture[str], crashed: bool
) -> None:
    home = home_at(disk.root / "home", "DISK_RESERVE_MB=1\n")
    here = Evt(home, capsys)
    assert here("add", "read this and tell me").code == 0
    (task_id,) = {event.data["task_id"] for event in events(home) if event.type == names.TASK_RECEIVED}
    if crashed:
        log = home / "logs" / "events.db"
        subprocess.run([sys.executable, "-c", CRASH, str(log)], cwd=ROOT, check=True)
    disk.remount("ro")
    for words in (["status"], ["list"], ["show", task_id], ["tail", "-n", "3"], ["project", "queue"]):
        read = here(*words)
        assert read.code == 0, (words, read.err)
        assert read.out
    if crashed:
        assert "thing_happened" in here("tail").out, "what stands in the write-ahead log is read"
    for words in (["add", "read this and tell me"], ["cancel", task_id], ["run", "--drain"], ["pause"]):
        written = here(*words)
        assert written.code == 74, (words, written.err)
        assert "mounted read-only" in written.err
        said_once(written.err)


@posix_only
@pytest.mark.parametrize("taken", ["events.db-wal", "events.db-shm"])
def test_a_service_whose_log_files_were_removed_ends_with_a_sentence_and_nothing_is_lost(
    tmp_path: Path, taken: str
) -> None:
    home = home_at(tmp_path / "home")
    with running(home, "--quiet") as service:
        until(home, is_a(names.ORCHESTRATOR_STARTED))
        before = events(home)
        (home / "logs" / taken).unlink()
        assert service.wait(PATIENCE_S) == 74
    text = (home / "service.txt").read_text(encoding="utf-8")
    assert f"{taken} was re" in text  # removed, or replaced: somebody may have looked meanwhile
    assert "nothing is lost" in text
    assert "Traceback" not in text
    drop(home, "one", task_text(folder(home)))
    assert evt(home, "run", "--drain", "--quiet").returncode == 0
    after = events(home)
    assert [event.line for event in after[: len(before)]] == [event.line for event in before]
    assert names.TASK_SUCCEEDED in {event.type for event in after}


def kept_open(process: psutil.Process) -> int:
    """How many handles it has open once it opens no more: in twenty looks none more than in the first."""
    looks: list[int] = []
    while len(looks) < 20:
        now = process.num_fds()
        looks = [*looks, now] if not looks or now <= max(looks) else [now]
        time.sleep(0.1)
    return max(looks)


@pytest.mark.skipif(sys.platform != "linux", reason="the limits of a living process are set on Linux alone")
def test_a_service_without_free_handles_neither_falls_nor_spins(tmp_path: Path) -> None:
    home = home_at(tmp_path / "home")
    with running(home, "--quiet", "--workers", "6") as service:
        until(home, is_a(names.ORCHESTRATOR_STARTED))
        process = psutil.Process(service.pid)
        most = kept_open(process) + 4  # enough for the log and the inbox, and not for an agent's pipes
        process.rlimit(psutil.RLIMIT_NOFILE, (most, most))
        for number in range(6):
            drop(home, f"t{number}", task_text(folder(home, f"s{number}")))
        until(home, is_a(names.CIRCUIT_OPENED))
        log = events(home)
        service.send_signal(signal.SIGTERM)
        assert service.wait(PATIENCE_S) == 0
    text = (home / "service.txt").read_text(encoding="utf-8")
    assert "Traceback" not in text
    retries = [event for event in log if event.type == names.RETRY_SCHEDULED]
    assert {event.data["reason"] for event in retries} == {"agent_not_started"}
    assert all("Too many open files" in event.data["sentence"] for event in retries)
    assert len(log) < 150, "it does not try in vain again and again"
    assert names.TASK_FAILED not in {event.type for event in log}


# where a home lies


def mounts(*found: tuple[str, str]) -> list[SimpleNamespace]:
    return [SimpleNamespace(mountpoint=place, fstype=kind, opts="rw") for place, kind in found]


@pytest.mark.parametrize(
    ("kind", "network"),
    [
        *((kind, True) for kind in ("nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "fuse.rclone", "ceph")),
        *((kind, False) for kind in ("ext4", "xfs", "btrfs", "tmpfs", "overlay", "apfs", "fuse.ntfs-3g")),
    ],
)
def test_a_network_file_system_is_known_by_its_type(tmp_path: Path, kind: str, network: bool) -> None:
    place = tmp_path.resolve()
    found = volume.network_volume(place / "home", mounts(("/", "ext4"), (str(place), kind)))
    assert (found is not None) == network


def test_the_file_system_that_was_mounted_last_and_deepest_counts(tmp_path: Path) -> None:
    place = tmp_path.resolve()
    home = place / "a" / "home"
    assert volume.network_volume(home, mounts((str(place), "nfs"), (str(place / "a"), "ext4"))) is None
    assert volume.network_volume(home, mounts((str(place / "a"), "ext4"), (str(place), "nfs"))) is None
    over = volume.network_volume(home, mounts((str(place / "a"), "ext4"), (str(place / "a"), "nfs")))
    assert over == volume.Volume("nfs", str(place / "a"))
    assert volume.network_volume(home, mounts((str(place / "a" / "hom"), "nfs"))) is None


def test_no_log_is_written_on_a_network_file_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = home_at(tmp_path / "home").resolve()
    monkeypatch.setattr(volume, "mounted", lambda: mounts((str(root.parent), "nfs4")))
    with pytest.raises(LogUnreadable, match=r"network file system \(nfs4, .* disk of this machine"):
        open_storage(Home(root, named=True))
    with pytest.raises(Occupied, match="network file system"):
        make_home(tmp_path / "another", register=False)
    assert not (tmp_path / "another").exists()


@pytest.mark.parametrize("name", ["OneDrive", "OneDrive - Company", "Dropbox", "iCloud Drive", "Nextcloud"])
def test_a_folder_that_another_program_copies_is_known_by_its_name(tmp_path: Path, name: str) -> None:
    assert volume.warning(tmp_path / "plain", {}) is None
    said = volume.warning(tmp_path / name / "home", {})
    assert said is not None
    assert said.startswith(name.split(" ")[0])


def test_a_folder_that_another_program_copies_is_known_by_its_mark_and_by_the_environment(
    tmp_path: Path,
) -> None:
    home = tmp_path / "work" / "home"
    home.mkdir(parents=True)
    assert volume.synced_by(home, {"OneDriveCommercial": str(tmp_path / "elsewhere")}) is None
    assert volume.synced_by(home, {"OneDriveCommercial": str(tmp_path)}) == "OneDrive"
    (tmp_path / "work" / ".stfolder").mkdir()
    assert volume.synced_by(home, {}) == "Syncthing"


def test_a_home_in_such_a_folder_is_warned_of_when_it_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "Dropbox" / "home"
    assert "note: Dropbox keeps" in Evt(root, capsys)("init", str(root)).err
