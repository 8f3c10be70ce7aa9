"""However the mirror was hurt, afterwards it equals the log; and it never loses what the log lacks."""

import stat
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from eventstore.event import ANY
from eventstore.memory_log import MemoryLog
from eventstore.sqlite.log import SqliteLog
from eventstore.text import mirror as module
from eventstore.text.mirror import Mirror, MirrorAhead, Repair
from tests.log_contract import fact, facts


@pytest.fixture
def log() -> MemoryLog:
    log = MemoryLog()
    log.append("a-1", [fact(0, data={"number": 0, "text": "größer\n"}), *facts(*range(1, 7))], ANY)
    return log


@pytest.fixture
def mirror(log: MemoryLog, tmp_path: Path) -> Mirror:
    mirror = Mirror(tmp_path / "events.ndjson", log)
    mirror.catch_up()
    return mirror


def whole(log: MemoryLog | SqliteLog) -> bytes:
    return b"".join(event.line + b"\n" for event in log.all())


def test_the_mirror_of_an_empty_log_is_an_empty_file_and_grows_without_a_repair(tmp_path: Path) -> None:
    log = MemoryLog()
    mirror = Mirror(tmp_path / "events.ndjson", log)
    assert mirror.catch_up() is None
    assert mirror.path.read_bytes() == b""
    for number in range(3):
        log.append("a-1", facts(number), ANY)
        assert mirror.catch_up() is None
        assert mirror.path.read_bytes() == whole(log)
    assert mirror.catch_up() is None


def test_a_torn_last_line_is_mended_from_the_log_at_every_byte_of_the_last_three_lines(
    log: MemoryLog, mirror: Mirror
) -> None:
    good = whole(log)
    lines = good.splitlines(keepends=True)
    ends = {sum(map(len, lines[:count])): count for count in range(len(lines) + 1)}
    for cut in range(sum(map(len, lines[:-3])), len(good)):
        mirror.path.write_bytes(good[:cut])
        repair = mirror.catch_up()
        assert mirror.path.read_bytes() == good
        if cut in ends:  # whole lines are only behind: nothing was wrong
            assert repair is None
        else:
            before = max(end for end in ends if end < cut)
            assert repair == Repair("its last line was torn", cut - before, len(lines) - ends[before])
        assert mirror.catch_up() is None


HURTS: dict[str, Callable[[bytes], bytes]] = {
    "CRLF": lambda good: good.replace(b"\n", b"\r\n"),
    "CRLF in the last line": lambda good: good[:-1] + b"\r\n",
    "BOM": lambda good: b"\xef\xbb\xbf" + good,
    "NUL tail": lambda good: good + b"\0" * 4096,
    "last block turned to NUL": lambda good: good[:-100] + b"\0" * 100,
    "all NUL": lambda good: b"\0" * len(good),
    "missing final newline": lambda good: good[:-1],
    "an empty line": lambda good: good + b"\n",
    "a line of prose": lambda good: good + b"hello\n",
    "half a line in the middle": lambda good: good + good[:50] + b"\n",
    "last line twice": lambda good: good + good.splitlines(keepends=True)[-1],
    "last two swapped": lambda good: b"".join(
        [*good.splitlines(keepends=True)[:-2], *reversed(good.splitlines(keepends=True)[-2:])]
    ),
    "first line lost": lambda good: b"".join(good.splitlines(keepends=True)[1:]),
    "other key order": lambda good: good.replace(b'{"actor":"cli:ada",', b"{").replace(
        b"}\n", b',"actor":"cli:ada"}\n'
    ),
    "UTF-16": lambda good: good.decode().encode("utf-16"),
    "a BOM alone": lambda good: b"\xef\xbb\xbf",
    "one newline": lambda good: b"\n",
    "binary": lambda good: bytes(range(256)) * 600,
}


@pytest.mark.parametrize("hurt", HURTS)
def test_a_hurt_mirror_is_mended_and_the_repair_reported(log: MemoryLog, mirror: Mirror, hurt: str) -> None:
    good = whole(log)
    bad = HURTS[hurt](good)
    mirror.path.write_bytes(bad)
    repair = mirror.catch_up()
    assert mirror.path.read_bytes() == good
    assert repair is not None
    assert repair.bytes_cut > 0
    kept = len(bad) - repair.bytes_cut
    assert bad[:kept] == good[:kept]
    assert repair.lines_written == good[kept:].count(b"\n")
    assert mirror.catch_up() is None


def test_a_lost_mirror_is_written_anew_and_reported(log: MemoryLog, mirror: Mirror) -> None:
    mirror.path.unlink()
    assert mirror.catch_up() == Repair("it was missing", 0, 7)
    assert mirror.path.read_bytes() == whole(log)


def test_who_is_about_to_append_is_told_that_the_mirror_is_ahead(log: MemoryLog, mirror: Mirror) -> None:
    mirror.check()
    shorter = MemoryLog()
    with pytest.raises(MirrorAhead, match="events"):
        Mirror(mirror.path, shorter).check()
    mirror.path.unlink()
    Mirror(mirror.path, shorter).check()


def test_events_of_another_past_are_kept_beside_before_they_are_cut(log: MemoryLog, mirror: Mirror) -> None:
    """A log put back from a backup that went on: the mirror holds what no log holds any more."""
    old = whole(log)
    lost = old.replace(b'"number":6', b'"number":66', 1)
    mirror.path.write_bytes(lost)
    repair = mirror.catch_up()
    assert repair is not None
    assert "kept as events.ndjson.aside-1" in repair.problem
    assert mirror.path.with_name("events.ndjson.aside-1").read_bytes() == lost
    assert mirror.path.read_bytes() == old


def test_a_change_in_the_middle_is_found_by_a_thorough_look(log: MemoryLog, mirror: Mirror) -> None:
    good = whole(log)
    mirror.path.write_bytes(good.replace(b'"number":3', b'"number":4', 1))
    assert mirror.catch_up() is None
    repair = mirror.catch_up(thorough=True)
    assert repair is not None
    problem = "it differed from the log after line 3; what it held was kept as events.ndjson.aside-1"
    assert (repair.problem, repair.lines_written) == (problem, 4)
    assert mirror.path.read_bytes() == good
    assert b'"number":4' in mirror.path.with_name("events.ndjson.aside-1").read_bytes()
    assert mirror.catch_up(thorough=True) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda good: good,
        lambda good: good[:-1],
        lambda good: good + b'{"torn":',
        lambda good: good.replace(b"\n", b"\r\n"),
        lambda good: b"\xef\xbb\xbf" + good,
        lambda good: good + b"\n",
    ],
    ids=["whole", "no final newline", "torn", "CRLF", "BOM", "empty line"],
)
def test_a_mirror_ahead_of_the_log_is_not_touched(
    log: MemoryLog, mirror: Mirror, change: Callable[[bytes], bytes]
) -> None:
    content = change(whole(log))
    mirror.path.write_bytes(content)
    older = MemoryLog()
    older.append("a-1", [fact(0, data={"number": 0, "text": "größer\n"}), *facts(1, 2)], ANY)
    with pytest.raises(MirrorAhead, match="the log ends at 3: the log is older than its mirror") as ahead:
        Mirror(mirror.path, older).catch_up()
    assert ahead.value.head == 3
    assert ahead.value.position > 3
    assert mirror.path.read_bytes() == content


def test_long_lines_and_many_are_written_in_chunks(
    log: MemoryLog, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHUNK", 5000)
    monkeypatch.setattr(module, "BLOCK", 64)
    text = "z" * 20_000
    log.append("b-1", [fact(n, data={"text": text if n % 10 == 0 else ""}) for n in range(99)], ANY)
    assert mirror.catch_up() is None
    good = whole(log)
    assert mirror.path.read_bytes() == good
    mirror.path.write_bytes(good[:-9])
    repair = mirror.catch_up()
    assert repair is not None
    assert repair.lines_written == 1
    assert mirror.path.read_bytes() == good


@pytest.mark.skipif(sys.platform == "win32", reason="files have no such modes there")
def test_others_may_read_the_mirror_and_not_write_it(mirror: Mirror) -> None:
    mirror.path.chmod(0o666)
    mirror.catch_up()
    assert stat.S_IMODE(mirror.path.stat().st_mode) == 0o644


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits a process's files through psutil")
def test_a_disk_that_refuses_is_an_os_error_and_leaves_no_half_a_line(log: MemoryLog, tmp_path: Path) -> None:
    path, this = tmp_path / "events.ndjson", psutil.Process()
    before = this.rlimit(psutil.RLIMIT_FSIZE)
    this.rlimit(psutil.RLIMIT_FSIZE, (100, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            Mirror(path, log).catch_up()
    finally:
        this.rlimit(psutil.RLIMIT_FSIZE, before)
    assert path.read_bytes() == b""


def test_all_who_append_at_once_leave_a_mirror_that_equals_the_log(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    SqliteLog.create(path).close()

    def work(name: int) -> None:
        own = SqliteLog(path)
        for number in range(15):
            own.append(f"s-{name}", [fact(number, f"t{name}")], ANY)
            Mirror(tmp_path / "events.ndjson", own).catch_up()
        own.close()

    threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log = SqliteLog(path)
    assert log.head() == 60
    assert (tmp_path / "events.ndjson").read_bytes() == whole(log)
    log.close()
