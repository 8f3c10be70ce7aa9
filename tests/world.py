"""The whole program over fakes, time by trio's MockClock, and a crash on demand."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import trio
from trio._core import _run
from trio.testing import MockClock

from adapters.automations.archiver import Archiver
from adapters.automations.artifact_writer import ArtifactWriter
from adapters.automations.attempt import Fenced, Workshop
from adapters.automations.claims import Claims
from adapters.automations.disk_watch import DiskWatch
from adapters.automations.feed import Feed
from adapters.automations.intake import Intake
from adapters.automations.keeper import Keeper
from adapters.automations.leases import Leases
from adapters.automations.mediator import Mediator
from adapters.automations.policy_runner import PolicyRunner
from adapters.automations.reconcile import Reconcile
from adapters.automations.stamp import Stamp
from adapters.automations.timers import Timers
from adapters.automations.tree_signer import TreeSigner
from adapters.automations.waiting_log import WaitingLog
from adapters.automations.wish_reader import WishReader
from adapters.automations.worker import Worker
from adapters.supervisor import Crew, Supervisor
from eventstore.event import Event, Place, Recorded
from eventstore.log import WrongExpectedVersion
from handlers.deciders import DECIDERS
from handlers.dispatch import AsyncDispatch
from handlers.intake import Ground
from handlers.ports.log import Doorbell, NotNow
from handlers.ports.model import Model
from projections.all_views import ALL
from projections.live import LiveViews
from projections.projection import Row
from schemas.attempt import Conditions
from tests.fakes import (
    HOME,
    ROOT,
    Crashed,
    Deaf,
    FakeAgent,
    FakeBlobs,
    FakeChecks,
    FakeDisk,
    FakeFolders,
    FakeHeads,
    FakeInbox,
    FakeOutputs,
    FakeProcesses,
    FakeRecords,
    FakeTree,
    World,
)
from tests.known_agents import FakeAgents

RESERVE = 64 * 2**20


@dataclass
class InlineLog:
    """No thread hops: they would break virtual time. Crashes before or after the n-th append."""

    world: World

    async def append(self, stream: str, events: Sequence[Event], expected: int) -> tuple[Place, ...]:
        await trio.lowlevel.checkpoint()
        world = self.world
        if world.off:
            raise Crashed
        if world.sync_s:
            await trio.sleep(world.sync_s)
        if world.free <= 0:
            raise NotNow("there is no space left for the log", full=True)
        world.appends += 1
        due = world.appends == world.crash_at
        if due and not world.crash_after:
            world.off = True
            raise Crashed
        try:
            places = world.log.append(stream, events, expected)
        except WrongExpectedVersion:
            world.off |= due
            raise
        if due:
            world.off = True
            raise Crashed
        return places

    async def read_stream(self, name: str, after: int) -> list[Recorded]:
        await trio.lowlevel.checkpoint()
        return list(self.world.log.stream(name, after))

    async def read_all(self, after: int, limit: int) -> list[Recorded]:
        await trio.lowlevel.checkpoint()
        return list(islice(self.world.log.all(after), limit))


def conditions_of(workers: int) -> Conditions:
    """Those of a service whose agent can be found."""
    return Conditions(
        executable="/usr/bin/agent",
        executable_found=True,
        max_turns=0,
        timeout_s=300,
        skip_permissions=False,
        workers=workers,
        watcher_running=True,
    )


def crew_of(
    world: World,
    workers: int = 2,
    wrap_agent: Callable[[FakeAgent], Any] = lambda agent: agent,
    wrap_tree: Callable[[FakeTree], Any] = lambda tree: tree,
    daily_budget_usd: float | None = None,
    processes: FakeProcesses | None = None,
    doorbell: Doorbell | None = None,
    model: Model | None = None,
) -> Crew:
    """The same parts as the program's own composition, over fakes."""
    log = InlineLog(world)
    stamp = Stamp(world, world)
    patient = WaitingLog(log, world, world.said.append)
    dispatch = AsyncDispatch(patient, "urn:evt:world", DECIDERS)
    at_once = AsyncDispatch(log, "urn:evt:world", DECIDERS)
    feed = Feed(log, LiveViews(ALL))
    folders, processes, inbox = FakeFolders(world), processes or FakeProcesses(world), FakeInbox(world)
    tree, blobs = wrap_tree(FakeTree(world)), FakeBlobs(world)
    ground = Ground(home=HOME, base=ROOT, allowed_root=ROOT, windows=False)
    mediator = Mediator(model, feed, stamp, lambda text: text, 8192)
    budget = daily_budget_usd
    outside = (folders, processes, FakeAgents())
    claims = Claims(feed, dispatch, stamp, *outside, ground, conditions_of(workers), daily_budget_usd=budget)
    shop = Workshop(
        feed=feed,
        dispatch=dispatch,
        stamp=stamp,
        claims=claims,
        agent=wrap_agent(FakeAgent(world)),
        mediator=mediator,
        checks=FakeChecks(world),
        tree=tree,
        blobs=blobs,
        folders=folders,
        denied=(),
        max_turns=0,
        inactivity_s=0.0,
    )
    reconcile = Reconcile(feed, dispatch, stamp, processes, tree, blobs)

    async def artifacts() -> Mapping[str, Row]:
        return feed.live.rows("artifacts")

    return Crew(
        feed=feed,
        doorbell=doorbell or Deaf(),
        dispatch=dispatch,
        stamp=stamp,
        processes=processes,
        reconcile=reconcile,
        leases=Leases(feed, reconcile),
        claims=claims,
        intake=Intake(feed, inbox, folders, FakeAgents(), ground, dispatch, stamp, lambda text: text),
        mediator=mediator,
        wishes=WishReader(feed, mediator, folders, FakeAgents(), ground, dispatch, stamp),
        policies=PolicyRunner(feed, dispatch, stamp, mediated=mediator.on),
        timers=Timers(feed, stamp),
        artifacts=ArtifactWriter(feed, log, FakeOutputs(world), dispatch, stamp, artifacts),
        archiver=Archiver(feed, inbox, dispatch, stamp),
        disk=DiskWatch(feed, FakeDisk(world), patient, trio.lowlevel.checkpoint, RESERVE, at_once, stamp),
        keeper=Keeper(feed, FakeRecords(world), dispatch, stamp),
        signer=TreeSigner(feed, FakeHeads(world), dispatch, stamp),
        workers=[Worker(f"w{number + 1}", shop) for number in range(workers)],
        fatal=(Crashed, Fenced, NotNow),
        version="0",
        last_resort=lambda: None,
    )


def serve(
    world: World, workers: int = 2, drain_wait_s: float = 3600.0, seed: int = 0, **options: Any
) -> bool:
    """Run the whole service in virtual time until it is drained; False when it crashed.

    trio shuffles what is ready to run; with its own switch and a seed it does so the same way each time.
    """

    async def main() -> None:
        with trio.fail_after(100_000):
            await Supervisor(crew_of(world, workers, **options), drain_wait_s).run()

    _run._ALLOW_DETERMINISTIC_SCHEDULING = True  # type: ignore[misc]  # trio's own switch for tests
    _run._r.seed(seed)
    try:
        trio.run(main, clock=MockClock(autojump_threshold=0))
    except (Crashed, ExceptionGroup) as trouble:
        if isinstance(trouble, ExceptionGroup) and trouble.split(Crashed)[1] is not None:
            raise
        return False
    return True
