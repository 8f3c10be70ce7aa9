"""Where nothing watches `tasks/`, the log says so, and says when something does again."""

from pathlib import Path

import trio
from trio.testing import MockClock

from schemas import names
from tests.fakes import World
from tests.service import drop, events, folder, home_at, running, task_text, until
from tests.world import crew_of


def told(world: World) -> list[tuple[str, object]]:
    wanted = {names.WATCH_DEGRADED: "reason", names.WATCH_RESTORED: "degraded_s"}
    return [(event.type, event.data[wanted[event.type]]) for event in world.log.all() if event.type in wanted]


def test_each_reason_is_told_once_and_the_end_of_it_once() -> None:
    world = World()
    reasons = ("no watches left", "no watches left", "tasks/ is a link", None, None, "no watches left")

    async def main() -> None:
        intake = crew_of(world, 1).intake
        for reason in reasons:
            intake._inbox.reason = reason  # type: ignore[misc]  # the port only reads it
            with trio.move_on_after(10):
                await intake.run()

    trio.run(main, clock=MockClock(autojump_threshold=0))
    assert told(world) == [
        (names.WATCH_DEGRADED, "no watches left"),
        (names.WATCH_DEGRADED, "tasks/ is a link"),
        (names.WATCH_RESTORED, 30.0),
        (names.WATCH_DEGRADED, "no watches left"),
    ]


def test_a_folder_that_is_taken_away_and_made_again_is_told_and_watched_again(tmp_path: Path) -> None:
    home = home_at(tmp_path)
    with running(home, "--workers", "1"):
        until(home, lambda event: event.type == names.ORCHESTRATOR_STARTED)
        (home / "tasks").rename(home / "tasks-away")
        lost = until(home, lambda event: event.type == names.WATCH_DEGRADED)
        assert lost.data == {"reason": "the folder tasks/ is not there"}
        (home / "tasks").mkdir()
        until(home, lambda event: event.type == names.WATCH_RESTORED)
        drop(home, "first", task_text(folder(home)))
        until(home, lambda event: event.type == names.TASK_SUCCEEDED)
    assert [event.type for event in events(home)].count(names.WATCH_DEGRADED) == 1
