"""An append that finds no room waits, is heard of, and goes in when there is some; no other is held up."""

import errno
import math
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from adapters.automations.waiting_log import PAUSE_S, WaitingLog
from adapters.threaded_log import LogFailed, ThreadedLog
from eventstore.event import ANY, NO_STREAM, Event, Place, Recorded
from eventstore.log import Append, Outcome
from eventstore.memory_log import MemoryLog
from handlers.ports.log import NotNow
from tests.log_contract import fact, numbers


class Full(MemoryLog):
    """Takes no event whose number is `above` or more; it knows how often it was asked."""

    def __init__(self, number: int = errno.ENOSPC) -> None:
        super().__init__()
        self.number = number
        self.above = math.inf
        self.asked = 0

    def append_group(self, wishes: Sequence[Append]) -> list[Outcome]:
        self.asked += 1
        if any(event.data["number"] >= self.above for wish in wishes for event in wish.events):
            raise OSError(self.number, "planted", "events.db")
        return super().append_group(wishes)


class Inline:
    """A log as the service sees it, in virtual time."""

    def __init__(self, log: Full) -> None:
        self.log = log

    async def append(self, stream: str, events: Sequence[Event], expected: int) -> tuple[Place, ...]:
        await trio.lowlevel.checkpoint()
        try:
            (outcome,) = self.log.append_group([Append(stream, events, expected)])
        except OSError as refusal:
            raise NotNow("there is no space left", full=refusal.errno == errno.ENOSPC) from refusal
        assert isinstance(outcome, tuple)
        return outcome

    async def read_stream(self, name: str, after: int) -> list[Recorded]:
        return list(self.log.stream(name, after))

    async def read_all(self, after: int, limit: int) -> list[Recorded]:
        return list(self.log.all(after))[:limit]


class Seconds:
    """Trio's own clock, in µs."""

    def now(self) -> int:
        return int(trio.current_time() * 1_000_000)


class Bench:
    def __init__(self, number: int = errno.ENOSPC) -> None:
        self.log = Full(number)
        self.said: list[str] = []
        self.waiting = WaitingLog(Inline(self.log), Seconds(), self.said.append)

    async def append(self, number: int) -> None:
        await self.waiting.append(f"s-{number}", [fact(number)], NO_STREAM)


def test_who_finds_no_room_waits_and_all_go_on_when_there_is_some() -> None:
    async def main() -> None:
        bench = Bench()
        bench.log.above = 1
        async with trio.open_nursery() as nursery:
            for number in (1, 2, 3):
                nursery.start_soon(bench.append, number)
            await trio.sleep(100)
            await bench.append(0)  # for this one there is room all the time
            assert bench.log.head() == 1
            (said,) = bench.said
            assert said.startswith("there is no space left: nothing is taken in or begun")
            assert bench.waiting.refused_since is not None
            bench.log.above = math.inf
        assert sorted(numbers(bench.log.all())) == [0, 1, 2, 3]
        assert bench.said[1:] == ["the log can be written again: everything goes on"]

    trio.run(main, clock=MockClock(autojump_threshold=0))


def test_a_log_that_refuses_is_asked_once_in_a_pause() -> None:
    async def main() -> None:
        bench = Bench()
        bench.log.above = 0
        with trio.move_on_after(50 * PAUSE_S):
            await bench.append(1)
        assert 49 <= bench.log.asked <= 51

    trio.run(main, clock=MockClock(autojump_threshold=0))


def test_who_is_called_off_while_it_waits_has_appended_nothing() -> None:
    async def main() -> None:
        bench = Bench()
        bench.log.above = 0
        with trio.move_on_after(10) as scope:
            await bench.append(1)
        assert scope.cancelled_caught
        bench.log.above = math.inf
        await bench.append(2)
        assert numbers(bench.log.all()) == [2]

    trio.run(main, clock=MockClock(autojump_threshold=0))


def test_patience_ends_at_its_limit_and_at_once_when_the_service_is_to_end() -> None:
    async def main() -> None:
        bench = Bench()
        bench.log.above = 0
        bench.waiting.patience_s = 30
        with pytest.raises(NotNow):
            await bench.append(1)
        assert 30 <= trio.current_time() <= 32
        bench = Bench()
        bench.log.above = 0
        began = trio.current_time()
        async with trio.open_nursery() as nursery:

            async def append_in_vain() -> None:
                with pytest.raises(NotNow):
                    await bench.append(1)

            nursery.start_soon(append_in_vain)
            await trio.sleep(5.5)  # in the middle of a pause
            bench.waiting.give_up()
        assert trio.current_time() - began == 5.5
        with pytest.raises(NotNow):
            await bench.append(2)

    trio.run(main, clock=MockClock(autojump_threshold=0))


def test_a_log_that_another_program_keeps_locked_is_waited_for_and_no_word_of_the_disk_is_said() -> None:
    async def main() -> None:
        bench = Bench(errno.EBUSY)
        bench.log.above = 0
        async with trio.open_nursery() as nursery:
            nursery.start_soon(bench.append, 1)
            await trio.sleep(10)
            assert bench.waiting.refused_since is None
            bench.log.above = math.inf
        assert numbers(bench.log.all()) == [1]

    trio.run(main, clock=MockClock(autojump_threshold=0))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EBUSY, errno.EMFILE])
def test_what_may_be_tried_again_does_not_end_the_service(number: int) -> None:
    log = Full(number)
    log.above = 0
    with pytest.raises(NotNow) as refusal:
        trio.run(ThreadedLog(log).append, "a-1", [fact(1)], ANY)
    assert refusal.value.full == (number in (errno.ENOSPC, errno.EDQUOT))


@pytest.mark.parametrize("number", [errno.EIO, errno.EROFS, errno.ESTALE, errno.EACCES])
def test_what_may_not_be_tried_again_ends_it(number: int) -> None:
    log = Full(number)
    log.above = 0
    with pytest.raises(LogFailed, match=r"planted \(events\.db\)"):
        trio.run(ThreadedLog(log).append, "a-1", [fact(1)], ANY)


def test_a_log_that_cannot_be_read_ends_the_service() -> None:
    class Unreadable(MemoryLog):
        def head(self) -> int:
            raise OSError(errno.EIO, "planted", "events.db")

        def stream(self, name: str, after: int = -1) -> Iterator[Recorded]:
            raise OSError(errno.EIO, "planted", "events.db")

    with pytest.raises(LogFailed, match="could not be read: planted"):
        trio.run(ThreadedLog(Unreadable()).read_stream, "a-1", -1)


def test_a_small_append_gets_through_beside_a_large_one_that_does_not_fit() -> None:
    class Gated(Full):
        def __init__(self) -> None:
            super().__init__()
            self.may_go_on = threading.Event()

        def append_group(self, wishes: Sequence[Append]) -> list[Outcome]:
            assert self.may_go_on.wait(30)
            return super().append_group(wishes)

    log = Gated()
    log.above = 100
    refused: list[int] = []

    async def main() -> None:
        service = ThreadedLog(log)

        async def append(number: int) -> None:
            try:
                await service.append(f"s-{number}", [fact(number)], NO_STREAM)
            except NotNow:
                refused.append(number)

        async with trio.open_nursery() as nursery:
            for number in (1, 2, 100, 3):
                nursery.start_soon(append, number)
            await trio.testing.wait_all_tasks_blocked()
            log.may_go_on.set()

    trio.run(main)
    assert sorted(numbers(log.all())) == [1, 2, 3]
    assert refused == [100]


def test_the_service_finds_out_that_the_files_of_its_log_were_taken_away(tmp_path: Path) -> None:
    def taken() -> None:
        raise OSError(errno.ESTALE, "events.db-wal was removed while the log was open", str(tmp_path))

    trio.run(ThreadedLog(MemoryLog()).check)
    with pytest.raises(LogFailed, match=r"events\.db-wal was removed"):
        trio.run(ThreadedLog(MemoryLog(), check_files=taken).check)
