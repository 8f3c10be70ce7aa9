"""What no hint tells of is found by looking: files dropped, services that died, a mirror that was removed."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock
from watchdog.observers.api import BaseObserver, EventEmitter

from adapters.automations.intake import Intake
from adapters.automations.keeper import Keeper
from adapters.record_keeping import RecordKeeping
from adapters.watchdog_inbox import WatchdogInbox
from eventstore.event import ANY
from eventstore.text.mirror import Mirror
from handlers.deciders import DECIDERS
from handlers.dispatch import Dispatch
from handlers.intake import Ground
from projections.all_views import ALL
from projections.comparison import differences
from projections.views import Views
from schemas import names
from schemas.attempt import ClaimTask
from schemas.process import ProcessIdentity
from tests.fakes import HOME, ROOT, FakeFolders, FakeProcesses, Listening, World
from tests.known_agents import FakeAgents
from tests.log_contract import fact
from tests.rule_bench import CONDITIONS
from tests.test_simulation import task
from tests.troubled import events_of, world_of
from tests.world import crew_of

RESCANNED_S = 2.0
"""So soon a file is seen of which nobody was told."""
SETTLED_S = 0.3
"""It is taken in when it has not changed for so long."""
NOTICED_S = 2.0
"""So soon after its death a service's claim is closed."""
KEPT_S = 10.0
"""So soon a mirror that was removed is sought, though nothing was appended."""
MOMENT_S = 0.2


@pytest.fixture
def inline(monkeypatch: pytest.MonkeyPatch) -> None:
    """What would be done in a thread is done at once: no virtual time goes by meanwhile."""

    async def run_sync(work: Callable[..., Any], *arguments: Any) -> Any:
        await trio.lowlevel.checkpoint()
        return work(*arguments)

    monkeypatch.setattr(trio.to_thread, "run_sync", run_sync)


class Deaf(EventEmitter):
    """Watches, and never hears of anything: its queue overflowed, or the folder lies on another machine."""

    def queue_events(self, timeout: float) -> None:
        self.stopped_event.wait(timeout)


def deaf() -> BaseObserver:
    return BaseObserver(Deaf, timeout=0.01)


def received_after(home: Path, dropped_at: float, count: int) -> tuple[list[float], World]:
    """So long after so many files were dropped each was received, in seconds of virtual time."""
    (home / "tasks").mkdir()
    world = World()

    async def main() -> None:
        crew = crew_of(world)
        ground = Ground(home=HOME, base=ROOT, allowed_root=ROOT, windows=False)
        folders, agents = FakeFolders(world), FakeAgents()
        async with WatchdogInbox(home, deaf) as inbox, trio.open_nursery() as nursery:
            assert inbox.watching
            intake = Intake(
                crew.feed, inbox, folders, agents, ground, crew.dispatch, crew.stamp, lambda text: text
            )
            nursery.start_soon(intake.run)
            await trio.sleep_until(dropped_at)
            for number in range(count):
                (home / "tasks" / f"t{number}.task.md").write_bytes(task(f"word{number}"))
            await trio.sleep(60)
            assert inbox.watching, "no second way to a hint was taken"
            nursery.cancel_scope.cancel()

    trio.run(main, clock=MockClock(autojump_threshold=0))
    found = events_of(world, names.TASK_RECEIVED)
    return [(event.time - world.epoch) / 1_000_000 - dropped_at for event in found], world


@pytest.mark.usefixtures("inline")
@pytest.mark.parametrize("dropped_at", [10.0, 10.1, 13.7, 21.9])
def test_a_file_that_no_hint_tells_of_is_found_by_the_rescan(tmp_path: Path, dropped_at: float) -> None:
    (after,), _ = received_after(tmp_path, dropped_at, 1)
    assert 0 <= after <= RESCANNED_S + SETTLED_S + MOMENT_S


@pytest.mark.usefixtures("inline")
def test_a_burst_of_files_whose_hints_are_all_lost_is_found_whole_by_one_rescan(tmp_path: Path) -> None:
    after, world = received_after(tmp_path, 10.1, 2000)
    assert {event.stream for event in events_of(world, names.TASK_RECEIVED)} == {
        names.task_stream(f"t{number}") for number in range(2000)
    }
    assert len(after) == 2000
    assert max(after) <= RESCANNED_S + SETTLED_S + MOMENT_S


OTHER = ProcessIdentity(pid=2, started=1, boot_id="b")


@dataclass
class Neighbours(FakeProcesses):
    """Beside our own service there is another one, until it dies."""

    dies_at: float = 0.0

    async def alive(self, process: ProcessIdentity) -> bool:
        if process == OTHER:
            await trio.lowlevel.checkpoint()
            return trio.current_time() < self.dies_at
        return await super().alive(process)


def claimed_by_the_other(world: World) -> None:
    claim = ClaimTask(
        command_id="theirs",
        time=world.now(),
        actor="worker:w1",
        task_id="a",
        worker="w1",
        cwd="/srv/shop",
        allowed_root=ROOT,
        home=HOME,
        windows=False,
        lease_until=world.now() + 3600 * 1_000_000,
        process=OTHER,
        conditions=CONDITIONS,
    )
    Dispatch(world.log, "urn:evt:world", DECIDERS)(claim)


@pytest.mark.parametrize("lived_s", [0.0, 5.0, 11.1, 14.3, 17.0, 22.9])
def test_a_claim_whose_service_died_is_closed_within_two_seconds_though_nothing_is_appended(
    lived_s: float,
) -> None:
    """It stands beside a living service, and its lease has still an hour to go."""
    claimed_at = 5.0
    world = world_of(a=task("alpha"))
    dies_at = claimed_at + lived_s

    async def main() -> None:
        crew = crew_of(world, processes=Neighbours(world, dies_at), doorbell=Listening(world))
        for _ in range(2):
            await crew.intake.scan()
        await crew.policies.drain()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(crew.feed.follow, crew.doorbell)
            nursery.start_soon(crew.leases.run)
            await trio.sleep_until(claimed_at)
            claimed_by_the_other(world)
            await trio.sleep_until(dies_at)
            assert events_of(world, names.TASK_INTERRUPTED) == []
            await trio.sleep(NOTICED_S)
            nursery.cancel_scope.cancel()

    trio.run(main, clock=MockClock(autojump_threshold=0))
    (interrupted,) = events_of(world, names.TASK_INTERRUPTED, "a")
    assert interrupted.data["reason"] == "the service died"


@pytest.mark.usefixtures("inline")
@pytest.mark.parametrize("removed_at", [1.0, 4.9, 27.3])
def test_a_mirror_that_is_removed_under_an_idle_service_is_written_again(
    tmp_path: Path, removed_at: float
) -> None:
    world = World()
    world.log.append("a-1", [fact(number) for number in range(5)], ANY)
    mirror, views = tmp_path / "events.ndjson", Views(tmp_path / "views.db", ALL)
    stood: list[bool] = []

    async def main() -> None:
        crew = crew_of(world)
        records = RecordKeeping(world.log, views, Mirror(mirror, world.log))
        keeper = Keeper(crew.feed, records, crew.dispatch, crew.stamp)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(keeper.run)
            await trio.sleep_until(removed_at)
            head = world.log.head()
            mirror.unlink()
            stood.append(mirror.exists())
            await trio.sleep(KEPT_S + MOMENT_S)
            stood.append(mirror.exists())
            assert [event.type for event in world.log.all(head)] == [names.MIRROR_REPAIRED]
            await trio.sleep(MOMENT_S)
            nursery.cancel_scope.cancel()

    trio.run(main, clock=MockClock(autojump_threshold=0))
    views.close()
    assert stood == [False, True]
    assert mirror.read_bytes() == b"".join(event.line + b"\n" for event in world.log.all())
    assert differences(tmp_path / "views.db", world.log, ALL).identical
