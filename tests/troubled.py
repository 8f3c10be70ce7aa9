"""Worlds in which something goes wrong, and hands that reach into them while the service runs."""

from collections.abc import Callable
from typing import Any

import trio
from trio.testing import MockClock

from adapters.supervisor import Supervisor
from eventstore.event import Recorded
from handlers.deciders import DECIDERS
from handlers.dispatch import Dispatch
from projections.all_views import ALL
from projections.live import LiveViews
from schemas import names
from schemas.word import Command
from tests.fakes import EPOCH, Listening, World
from tests.test_simulation import task
from tests.world import crew_of


def world_of(*moods: str, **tasks: bytes) -> World:
    world = World()
    world.trees |= {f"/srv/{name}": {"cart.py": "one"} for name in tasks}
    world.inbox = {f"{name}.task.md": body for name, body in tasks.items()}
    world.moods = list(moods)
    return world


def events_of(world: World, event_type: str, task_id: str | None = None) -> list[Recorded]:
    stream = None if task_id is None else names.task_stream(task_id)
    return [event for event in world.log.all() if event.type == event_type and stream in (None, event.stream)]


def ends(world: World) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for event in world.log.all():
        if event.type in names.ENDS:
            found.setdefault(event.stream.removeprefix("task-"), []).append(event.type)
    return found


def say(world: World, command: type[Command], command_id: str, **fields: Any) -> None:
    """What another process (a verb) puts into the log."""
    dispatch = Dispatch(world.log, "urn:evt:world", DECIDERS)
    now = world.now() if trio.lowlevel.in_trio_run() else EPOCH
    dispatch(command(command_id=command_id, time=now, actor="cli:me", **{"reason": "asked", **fields}))


def with_hands(world: World, *steps: tuple[float, Callable[[], None]], workers: int = 2) -> None:
    """Run the service, and at each moment (s) do a step beside it; stop it at the last one."""

    async def main() -> None:
        supervisor = Supervisor(crew_of(world, workers, doorbell=Listening(world)))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(supervisor.run)
            for moment, step in steps:
                await trio.sleep_until(moment)
                step()
            supervisor.stop("enough")

    trio.run(main, clock=MockClock(autojump_threshold=0))


def status_of(world: World, task_id: str) -> str:
    live = LiveViews(ALL)
    live.apply(world.log.all())
    row, queued = live.row("tasks", task_id), live.row("queue", task_id)
    assert row is not None
    assert queued is None or queued["status"] == row["status"]
    return str(row["status"])


def with_checks(word: str, *checks: str) -> bytes:
    lines = "".join(f"- [ ] $ `{check}`\n" for check in checks)
    return task(word) + f"\n**Success Criteria:**\n- [ ] reads well\n{lines}".encode()


def nothing() -> None:
    pass
