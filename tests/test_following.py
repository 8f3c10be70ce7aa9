"""Whoever follows the log gets every event once and in order, and none of them waits for the next."""

import errno
import math
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from adapters import bell_watch
from adapters.bell_watch import BellWatch, LookingWatch
from adapters.cli.following import Follower
from adapters.cli.tail import StartingAt
from eventstore.event import ANY, Recorded
from eventstore.sqlite.log import SqliteLog
from eventstore.subscription import Subscription
from tests import appending
from tests.appending import acknowledged, check
from tests.homes import BuiltHome
from tests.log_contract import fact

PATIENCE_S = 60.0
"""A ring ends the wait long before; only a lost one lasts so long."""

EACH = 1000
ROOT = Path(__file__).parents[1]

if sys.platform == "linux":
    KINDS: list[Callable[[Path], BellWatch]] = [bell_watch.InotifyWatch, LookingWatch]
else:
    KINDS = [LookingWatch]


class Pair:
    """A log as it is appended to, and the same as it is followed; with no look but when the bell is rung."""

    def __init__(self, folder: Path) -> None:
        self.writer = SqliteLog.create(folder / "events.db")
        self.reader = SqliteLog(folder / "events.db", read_only=True)
        self.follower = Follower(self.reader, look_s=math.inf)
        self.count = 0
        self.seen: list[int] = []

    def append(self) -> None:
        self.writer.append("a-1", [fact(self.count)], ANY)
        self.count += 1

    def look(self) -> None:
        self.seen += [event.global_position for event in self.reader.all(len(self.seen))]


@pytest.fixture(params=KINDS)
def pair(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pair]:
    monkeypatch.setattr(bell_watch, "watch_bell", request.param)
    pair = Pair(tmp_path)
    with pair.follower:
        yield pair
    pair.reader.close()
    pair.writer.close()


def unasked() -> int:
    raise AssertionError("nobody was woken: the log had to be asked")


@pytest.mark.parametrize("moment", ["before it asks", "before it looks", "before it waits"])
def test_an_event_that_comes_at_any_moment_is_seen_without_another(
    pair: Pair, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for upto in (1, 2, 3):
        if moment == "before it asks":
            pair.append()
        news = pair.follower.news()
        if moment == "before it looks":
            pair.append()
        if news:
            pair.look()
        if moment == "before it waits":
            pair.append()
        with monkeypatch.context() as woken_only:
            woken_only.setattr(pair.reader, "data_version", unasked)
            while len(pair.seen) < upto:
                pair.follower.wait(PATIENCE_S)
                if pair.follower.news():
                    pair.look()
        assert pair.seen == list(range(1, upto + 1))
        pair.follower.wait(0)


def test_after_all_was_seen_there_is_no_news(pair: Pair) -> None:
    pair.append()
    pair.follower.wait(0)
    assert pair.follower.news()
    pair.follower.wait(0)
    pair.follower.news()
    for _ in range(3):
        pair.follower.wait(0)
        assert not pair.follower.news()


def test_an_event_whose_bell_could_not_ring_is_seen_at_the_next_look(tmp_path: Path) -> None:
    (tmp_path / ".bell").mkdir()
    writer = SqliteLog.create(tmp_path / "events.db")
    reader = SqliteLog(tmp_path / "events.db", read_only=True)
    with Follower(reader, look_s=0.01) as follower:
        for number in range(3):
            while follower.news():
                follower.wait()
            writer.append("a-1", [fact(number)], ANY)
            while not follower.news():
                follower.wait()
            assert reader.head() == number + 1
    reader.close()
    writer.close()


@pytest.mark.parametrize("pair", [bell_watch.watch_bell], indirect=True)
def test_two_processes_append_at_full_speed_and_a_third_gets_every_event_once(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pair.reader, "data_version", unasked)
    subscription = Subscription(pair.reader, "third", StartingAt(0))
    got: list[Recorded] = []
    writers = [appending.start(pair.writer.path, f"w{number}", EACH) for number in range(2)]
    with ThreadPoolExecutor(len(writers)) as listeners:
        # Read meanwhile: whoever says more than a pipe holds would wait.
        said = [listeners.submit(writer.communicate) for writer in writers]
        subscription.catch_up(got.extend)
        while len(got) < 2 * EACH:
            pair.follower.wait(PATIENCE_S)
            if pair.follower.news():
                subscription.catch_up(got.extend)
        lines = [line for one in said for line in one.result()[0].splitlines(keepends=True)]
    assert [writer.returncode for writer in writers] == [0, 0]
    acks = acknowledged(lines)
    assert [event.global_position for event in got] == list(range(1, 2 * EACH + 1))
    assert {event.global_position: (event.stream, event.position) for event in got} == acks
    check(pair.reader, acks)


FOLLOWING = """
import sys
from adapters.cli.main import call
call(sys.argv[1:], {})
print(*sys.modules, file=sys.stderr)
"""


@pytest.mark.parametrize("words", [("tail", "-n", "5"), ("wait", "one"), ("list",)])
def test_a_verb_that_follows_nothing_loads_nothing_to_follow_with(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    with BuiltHome(tmp_path / "home") as home:
        home.succeed("one")
        command = [sys.executable, "-c", FOLLOWING, *words, "--home", str(home.root)]
        said = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, encoding="utf-8")
    assert {"adapters.cli.main", "apsw"} <= set(said.stderr.split())
    assert {"adapters.bell_watch", "inotify_simple"}.isdisjoint(said.stderr.split())


def test_who_follows_a_log_that_was_put_in_place_anew_is_told_so(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    writer = SqliteLog.create(path)
    writer.append("a-1", [fact(0)], ANY)
    reader = SqliteLog(path, read_only=True)
    with Follower(reader, look_s=0.01) as follower:
        while follower.news():
            follower.wait()
        path.rename(tmp_path / "aside.db")
        assert not follower.news(), "nothing stands there yet"
        follower.wait()
        SqliteLog.create(tmp_path / "new.db").close()
        (tmp_path / "new.db").rename(path)
        with pytest.raises(OSError, match="put in place anew") as told:
            follower.news()
    assert told.value.errno == errno.ESTALE
    reader.close()
    writer.close()
