"""Hints: something may have changed in the inbox. Told by a real observer, or by the clock."""

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trio
from trio.testing import wait_all_tasks_blocked
from watchdog.events import FileModifiedEvent, FileSystemEvent
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver, EventEmitter

from adapters.watchdog_inbox import WatchdogInbox

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="links as POSIX has them")
PATIENCE_S = 20  # far longer than any hint takes: only a missing one uses it up


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "tasks").mkdir()
    return tmp_path


def drop(home: Path, name: str) -> None:
    (home / "tasks" / name).write_bytes(b"a task")


def watched(home: Path, story: Callable[[WatchdogInbox], Awaitable[None]]) -> None:
    """Run a story with a real observer; a hint that never comes fails it."""

    async def run() -> None:
        with trio.fail_after(PATIENCE_S):
            async with WatchdogInbox(home) as inbox:
                assert (inbox.watching, inbox.reason) == (True, None)
                await story(inbox)
            assert not inbox.watching

    trio.run(run)


async def no_hint(inbox: WatchdogInbox) -> bool:
    with trio.move_on_after(0.4) as scope:
        await inbox.hint()
    return scope.cancelled_caught


def test_a_dropped_file_is_hinted_at(home: Path) -> None:
    async def story(inbox: WatchdogInbox) -> None:
        drop(home, "a.task.md")
        await inbox.hint()
        assert [dropped.name for dropped in await inbox.scan()] == ["a.task.md"]

    watched(home, story)


def test_a_file_that_is_renamed_into_place_is_hinted_at(home: Path) -> None:
    async def story(inbox: WatchdogInbox) -> None:
        drop(home, ".a.tmp")
        assert await no_hint(inbox)
        (home / "tasks" / ".a.tmp").rename(home / "tasks" / "a.task.md")
        await inbox.hint()

    watched(home, story)


def test_scanning_and_reading_give_no_hint_of_their_own(home: Path) -> None:
    drop(home, "a.task.md")

    async def story(inbox: WatchdogInbox) -> None:
        await inbox.scan()
        await inbox.read("a.task.md", 100)
        assert await no_hint(inbox)

    watched(home, story)


def test_many_files_are_few_hints_and_none_is_missed_by_the_scan(home: Path) -> None:
    async def story(inbox: WatchdogInbox) -> None:
        for number in range(500):
            drop(home, f"{number}.task.md")
        await inbox.hint()
        assert len(await inbox.scan()) == 500
        while not await no_hint(inbox):
            pass
        for _ in range(1000):
            inbox.tell(FileModifiedEvent(str(home / "tasks" / "0.task.md")))
        await wait_all_tasks_blocked(0.05)
        await inbox.hint()
        assert await no_hint(inbox), "a thousand events between two calls are one hint"

    watched(home, story)


def test_an_inbox_that_is_removed_and_made_again_is_watched_again(home: Path) -> None:
    async def story(inbox: WatchdogInbox) -> None:
        (home / "tasks").rmdir()
        await until(inbox, lambda: not inbox.watching)
        assert inbox.reason == "the folder tasks/ is not there"
        (home / "tasks").mkdir()
        await until(inbox, lambda: inbox.watching)
        drop(home, "a.task.md")
        await inbox.hint()
        assert inbox.watching

    watched(home, story)


def test_an_inbox_that_is_replaced_at_once_is_watched_again(home: Path) -> None:
    async def story(inbox: WatchdogInbox) -> None:
        (home / "tasks").rename(home / "old")
        (home / "tasks").mkdir()
        await inbox.hint()
        assert inbox.watching
        assert await no_hint(inbox)
        drop(home, "a.task.md")
        await inbox.hint()

    watched(home, story)


async def until(inbox: WatchdogInbox, reached: Callable[[], bool]) -> None:
    while not reached():
        await inbox.hint()


class NoWatchesLeft(BaseObserver):
    """An observer that the system refuses."""

    def __init__(self) -> None:
        super().__init__(EventEmitter)

    def start(self) -> None:
        raise OSError(28, "inotify watch limit reached")


def test_where_nothing_can_be_watched_there_are_hints_all_the_same(home: Path) -> None:
    made: list[BaseObserver] = []

    def refused() -> BaseObserver:
        made.append(NoWatchesLeft())
        return made[-1]

    async def run() -> None:
        with trio.fail_after(PATIENCE_S):
            async with WatchdogInbox(home, refused) as inbox:
                assert not inbox.watching
                assert "inotify watch limit reached" in (inbox.reason or "")
                await inbox.hint()
                await inbox.hint()
                assert len(made) == 1

    trio.run(run)


def test_watching_is_tried_again_later(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.watchdog_inbox.POLL_S", 0.001)
    made: list[BaseObserver] = []

    def refused_once() -> BaseObserver:
        made.append(Observer() if made else NoWatchesLeft())
        return made[-1]

    async def run() -> None:
        with trio.fail_after(PATIENCE_S):
            async with WatchdogInbox(home, refused_once) as inbox:
                await until(inbox, lambda: inbox.watching)
                assert inbox.reason is None

    trio.run(run)


@posix_only
def test_an_inbox_that_is_a_link_is_not_watched_and_says_why(home: Path) -> None:
    (home / "tasks").rename(home / "elsewhere")
    (home / "tasks").symlink_to(home / "elsewhere")

    async def run() -> None:
        async with WatchdogInbox(home) as inbox:
            assert not inbox.watching
            assert inbox.reason == "the inbox is a symbolic link: make it a real folder again"

    trio.run(run)


def test_an_event_after_the_end_is_no_error(home: Path) -> None:
    inbox = WatchdogInbox(home)

    async def run() -> trio.lowlevel.TrioToken:
        return trio.lowlevel.current_trio_token()

    inbox._token = trio.run(run)
    told: list[bool] = []

    class Event:
        event_type = "created"
        dest_path = ""

        @property
        def src_path(self) -> str:
            told.append(True)
            return str(home / "tasks" / "a.task.md")

    inbox.tell(Event())  # type: ignore[arg-type]
    assert told


def test_a_file_that_is_taken_in_is_seen_as_one_move_that_holds_nothing_up(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a move out of what it sees the watcher waits for the other end, and all that follows waits, too."""
    (home / "tasks" / "processed").mkdir()
    seen: list[FileSystemEvent] = []
    tell = WatchdogInbox.tell

    def telling(inbox: WatchdogInbox, event: FileSystemEvent) -> None:
        seen.append(event)
        tell(inbox, event)

    monkeypatch.setattr(WatchdogInbox, "tell", telling)
    place, archived = home / "tasks" / "a.task.md", home / "tasks" / "processed" / "a.queued.task.md"

    async def story(inbox: WatchdogInbox) -> None:
        drop(home, "a.task.md")
        await inbox.hint()
        place.rename(archived)
        while not any(event.event_type in ("moved", "deleted") for event in seen):
            await inbox.hint()
        gone = next(event for event in seen if event.event_type in ("moved", "deleted"))
        assert (gone.event_type, gone.src_path, gone.dest_path) == ("moved", str(place), str(archived))

    watched(home, story)


def test_what_happens_below_the_inbox_is_no_hint(home: Path) -> None:
    (home / "tasks" / "processed").mkdir()

    async def story(inbox: WatchdogInbox) -> None:
        drop(home, "processed/a.queued.task.md")
        (home / "tasks" / "processed" / "a.queued.task.md").rename(home / "tasks" / "processed" / "b.task.md")
        assert await no_hint(inbox)

    watched(home, story)
