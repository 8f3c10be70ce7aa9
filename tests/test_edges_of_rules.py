"""Rules at their edges: the longest delay, the last byte, the number that was given out again."""

import errno
import os
import resource
import shutil
import signal
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from adapters import disk_room
from adapters.automations.file_feed import LONGEST_DELTA, FileFeed
from adapters.kept_output import KeptOutput
from adapters.process_tree import ProcessTrees, kin
from adapters.process_tree.rows import Row
from eventstore.memory_log import MemoryLog
from eventstore.redaction.patterns import Pattern, Redactor
from eventstore.text.mirror import Mirror
from handlers.agent_call import SESSION_VARIABLE
from handlers.framing import TEXT_LIMIT, Ends
from handlers.path_policy import OWN_FOLDERS
from handlers.ports.files import Compared
from handlers.retry import LONGEST_S, Retries, delay
from handlers.validation_text import PIECE, SHORTEST, entropy
from projections.explain import Histories
from projections.projection import Projection
from schemas.attempt import FileChange
from schemas.executor import OpenCircuit
from schemas.process import ProcessIdentity
from tests.life_cycles import Lives, queued, received
from tests.log_contract import facts
from tests.rule_bench import Bench
from tests.test_executor_rules import circuit


def test_chance_is_laid_over_the_longest_delay_too() -> None:
    """Otherwise all that wait ten minutes would come back at the same moment."""
    found = [delay(Retries(9, 300.0), 9, f"command-{number}") for number in range(200)]
    assert min(found) < 0.9 * LONGEST_S and max(found) > 1.3 * LONGEST_S


def test_the_folders_of_our_own_state_are_these() -> None:
    assert set(OWN_FOLDERS) == {"tasks", "logs", "results", "summaries", "blobs", "work"}


def test_as_many_failures_as_at_the_last_opening_mean_an_answer_in_between() -> None:
    bench = Bench()
    bench.do(OpenCircuit, failures=3)
    assert [event.type for event in bench.do(OpenCircuit, failures=3)] == ["circuit_closed", "circuit_opened"]
    assert circuit(bench).opened == 1


@pytest.mark.parametrize(("more", "cut"), [(0, False), (1, True)])
def test_an_output_just_over_the_limit_is_said_to_be_cut(more: int, cut: bool) -> None:
    ends = Ends()
    ends.feed(b"a" * (TEXT_LIMIT + more))
    shown = ends.captured(str, None)
    assert (len(shown.text), shown.truncated) == (TEXT_LIMIT, cut)


def test_a_short_last_piece_counts_by_its_length() -> None:
    assert entropy("abcdefghij" * (PIECE // 10) + "-" * SHORTEST) == round(PIECE / (PIECE + SHORTEST), 4)


def test_a_field_that_only_begins_like_the_one_asked_for_is_not_it() -> None:
    lives = Lives(MemoryLog())
    lives.tell("a", received("a"), queued())
    rows = iter([{"n": 1, "n_sum": 1}, {"n": 1, "n_sum": 2}])
    made_up = Projection("sums", 1, None, lambda event: ("all",), lambda key, row, event: next(rows))
    histories = Histories(made_up, 10, wanted={"all": "n"})
    histories.read(lives.log.all())
    (touch,) = histories.rows["all"].touches
    assert touch.global_position == 1


@pytest.mark.skipif(sys.platform == "win32", reason="there no file has a largest size")
def test_a_disk_that_takes_half_a_line_leaves_whole_lines(tmp_path: Path) -> None:
    log = MemoryLog()
    mirror = Mirror(tmp_path / "events.ndjson", log)
    log.append("a-1", facts(1, 2), -1)
    mirror.catch_up()
    good = mirror.path.read_bytes()
    log.append("a-1", facts(3, 4), 1)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(good) + 100, before[1]))
    try:
        with pytest.raises(OSError) as refused:
            mirror.catch_up()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert refused.value.errno == errno.EFBIG
    assert mirror.path.read_bytes() == good
    assert mirror.catch_up() is None, "what a full disk left needs no repair"


def test_a_match_that_ends_inside_a_mark_leaves_the_mark() -> None:
    redactor = Redactor(patterns=(Pattern("one", rb"(SECRET)"), Pattern("two", rb"key=(\w+\[redacted)")))
    assert redactor.text("key=abcSECRET end") == (
        "key=[redacted:two][redacted:one] end",
        {"one": 1, "two": 1},
    )


@pytest.mark.skipif(sys.platform == "win32", reason="there are no groups there")
def test_a_group_whose_number_was_given_out_again_is_nobodys_kin(monkeypatch: pytest.MonkeyPatch) -> None:
    """The agent has ended; its pid is a stranger's now, who leads a group of that number."""
    struck: list[tuple[int, int]] = []
    table = {
        900_001: Row(900_001, 1, 900_001, 900_001, started=999),
        900_002: Row(900_002, 900_001, 900_001, 900_001, started=1000),
    }
    monkeypatch.setattr(kin, "is_ours", lambda identity: True)
    monkeypatch.setattr(kin, "living", lambda looks: table)
    monkeypatch.setattr(kin, "_signal", lambda row, by_force: struck.append((row.pid, row.started)))
    agent = ProcessIdentity(pid=900_001, started=5, boot_id="b")
    assert not kin.Kin(agent, None, just_ended=True).strike(by_force=False)
    assert struck == []


class FullBlob:
    discarded = False

    async def write(self, data: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    async def finish(self) -> str:
        raise AssertionError("it was given up")

    async def discard(self) -> None:
        self.discarded = True


def test_a_blob_that_the_disk_refuses_is_thrown_away_and_its_text_stays() -> None:
    blob = FullBlob()

    class Sink:
        async def writer(self) -> FullBlob:
            return blob

    async def main() -> Any:
        output = KeptOutput(Sink(), str)
        await output.take(b"one ")
        await output.take(b"two")
        return output, await output.captured()

    output, shown = trio.run(main)
    assert (shown.text, shown.sha256, output.trouble) == ("one two", None, "No space left on device")
    assert blob.discarded


def test_what_the_system_keeps_for_root_is_no_room_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    usage = SimpleNamespace(total=100, used=60, free=35)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)
    assert disk_room.free_bytes(Path("/")) == 35


@pytest.mark.skipif(sys.platform == "win32", reason="nobody is stopped there")
def test_a_tree_that_is_stopped_hears_the_polite_signal(tmp_path: Path) -> None:
    """Otherwise every paused agent is killed without a word, when the whole grace is over."""
    program = (
        "import signal, sys, time; from pathlib import Path\n"
        "def end(*_): Path(sys.argv[1], 'heard').touch(); sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, end); Path(sys.argv[1], 'ready').touch(); time.sleep(600)"
    )

    async def main() -> None:
        trees = ProcessTrees(grace_s=20.0)
        env = {"PATH": os.environ["PATH"], SESSION_VARIABLE: "stopped"}
        child = await trees.spawn([sys.executable, "-c", program, str(tmp_path)], str(tmp_path), env)
        while not (tmp_path / "ready").exists():  # noqa: ASYNC110 - another process makes it
            await trio.sleep(0.01)
        os.kill(child.identity.pid, signal.SIGSTOP)
        assert await trees.end(child, "stopped")
        await child.process.wait()

    trio.run(main)
    assert (tmp_path / "heard").exists()


@pytest.mark.parametrize("longer", [0, 1])
def test_a_list_of_the_longest_length_is_said_while_the_agent_works(longer: int) -> None:
    files = tuple(FileChange(path=f"f{n}", change="created") for n in range(LONGEST_DELTA + longer))
    said: list[int] = []

    class Tree:
        async def snapshot(self, cwd: str) -> bytes:
            return b""

        async def changes(self, cwd: str, before: bytes) -> Compared:
            return Compared(files)

    async def say(found: tuple[FileChange, ...]) -> None:
        said.append(len(found))

    async def main() -> None:
        feed = FileFeed(Tree(), "/srv", say)
        await feed.begin()
        feed.stir()
        with trio.move_on_after(1):
            await feed.run()

    trio.run(main, clock=MockClock(autojump_threshold=0))
    assert said == ([] if longer else [LONGEST_DELTA])
