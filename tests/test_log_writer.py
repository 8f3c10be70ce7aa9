"""Many appends at once are one transaction, and each caller learns what became of its own."""

import errno
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from adapters.log_writer import LogWriter
from adapters.threaded_log import LONG, LogFailed, ThreadedLog
from eventstore.event import ANY, NO_STREAM, Event, Place
from eventstore.log import Append, Outcome, WrongExpectedVersion
from eventstore.memory_log import MemoryLog
from eventstore.redaction.redacting import Redacting
from eventstore.sqlite.log import SqliteLog
from tests.log_contract import fact


class Gated(MemoryLog):
    """Its first transaction waits for us; it knows how large each one was."""

    def __init__(self) -> None:
        super().__init__()
        self.may_go_on = threading.Event()
        self.begun = threading.Event()
        self.sizes: list[int] = []

    def append_group(self, wishes: Sequence[Append]) -> list[Outcome]:
        self.sizes.append(len(wishes))
        self.begun.set()
        assert self.may_go_on.wait(30)
        return super().append_group(wishes)


async def until_set(event: threading.Event) -> None:
    assert await trio.to_thread.run_sync(event.wait, 30)


def nothing() -> None:
    return None


def test_all_that_comes_while_one_transaction_lasts_is_the_next_one() -> None:
    log = Gated()
    outcomes: dict[int, Outcome] = {}

    async def main() -> None:
        writer: LogWriter[None] = LogWriter(log, nothing)

        async def append(number: int) -> None:
            outcomes[number], _ = await writer.append(Append(f"a-{number}", [fact(number)], NO_STREAM))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(append, 0)
            await until_set(log.begun)
            for number in range(1, 65):
                nursery.start_soon(append, number)
            await trio.testing.wait_all_tasks_blocked()
            log.may_go_on.set()

    trio.run(main)
    assert log.sizes == [1, 64]
    assert sorted(outcomes) == list(range(65))
    assert {outcome[0].global_position for outcome in outcomes.values() if isinstance(outcome, tuple)} == set(
        range(1, 66)
    )


def test_an_append_that_was_cancelled_while_it_committed_is_found_again_by_its_ids(tmp_path: Path) -> None:
    log = Gated()
    event = fact(1)

    async def main() -> tuple[bool, Outcome]:
        writer: LogWriter[None] = LogWriter(log, nothing)
        async with trio.open_nursery() as nursery:
            scope = trio.CancelScope()

            async def append() -> None:
                with scope:
                    await writer.append(Append("a-1", [event], NO_STREAM))
                    await trio.lowlevel.checkpoint()

            nursery.start_soon(append)
            await until_set(log.begun)
            scope.cancel()
            log.may_go_on.set()
        outcome, _ = await writer.append(Append("a-1", [event], NO_STREAM))
        return scope.cancelled_caught, outcome

    assert trio.run(main) == (True, (Place(1, 0),))
    assert log.head() == 1


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[SqliteLog, list[str]]]:
    """A log whose disk fails from the moment on that something stands in the list."""
    log = SqliteLog.create(tmp_path / "events.db")
    broken: list[str] = []
    commit: Callable[..., Any] = log._commit

    def failing(todo: Any) -> Any:
        if broken:
            raise OSError(errno.EIO, "the disk failed")
        return commit(todo)

    monkeypatch.setattr(log, "_commit", failing)
    yield log, broken
    log.close()


def test_a_failed_sync_fails_every_append_of_its_group_and_is_never_tried_again(
    disk: tuple[SqliteLog, list[str]],
) -> None:
    log, broken = disk
    failed: list[int] = []

    async def main() -> None:
        service = ThreadedLog(log)
        await service.append("a-1", [fact(0)], NO_STREAM)
        broken.append("now")

        async def append(number: int) -> None:
            with pytest.raises(LogFailed):
                await service.append(f"b-{number}", [fact(number)], NO_STREAM)
            failed.append(number)

        async with trio.open_nursery() as nursery:
            for number in range(1, 9):
                nursery.start_soon(append, number)
        broken.clear()
        with pytest.raises(LogFailed, match="an earlier append"):
            await service.append("c-1", [fact(9)], NO_STREAM)

    trio.run(main)
    assert sorted(failed) == list(range(1, 9))
    assert log.head() == 1


def test_a_lost_race_in_a_group_is_the_losers_alone() -> None:
    log = MemoryLog()
    told: list[str] = []

    async def main() -> None:
        service = ThreadedLog(log)

        async def append(number: int) -> None:
            try:
                await service.append("a-1", [fact(number)], NO_STREAM)
                told.append("won")
            except WrongExpectedVersion:
                told.append("lost")

        async with trio.open_nursery() as nursery:
            for number in range(10):
                nursery.start_soon(append, number)

    trio.run(main)
    assert sorted(told) == ["lost"] * 9 + ["won"]


def test_much_text_is_searched_for_secrets_without_holding_others_up() -> None:
    searching, done = threading.Event(), threading.Event()

    class Slow:
        def text(self, text: str) -> tuple[str, dict[str, int]]:
            if len(text) > LONG:
                searching.set()
                assert done.wait(30)
            return text, {}

        def pair(self, key: str, value: str) -> tuple[str, dict[str, int]]:
            return self.text(value)

        def is_clean(self, texts: Collection[str], keys: Collection[str]) -> bool:
            return False

    def note(event: Event, counts: object) -> Event:
        return event

    log = MemoryLog()

    async def main() -> None:
        service = ThreadedLog(Redacting(log, Slow(), note))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(service.append, "a-1", [fact(0, data={"text": "x" * (LONG + 1)})], ANY)
            await until_set(searching)
            await service.append("b-1", [fact(1)], ANY)
            assert [event.stream for event in log.all()] == ["b-1"]
            done.set()

    trio.run(main)
    assert [event.stream for event in log.all()] == ["b-1", "a-1"]
