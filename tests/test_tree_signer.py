"""When the service signs: after 256 events, a minute after traffic, at its end; not for its own word."""

from collections.abc import Callable
from dataclasses import dataclass, field

import trio
from trio.testing import MockClock

from adapters.automations.feed import Feed
from adapters.automations.stamp import Stamp
from adapters.automations.tree_signer import TreeSigner
from eventstore.event import ANY
from handlers.deciders import DECIDERS
from handlers.dispatch import AsyncDispatch
from handlers.ports.log import HeadRefused, HeadStanding
from projections.live import LiveViews
from schemas import names
from tests.fakes import FakeHeads, World
from tests.log_contract import fact
from tests.world import InlineLog

HOUR_S = 3600


@dataclass
class Signing:
    """A signer at work in a world; `heads` are size, reason and second of each tree head."""

    world: World = field(default_factory=World)
    heads: FakeHeads | None = None

    async def run(self, script: Callable[["Signing"], object]) -> None:
        log = InlineLog(self.world)
        stamp = Stamp(self.world, self.world)
        self.feed = Feed(log, LiveViews(()))
        dispatch = AsyncDispatch(log, "urn:evt:world", DECIDERS)
        self.signer = TreeSigner(self.feed, self.heads or FakeHeads(self.world), dispatch, stamp)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.signer.run)
            await trio.testing.wait_all_tasks_blocked()
            await script(self)  # type: ignore[misc]  # each script is a coroutine function
            nursery.cancel_scope.cancel()

    async def come(self, count: int) -> None:
        for _ in range(count):
            self.world.log.append("task-x", [fact(self.world.log.head())], ANY)
        await self.feed.advance()

    @property
    def signed(self) -> list[tuple[int, str]]:
        events = self.world.log.all(types=frozenset({names.TREE_HEAD_SIGNED}))
        return [(event.global_position, event.data["reason"]) for event in events]


def played(script: Callable[[Signing], object], signing: Signing | None = None) -> Signing:
    made = signing or Signing()
    trio.run(made.run, script, clock=MockClock(autojump_threshold=0))
    return made


def test_a_log_in_which_nothing_happens_gets_no_tree_head() -> None:
    async def script(signing: Signing) -> None:
        await trio.sleep(HOUR_S)

    assert played(script).signed == []


def test_a_minute_after_traffic_one_tree_head_is_signed_and_no_second_for_its_own_event() -> None:
    async def script(signing: Signing) -> None:
        await signing.come(3)
        await trio.sleep(59)
        assert not signing.signed
        await trio.sleep(HOUR_S)

    assert played(script).signed == [(4, "time")]


def test_enough_events_are_not_kept_waiting() -> None:
    async def script(signing: Signing) -> None:
        await signing.come(255)
        await trio.sleep(1)
        assert not signing.signed
        await signing.come(1)
        await trio.sleep(1)

    assert played(script).signed == [(257, "events")]


def test_a_tree_head_that_was_announced_before_a_crash_is_signed_without_another_word() -> None:
    world = World()
    announced = fact(1, names.TREE_HEAD_SIGNED)
    world.log.append(names.SYSTEM, [announced], ANY)

    async def script(signing: Signing) -> None:
        await signing.feed.advance()
        await trio.sleep(HOUR_S)

    played(script, Signing(world))
    assert world.log.head() == world.signed == 1


def test_a_refusal_is_told_once_and_the_service_goes_on() -> None:
    world = World()

    class Refusing(FakeHeads):
        async def ready(self) -> HeadStanding:
            await trio.lowlevel.checkpoint()
            raise HeadRefused("the log was cut: run `evt audit`")

    async def script(signing: Signing) -> None:
        await signing.come(600)
        await trio.sleep(HOUR_S)
        assert await signing.signer.head("shutdown") is None

    played(script, Signing(world, Refusing(world)))
    told = list(world.log.all(types=frozenset({names.TREE_HEAD_REFUSED})))
    assert [event.data["problem"] for event in told] == ["the log was cut: run `evt audit`"]
