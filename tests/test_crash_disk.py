"""The disk after a power loss, rebuilt from a trace: what was synced stays, and nothing else is sure."""

import random
import subprocess
import sys
from pathlib import Path

import pytest

from tools.crash import tracing
from tools.crash.disk import OPTIONS, Disk, Named, Reader, Said, Sync, Write, applied, states

NO_STRACE = tracing.why_not()
LOG = "/home/events.db"


def disk(*happenings: Write | Named | Sync) -> Disk:
    made = Disk()
    for happening in happenings:
        made.take(happening)
    return made


def left(made: Disk) -> list[dict[str, bytes]]:
    dice = random.Random(1)
    return [made.left(chosen) for chosen in states(made, dice, 20)]


def test_what_was_synced_is_in_every_state() -> None:
    made = disk(Named(LOG, 1), Sync("/home"), Write(1, 0, b"a" * 600), Sync(1))
    assert all(state == {LOG: b"a" * 600} for state in left(made))


def test_a_name_stays_when_its_folder_was_synced_and_a_file_when_it_was() -> None:
    assert {} in left(disk(Named(LOG, 1), Write(1, 0, b"a"), Sync(1)))
    assert {LOG: b""} in left(disk(Named(LOG, 1), Sync("/home"), Write(1, 0, b"a")))


def test_a_rename_is_there_or_not_and_its_file_keeps_what_it_held() -> None:
    made = disk(Named(LOG, 1), Sync("/home"), Write(1, 0, b"a"), Sync(1))
    made.take(Named(LOG, None))
    made.take(Named(f"{LOG}-2", 1))
    assert {LOG: b"a"} in left(made)
    assert {f"{LOG}-2": b"a"} in left(made)


def test_an_unsynced_write_is_lost_whole_or_torn_at_sectors() -> None:
    made = disk(Named(LOG, 1), Sync("/home"), Write(1, 0, b"a" * 1536), Sync(1), Write(1, 0, b"b" * 1536))
    found = {state[LOG] for state in left(made)}
    assert {b"a" * 1536, b"b" * 1536, b"b" * 512 + b"a" * 1024, b"b" * 1024 + b"a" * 512} <= found
    assert all(state[at : at + 512] in (b"a" * 512, b"b" * 512) for state in found for at in (0, 512, 1024))


def test_of_two_unsynced_writes_the_later_may_be_there_alone() -> None:
    made = disk(Named(LOG, 1), Sync("/home"), Write(1, 0, b"a"), Write(1, 1, b"b"))
    assert {b"", b"a", b"ab", b"\0b"} <= {state[LOG] for state in left(made)}


def test_what_grows_a_file_may_be_zeros_and_nothing_else_may() -> None:
    made = disk(Named(LOG, 1), Sync("/home"), Write(1, 0, b"a" * 512), Sync(1), Write(1, 512, b"b" * 512))
    assert b"a" * 512 + bytes(512) in {state[LOG] for state in left(made)}
    over = disk(Named(LOG, 1), Sync("/home"), Write(1, 0, b"a" * 512), Sync(1), Write(1, 0, b"b" * 512))
    assert bytes(512) not in {state[LOG] for state in left(over)}


@pytest.mark.parametrize(("length", "content"), [(2, b"ab"), (5, b"abc\0\0")])
def test_a_truncation_cuts_or_grows(length: int, content: bytes) -> None:
    assert applied(b"abc", [(Write(1, length, None), None, False)]) == content


PROGRAM = """
import os, sys
home = sys.argv[1]
log = os.open(home + "/log", os.O_CREAT | os.O_RDWR)
os.pwrite(log, b"one\\0two\\n" * 100, 0)
os.fdatasync(log)
os.write(1, b"1")
os.pwrite(log, b"three", 4)
os.ftruncate(log, 50)
os.rename(home + "/log", home + "/log-2")
folder = os.open(home, os.O_RDONLY)
os.fsync(folder)
os.close(os.open(home + "/log-3", os.O_CREAT | os.O_RDWR))
os.close(os.open(home + "/other", os.O_CREAT | os.O_RDWR))
os.unlink(home + "/log-3")
"""


@pytest.mark.skipif(NO_STRACE is not None, reason=str(NO_STRACE))
def test_what_is_read_from_a_trace_is_what_the_kernel_was_asked_for(tmp_path: Path) -> None:
    home, trace = tmp_path / "home ü", tmp_path / "trace.txt"
    home.mkdir()
    words = ["strace", "-o", str(trace), *OPTIONS, sys.executable, "-c", PROGRAM, str(home)]
    subprocess.run(words, check=True, stdout=subprocess.PIPE)
    made, said = Disk(), []
    with trace.open(encoding="ascii") as lines:
        for happening in Reader(home, "log").read(lines):
            if isinstance(happening, Said):
                said.append((happening.text, dict(made.files)))
            else:
                made.take(happening)
    assert said == [("1", {1: b"one\0two\n" * 100})]
    everything = [(number, None, False) for number in range(len(made.pending))]
    assert made.left(tuple(everything)) == {str(home / "log-2"): (home / "log-2").read_bytes()}
