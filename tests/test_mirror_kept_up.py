"""How far the mirror may lag behind the log while a service runs, in virtual time."""

from collections.abc import Callable

import pytest
import trio
from trio.testing import MockClock

from adapters.automations import keeper
from adapters.automations.feed import Feed
from adapters.automations.keeper import Keeper
from adapters.automations.stamp import Stamp
from eventstore.event import ANY
from handlers.deciders import DECIDERS
from handlers.dispatch import AsyncDispatch
from projections.all_views import ALL
from projections.live import LiveViews
from tests.fakes import FakeRecords, World
from tests.log_contract import fact
from tests.world import InlineLog

PROMISED_S = 0.2


def lags(steps: int, apart: Callable[[int], float]) -> list[int]:
    """By how many events the mirror lags 200 ms of virtual time after each append."""
    world, found = World(), []
    log, records = InlineLog(world), FakeRecords(world)
    feed = Feed(log, LiveViews(ALL))
    kept = Keeper(feed, records, AsyncDispatch(log, "urn:evt:world", DECIDERS), Stamp(world, world))

    async def look(head: int) -> None:
        await trio.sleep(PROMISED_S)
        found.append(max(0, head - records.mirrored))

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(kept.run)
            async with trio.open_nursery() as looks:
                for number in range(steps):
                    await trio.sleep(apart(number))
                    world.log.append("a-1", [fact(number)], ANY)
                    await feed.advance()
                    looks.start_soon(look, world.log.head())
            nursery.cancel_scope.cancel()

    trio.run(main, clock=MockClock(autojump_threshold=0))
    return found


def every_while(number: int) -> float:
    return 1.0


def at_once(number: int) -> float:
    return 0.0


def just_after_each_round(number: int) -> float:
    return keeper.PAUSE_S + 0.001


def at_odd_moments(number: int) -> float:
    return 0.037 * (number % 7)


@pytest.mark.parametrize("apart", [every_while, at_once, just_after_each_round, at_odd_moments])
def test_200_ms_after_an_append_the_mirror_holds_it(apart: Callable[[int], float]) -> None:
    assert lags(50, apart) == [0] * 50


def test_a_keeper_that_gathers_longer_would_be_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "PAUSE_S", 2 * PROMISED_S)
    assert any(lags(50, at_odd_moments))
