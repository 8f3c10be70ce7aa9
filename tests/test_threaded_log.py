"""What the service reads is what the log holds, though most of it comes from memory."""

import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from adapters import threaded_log
from adapters.bell_watch import BellWatch, LookingWatch, watch_bell
from adapters.log_tail import KEPT_BYTES
from adapters.threaded_log import (
    LOOK_S,
    TOGETHER_S,
    TRUST_S,
    LogDoorbell,
    LogFailed,
    ThreadedLog,
)
from eventstore.bell import Bell
from eventstore.event import ANY, NO_STREAM, Event, Place, Recorded
from eventstore.log import Append, Outcome, WrongExpectedVersion
from eventstore.sqlite.log import SqliteLog
from tests.log_contract import fact

STREAMS = ("a-1", "b-2")
WATCHES: list[Callable[[Path], BellWatch]] = [watch_bell, LookingWatch]
"""As the system has it, and as it is where the system does not wake us."""


class Counted:
    """A log that knows how often it was asked to read a stream."""

    def __init__(self, log: SqliteLog) -> None:
        self.log = log
        self.asked = 0

    def append(self, stream: str, events: Sequence[Event], expected: int) -> tuple[Place, ...]:
        return self.log.append(stream, events, expected)

    def append_group(self, wishes: Sequence[Append]) -> list[Outcome]:
        return self.log.append_group(wishes)

    def stream(self, name: str, after: int = -1) -> Iterator[Recorded]:
        self.asked += 1
        return self.log.stream(name, after)

    def all(
        self, after: int = 0, upto: int | None = None, types: frozenset[str] | None = None
    ) -> Iterator[Recorded]:
        return self.log.all(after, upto, types)

    def head(self) -> int:
        return self.log.head()

    def position_at(self, time: int) -> int:
        return self.log.position_at(time)

    def close(self) -> None:
        self.log.close()


class Here:
    """One log file, opened twice: as the service has it, and as another process has it."""

    def __init__(self, folder: Path, kept_bytes: int = KEPT_BYTES) -> None:
        self.path = folder / "events.db"
        self.counted = Counted(SqliteLog.create(self.path))
        self.other = SqliteLog(self.path)
        self.bell = folder / ".bell"
        self.ours = ThreadedLog(self.counted, self.bell, kept_bytes, glance_s=0)
        self.number = 0

    def __enter__(self) -> "Here":
        return self

    def __exit__(self, *why: object) -> None:
        self.other.close()
        self.counted.close()

    def fact(self) -> Event:
        self.number += 1
        return fact(self.number)

    def from_elsewhere(self, stream: str, *, silently: bool = False) -> None:
        """Another process appends; `silently`: its bell cannot ring."""
        if silently:
            elsewhere = SqliteLog(self.path)
            elsewhere._bell.path = self.path.parent / "not there" / ".bell"
            elsewhere.append(stream, [self.fact()], ANY)
            elsewhere.close()
        else:
            self.other.append(stream, [self.fact()], ANY)


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Here]:
    with Here(tmp_path) as made:
        yield made


OPERATIONS = st.one_of(
    st.tuples(st.sampled_from(["ours", "other"]), st.sampled_from(STREAMS), st.integers(1, 3)),
    st.tuples(st.just("stream"), st.sampled_from(STREAMS), st.integers(0, 9)),
    st.tuples(st.just("all"), st.just(""), st.integers(0, 9)),
)


@given(operations=st.lists(OPERATIONS, max_size=30), kept_bytes=st.sampled_from([700, 3000, KEPT_BYTES]))
@settings(max_examples=40, deadline=None)
def test_every_reading_is_as_the_log_itself_would_answer(
    tmp_path_factory: pytest.TempPathFactory, operations: list[tuple[str, str, int]], kept_bytes: int
) -> None:
    async def all_of_them(here: Here) -> None:
        for kind, stream, number in operations:
            if kind == "ours":
                await here.ours.append(stream, [here.fact() for _ in range(number)], ANY)
            elif kind == "other":
                here.from_elsewhere(stream)
            elif kind == "stream":
                end = len(list(here.other.stream(stream))) - 1
                after = max(-1, end - number)
                assert await here.ours.read_stream(stream, after) == list(here.other.stream(stream, after))
            else:
                after = max(0, here.other.head() - number)
                found = await here.ours.read_all(after, 5)
                assert found == list(here.other.all(after))[:5]

    with Here(tmp_path_factory.mktemp("log"), kept_bytes) as made:
        trio.run(all_of_them, made)


def test_followers_miss_nothing_while_many_append(here: Here) -> None:
    followed: list[list[int]] = []
    each, writers = 20, 4

    async def follow() -> None:
        seen: list[int] = []
        followed.append(seen)
        while len(seen) < each * (writers + 1):
            seen += [one.global_position for one in await here.ours.read_all(seen[-1] if seen else 0, 7)]

    async def write(stream: str) -> None:
        position = NO_STREAM
        for _ in range(each):
            (place,) = await here.ours.append(stream, [here.fact()], position)
            position = place.position
            standing = await here.ours.read_stream(stream, NO_STREAM)
            assert [one.position for one in standing] == list(range(position + 1))

    async def write_elsewhere() -> None:
        for _ in range(each):
            await trio.to_thread.run_sync(here.from_elsewhere, "elsewhere-1")

    async def all_at_once() -> None:
        async with trio.open_nursery() as nursery:
            for number in range(writers):
                nursery.start_soon(write, f"own-{number}")
            nursery.start_soon(write_elsewhere)
            nursery.start_soon(follow)
            nursery.start_soon(follow)

    trio.run(all_at_once)
    assert followed == [list(range(1, each * (writers + 1) + 1))] * 2


def test_what_we_appended_ourselves_is_read_from_memory(here: Here) -> None:
    async def read_twice() -> None:
        await here.ours.append("a-1", [here.fact()], NO_STREAM)
        assert await here.ours.read_stream("a-1", NO_STREAM) == list(here.other.stream("a-1"))
        asked = here.counted.asked
        await here.ours.append("a-1", [here.fact()], 0)
        assert len(await here.ours.read_stream("a-1", 0)) == 1
        assert await here.ours.read_stream("a-1", 1) == []
        assert here.counted.asked == asked
        here.from_elsewhere("a-1")
        assert len(await here.ours.read_stream("a-1", 1)) == 1
        assert here.counted.asked == asked + 1

    trio.run(read_twice, clock=MockClock())


def test_without_a_bell_the_log_is_always_asked(here: Here) -> None:
    async def read_twice() -> None:
        log = ThreadedLog(here.counted)
        await log.append("a-1", [here.fact()], NO_STREAM)
        for _ in range(2):
            assert len(await log.read_stream("a-1", NO_STREAM)) == 1
        assert here.counted.asked == 2

    trio.run(read_twice)


def test_an_event_whose_bell_did_not_ring_is_seen_when_trust_ends(here: Here) -> None:
    clock = MockClock()

    async def look_again() -> None:
        await here.ours.append("a-1", [here.fact()], NO_STREAM)
        here.from_elsewhere("a-1", silently=True)
        clock.jump(TRUST_S)
        assert len(await here.ours.read_all(0, 10)) == 2
        assert len(await here.ours.read_stream("a-1", NO_STREAM)) == 2

    trio.run(look_again, clock=clock)


def test_our_own_append_is_read_though_the_bell_is_gone(here: Here) -> None:
    async def append_twice() -> None:
        bell = here.path.with_name("a bell that nobody holds open")
        bell.touch()
        log = ThreadedLog(here.counted, bell)
        await log.append("a-1", [here.fact()], NO_STREAM)
        assert await log.read_all(1, 10) == []
        bell.unlink()
        await log.append("a-1", [here.fact()], 0)
        assert len(await log.read_all(1, 10)) == 1
        assert len(await log.read_stream("a-1", 0)) == 1

    trio.run(append_twice, clock=MockClock())


def test_a_lost_race_is_never_decided_again_from_memory(here: Here) -> None:
    async def lose() -> None:
        await here.ours.append("a-1", [here.fact()], NO_STREAM)
        here.from_elsewhere("a-1", silently=True)
        with pytest.raises(WrongExpectedVersion):
            await here.ours.append("a-1", [here.fact()], 0)
        assert len(await here.ours.read_stream("a-1", 0)) == 1

    trio.run(lose, clock=MockClock())


def test_a_disk_that_refuses_is_said_to_have_failed(here: Here) -> None:
    with pytest.raises(LogFailed):
        trio.run(
            ThreadedLog(SqliteLog(here.path, read_only=True), here.bell).append, "a-1", [here.fact()], ANY
        )


# the doorbell


@contextmanager
def listening(here: Here, log: ThreadedLog | None = None) -> Iterator[LogDoorbell]:
    with closing(LogDoorbell(log or here.ours, here.bell)) as doorbell:
        yield doorbell


@pytest.fixture(params=WATCHES)
def any_watch(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threaded_log, "watch_bell", request.param)


@pytest.mark.usefixtures("any_watch")
@pytest.mark.parametrize("silently", [False, True])
def test_the_doorbell_tells_of_another_process(here: Here, silently: bool) -> None:
    async def listen() -> None:
        with listening(here) as doorbell:
            await doorbell.ring(0)  # what was rung before it listened counts as news
            for number in range(3):
                here.from_elsewhere("a-1", silently=silently)
                began = trio.current_time()
                await doorbell.ring(number)
                assert (trio.current_time() - began >= LOOK_S) == silently

    here.from_elsewhere("a-1")
    trio.run(listen, clock=MockClock(autojump_threshold=0))


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the service looks, by a timer")
def test_the_doorbell_is_rung_while_it_waits_and_no_timer_helps(here: Here) -> None:
    async def from_elsewhere() -> None:
        await trio.to_thread.run_sync(here.from_elsewhere, "a-1")

    async def listen() -> None:
        with listening(here) as doorbell:
            await doorbell.ring(0)
            async with trio.open_nursery() as nursery:
                for number in range(3):
                    nursery.start_soon(from_elsewhere)
                    while await here.ours.read_all(number, 1) == []:
                        await doorbell.ring(number)

    trio.run(listen, clock=MockClock())


@pytest.mark.usefixtures("any_watch")
def test_what_another_has_appended_right_after_a_reading_is_read_when_the_bell_rings(here: Here) -> None:
    """Whoever reads has just glanced at the bell, and would not do so again for a moment."""

    async def listen() -> None:
        log = ThreadedLog(here.counted, here.bell)
        with listening(here, log) as doorbell:
            await log.append("a-1", [here.fact()], ANY)
            await doorbell.ring(0)
            for number in range(1, 4):
                assert await log.read_all(number, 10) == []
                here.from_elsewhere("a-1")
                await doorbell.ring(number)
                assert len(await log.read_all(number, 10)) == 1

    trio.run(listen, clock=MockClock())


@pytest.mark.usefixtures("any_watch")
def test_the_doorbell_lets_the_services_own_appends_come_together(here: Here) -> None:
    async def waited() -> float:
        """What a ring took, and the reading after it."""
        began = trio.current_time()
        await doorbell.ring(len(read))
        ended = trio.current_time()
        read.extend(await here.ours.read_all(len(read), 10))
        return ended - began

    async def listen() -> None:
        await waited()
        for _ in range(3):
            for _ in range(2):
                await here.ours.append("a-1", [here.fact(), here.fact()], ANY)
            assert await waited() == TOGETHER_S
            await here.ours.append("a-1", [here.fact()], ANY)
            here.from_elsewhere("b-2")
            assert await waited() == 0
            here.from_elsewhere("b-2")
            await here.ours.append("a-1", [here.fact()], ANY)
            assert await waited() == 0
        assert read == list(here.other.all())

    read: list[Recorded] = []
    with listening(here) as doorbell:
        trio.run(listen, clock=MockClock(autojump_threshold=0))


@pytest.mark.usefixtures("any_watch")
def test_the_doorbell_misses_nothing_while_the_service_and_others_append(here: Here) -> None:
    each, writers = 25, 2
    read: list[Recorded] = []

    async def follow(log: ThreadedLog, doorbell: LogDoorbell) -> None:
        while len(read) < each * (writers + 1):
            await doorbell.ring(len(read))
            read.extend(await log.read_all(len(read), 1000))

    async def write(log: ThreadedLog, stream: str) -> None:
        for _ in range(each):
            await log.append(stream, [here.fact()], ANY)

    async def write_elsewhere() -> None:
        for _ in range(each):
            await trio.to_thread.run_sync(here.from_elsewhere, "elsewhere-1")

    async def all_at_once() -> None:
        log = ThreadedLog(here.counted, here.bell)
        with listening(here, log) as doorbell:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(follow, log, doorbell)
                nursery.start_soon(write_elsewhere)
                for number in range(writers):
                    nursery.start_soon(write, log, f"own-{number}")

    trio.run(all_at_once)
    assert read == list(here.other.all())


def test_a_doorbell_that_gave_up_waiting_for_an_append_of_our_own_waits_for_it_again(here: Here) -> None:
    """The append lasts longer than anybody waits for a bell."""
    begun, may_end = threading.Event(), threading.Event()

    class Slow(Counted):
        def append_group(self, wishes: Sequence[Append]) -> list[Outcome]:
            begun.set()
            assert may_end.wait(60)
            return super().append_group(wishes)

    async def listen() -> list[Recorded]:
        log = ThreadedLog(Slow(here.counted.log), here.bell)
        with listening(here, log) as doorbell:
            await doorbell.ring(0)
            assert len(await log.read_all(0, 10)) == 1
            async with trio.open_nursery() as nursery:
                nursery.start_soon(log.append, "a-1", [here.fact()], ANY)
                await trio.to_thread.run_sync(begun.wait)
                for _ in range(3):
                    began = trio.current_time()
                    Bell(here.bell).ring()
                    await doorbell.ring(1)
                    assert trio.current_time() - began == LOOK_S
                may_end.set()
            await doorbell.ring(1)
            return await log.read_all(0, 10)

    here.from_elsewhere("a-1")
    assert trio.run(listen, clock=MockClock(autojump_threshold=0)) == list(here.other.all())
