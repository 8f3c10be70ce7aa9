"""The log while its disk fails: no room, a failed sync, files taken away, nothing that may be written."""

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from eventstore.event import ANY, NO_STREAM
from eventstore.log import LogUnreadable, may_be_tried_again
from eventstore.sqlite.errors import translation
from eventstore.sqlite.log import SqliteLog
from tests.log_contract import fact, facts, numbers
from tests.small_disk import SmallDisk, small_disk

ROOT = Path(__file__).parents[1]
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="there nobody removes a file that is open")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk", "2m") as made:
        yield made


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.db"


def filled(log: SqliteLog, size: int) -> int:
    """Append until the disk refuses; how many events were acknowledged."""
    acknowledged = 0
    while True:
        try:
            log.append("a-1", [fact(acknowledged, data={"number": acknowledged, "x": "y" * size})], ANY)
        except OSError as refusal:
            assert refusal.errno == errno.ENOSPC
            assert may_be_tried_again(refusal)
            return acknowledged
        acknowledged += 1


# no room


@pytest.mark.parametrize("size", [10, 3_000, 50_000])
def test_a_full_disk_takes_nothing_harms_nothing_and_the_log_goes_on_when_there_is_room(
    disk: SmallDisk, size: int
) -> None:
    path = disk.root / "events.db"
    log = SqliteLog.create(path)
    acknowledged = filled(log, size)
    for _ in range(3):
        with pytest.raises(OSError, match="no space left"):
            log.append("a-1", [fact(10**6, data={"x": "y" * size})], ANY)
    assert acknowledged > 5
    assert numbers(log.all()) == numbers(log.stream("a-1")) == list(range(acknowledged))
    disk.remount("size=64m")
    place = log.append("b-1", facts(7), NO_STREAM)[0]
    assert place.global_position == acknowledged + 1
    other = SqliteLog(path)
    assert numbers(other.stream("a-1")) == list(range(acknowledged))
    assert other._connection.execute("PRAGMA integrity_check").get == "ok"
    other.close()
    log.close()


def test_a_log_is_read_on_a_disk_without_a_free_byte_and_not_written(disk: SmallDisk) -> None:
    path = disk.root / "events.db"
    log = SqliteLog.create(path)
    log.append("a-1", facts(1, 2), NO_STREAM)
    log.close()
    disk.fill()
    reader = SqliteLog(path, read_only=True)
    assert numbers(reader.all()) == numbers(reader.stream("a-1")) == [1, 2]
    reader.close()
    with pytest.raises(OSError, match="no space left") as refusal:
        SqliteLog(path)
    assert may_be_tried_again(refusal.value)
    disk.make_room()
    SqliteLog(path).close()


CRASH = """
import os, sys
from pathlib import Path
from eventstore.event import ANY
from eventstore.sqlite.log import SqliteLog
from tests.log_contract import facts
log = SqliteLog(Path(sys.argv[1]))
log.append("a-1", facts(int(sys.argv[2])), ANY)
os._exit(0)
"""


@pytest.mark.parametrize("left", ["nothing", "-wal", "-wal and -shm"])
def test_on_a_read_only_file_system_all_is_read_and_nothing_written(disk: SmallDisk, left: str) -> None:
    path = disk.root / "events.db"
    log = SqliteLog.create(path)
    log.append("a-1", facts(1, 2), NO_STREAM)
    log.close()
    expected = [1, 2]
    if left != "nothing":
        subprocess.run([sys.executable, "-c", CRASH, str(path), "3"], cwd=ROOT, check=True)
        expected.append(3)
    if left == "-wal":
        (disk.root / "events.db-shm").unlink()
    disk.remount("ro")
    reader = SqliteLog(path, read_only=True)
    assert numbers(reader.all()) == numbers(reader.stream("a-1")) == expected
    with pytest.raises(OSError, match="mounted read-only") as refusal:
        SqliteLog(path)
    assert refusal.value.errno == errno.EROFS
    assert not may_be_tried_again(refusal.value)
    if left == "nothing":
        disk.remount("rw")
        writer = SqliteLog(path)
        writer.append("a-1", facts(3), ANY)
        with pytest.raises(LogUnreadable, match="read it again"):
            list(reader.all())
        writer.close()
    reader.close()


# which error is which

NOT_NOW, FAILED = True, False


@pytest.mark.parametrize(
    ("error", "code", "said", "number", "again"),
    [
        (apsw.FullError, apsw.SQLITE_FULL, 0, errno.ENOSPC, NOT_NOW),
        (apsw.IOError, apsw.SQLITE_IOERR_WRITE, errno.EDQUOT, errno.EDQUOT, NOT_NOW),
        (apsw.IOError, apsw.SQLITE_IOERR_WRITE, errno.EIO, errno.EIO, FAILED),
        (apsw.IOError, apsw.SQLITE_IOERR_SHMSIZE, errno.ENOSPC, errno.ENOSPC, NOT_NOW),
        (apsw.IOError, apsw.SQLITE_IOERR_FSYNC, errno.EIO, errno.EIO, FAILED),
        (apsw.IOError, apsw.SQLITE_IOERR_FSYNC, errno.ENOSPC, errno.EIO, FAILED),
        (apsw.IOError, apsw.SQLITE_IOERR_FSYNC, errno.EDQUOT, errno.EIO, FAILED),
        (apsw.IOError, apsw.SQLITE_IOERR_READ, errno.EIO, errno.EIO, FAILED),
        (apsw.BusyError, apsw.SQLITE_BUSY, 0, errno.EBUSY, NOT_NOW),
        (apsw.CantOpenError, apsw.SQLITE_CANTOPEN, errno.EMFILE, errno.EMFILE, NOT_NOW),
        (apsw.CantOpenError, apsw.SQLITE_CANTOPEN, 0, errno.EACCES, FAILED),
    ],
)
def test_only_what_touched_no_sync_may_be_tried_again(
    error: type[apsw.Error], code: int, said: int, number: int, again: bool
) -> None:
    raised = error("planted")
    raised.extendedresult = code  # type: ignore[attr-defined]  # as SQLite's own errors have it
    refusal = translation(raised, Path("events.db"), said)
    assert isinstance(refusal, OSError)
    assert (refusal.errno, may_be_tried_again(refusal)) == (number, again)


APPEND = """
import errno, sys
from pathlib import Path
from eventstore.sqlite import health as sqlite_health
from eventstore.event import ANY
from eventstore.sqlite.log import SqliteLog
from tests.log_contract import fact
sqlite_health.CHECKPOINT_PAGES = int(sys.argv[2])
log = SqliteLog(Path(sys.argv[1]))
for number in range(8):
    try:
        log.append("a-1", [fact(number)], ANY)
        print("acknowledged", number)
    except OSError as refusal:
        print(errno.errorcode[refusal.errno], refusal.strerror)
log.close()
"""


def injected(path: Path, file: str, fault: str, pages: int = 1000) -> tuple[list[str], list[str]]:
    """What a process says that appends under the fault, and the syncs of that file, in order."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("there is no strace here")
    SqliteLog.create(path).close()
    trace = path.with_name("trace.txt")
    place = str(path.with_name(file))
    words = [strace, "-f", "-o", str(trace), "-P", place, "-e", f"inject={fault}"]
    done = subprocess.run(
        [*words, "-e", "trace=fdatasync,fsync", sys.executable, "-c", APPEND, str(path), str(pages)],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    if "ptrace" in done.stderr:
        pytest.skip(f"nothing may be traced here: {done.stderr.strip()[:200]}")
    assert done.returncode == 0, done.stderr
    syncs = [line for line in trace.read_text(encoding="utf-8").splitlines() if "sync(" in line]
    return done.stdout.splitlines(), syncs


@pytest.mark.parametrize("fault", ["EIO", "ENOSPC"])
def test_a_failed_sync_is_never_tried_again_not_even_at_the_end(path: Path, fault: str) -> None:
    said, syncs = injected(path, "events.db-wal", f"fdatasync:error={fault}:when=4")
    acknowledged = [line for line in said if line.startswith("acknowledged")]
    refused = said[len(acknowledged) :]
    assert refused[0] == "EIO the disk failed (SQLITE_IOERR_FSYNC)"
    assert all("nothing is written after it" in line for line in refused[1:])
    assert len(refused) > 1
    assert "INJECTED" in syncs[-1], "nothing was synced after it"
    log = SqliteLog(path)
    assert numbers(log.all())[: len(acknowledged)] == list(range(len(acknowledged)))
    log.close()


def test_a_sync_that_fails_while_the_log_is_tidied_up_is_heard_by_the_next_append(path: Path) -> None:
    said, syncs = injected(path, "events.db", "fdatasync:error=EIO:when=1", pages=3)
    acknowledged = [line for line in said if line.startswith("acknowledged")]
    assert 0 < len(acknowledged) < 8
    assert said[len(acknowledged)].startswith("EIO an earlier append failed")
    assert len(syncs) == 1
    log = SqliteLog(path)
    assert numbers(log.all()) == list(range(len(acknowledged)))
    log.close()


# files taken away


def opened(path: Path) -> SqliteLog:
    log = SqliteLog.create(path)
    for number in range(20):
        log.append("a-1", [fact(number)], ANY)
    return log


def beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


@posix_only
@pytest.mark.parametrize("taken", [["-wal"], ["-shm"], ["-wal", "-shm"]], ids="+".join)
def test_a_log_whose_files_were_removed_says_so_and_loses_nothing(path: Path, taken: list[str]) -> None:
    log = opened(path)
    for suffix in taken:
        beside(path, suffix).unlink()
    with pytest.raises(OSError, match=rf"events\.db{taken[0]} was removed .* nothing is lost"):
        log.append("a-1", facts(99), ANY)
    with pytest.raises(OSError, match="nothing is written after it"):
        log.append("a-1", facts(99), ANY)
    log.close()
    again = SqliteLog(path)
    assert numbers(again.all()) == list(range(20))
    assert again._connection.execute("PRAGMA integrity_check").get == "ok"
    again.close()


@posix_only
def test_who_opens_the_log_anew_beside_removed_files_overwrites_nothing(path: Path) -> None:
    log = opened(path)
    beside(path, "-shm").unlink()
    # Another process: in this one SQLite would go on with the index that it has.
    subprocess.run([sys.executable, "-c", CRASH, str(path), "50"], cwd=ROOT, check=True)
    with pytest.raises(OSError, match=r"events\.db-shm was replaced .* nothing is lost"):
        log.append("b-1", facts(99), ANY)
    log.close()
    again = SqliteLog(path)
    assert numbers(again.all()) == [*range(20), 50]
    again.close()


CUT = """
import os, sys
from pathlib import Path
from eventstore.event import ANY
from eventstore.sqlite.log import SqliteLog
from tests.log_contract import fact
log = SqliteLog.create(Path(sys.argv[1]))
for number in range(20):
    log.append("a-1", [fact(number)], ANY)
os.truncate(sys.argv[1] + "-shm", 0)
try:
    log.append("a-1", [fact(99)], ANY)
except OSError as refusal:
    print(refusal.strerror)
log.close()
"""


@posix_only
def test_an_index_that_was_cut_is_not_touched_which_would_kill_the_process(path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CUT, str(path)], cwd=ROOT, capture_output=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("events.db-shm was cut short while the log was open: nothing is lost")
    again = SqliteLog(path)
    assert numbers(again.all()) == list(range(20))
    again.close()


@posix_only
def test_a_write_ahead_log_that_was_cut_does_not_spoil_the_file(path: Path) -> None:
    log = opened(path)
    os.truncate(beside(path, "-wal"), 0)
    with pytest.raises(OSError, match=r"events\.db-wal was cut short"):
        log.append("a-1", facts(99), ANY)
    log.close()
    again = SqliteLog(path)
    assert again._connection.execute("PRAGMA integrity_check").get == "ok"
    again.close()


@posix_only
def test_an_older_file_in_the_place_of_the_log_is_not_written(path: Path) -> None:
    log = opened(path)
    SqliteLog.create(path.with_name("older.db")).close()
    path.with_name("older.db").replace(path)
    with pytest.raises(OSError, match=r"events\.db was replaced"):
        log.append("a-1", facts(99), ANY)
    log.close()


@posix_only
def test_a_log_that_nobody_appends_to_finds_out_when_it_is_asked(path: Path) -> None:
    log = opened(path)
    log.check_files()
    beside(path, "-wal").unlink()
    with pytest.raises(OSError, match="nothing is lost"):
        log.check_files()
    with pytest.raises(OSError, match="nothing is written after it"):
        log.check_files()
    log.close()


def test_a_write_ahead_log_that_was_emptied_by_rule_is_no_harm(path: Path) -> None:
    log = opened(path)
    other = apsw.Connection(str(path))
    assert other.execute("SELECT count(*) FROM events").get == 20
    assert other.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE) == (0, 0)
    other.close()
    assert log.append("a-1", facts(20), ANY)[0].global_position == 21
    log.close()


# the library


@pytest.mark.parametrize("version", ["3.40.1", "3.51.2"])
def test_a_sqlite_that_may_damage_the_log_only_reads_it(path: Path, version: str) -> None:
    opened(path).close()
    with pytest.raises(LogUnreadable, match=rf"SQLite {version} may damage it .* install apsw 3\.51\.3"):
        SqliteLog(path, library=version)
    reader = SqliteLog(path, read_only=True, library=version)
    assert reader.head() == 20
    reader.close()
    SqliteLog(path, library="3.50.7").close()
