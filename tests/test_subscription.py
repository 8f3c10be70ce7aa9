"""A subscription passes every event on at least once, in order, and knows where it stands."""

from collections.abc import Sequence

import pytest

from eventstore.event import ANY, Recorded
from eventstore.memory_log import MemoryLog
from eventstore.subscription import Subscription
from tests.log_contract import fact, facts, numbers


class Kept:
    """Checkpoints in memory."""

    def __init__(self) -> None:
        self.positions: dict[str, int] = {}

    def load(self, name: str) -> int:
        return self.positions.get(name, 0)

    def save(self, name: str, position: int) -> None:
        self.positions[name] = position


@pytest.fixture
def log() -> MemoryLog:
    log = MemoryLog()
    kinds = ["a_done", "b_done", "a_done", "a_done", "b_done", "b_done"]
    log.append("s-1", [fact(number, kind) for number, kind in enumerate(kinds)], ANY)
    return log


def test_it_catches_up_in_batches_and_then_only_with_what_is_new(log: MemoryLog) -> None:
    kept, batches = Kept(), list[list[int]]()
    subscription = Subscription(log, "view", kept)
    assert subscription.catch_up(lambda events: batches.append(numbers(events)), limit=4) == 6
    assert batches == [[0, 1, 2, 3], [4, 5]]
    assert subscription.catch_up(lambda events: batches.append(numbers(events))) == 0
    log.append("s-1", facts(6), ANY)
    assert subscription.catch_up(lambda events: batches.append(numbers(events))) == 1
    assert batches[2:] == [[6]]
    assert subscription.position == 7


def test_what_was_applied_but_not_marked_comes_again(log: MemoryLog) -> None:
    kept, seen = Kept(), list[int]()

    def crash_once(events: Sequence[Recorded]) -> None:
        seen.extend(numbers(events))
        if seen == [0, 1, 2, 3]:
            raise RuntimeError("planted")

    with pytest.raises(RuntimeError, match="planted"):
        Subscription(log, "view", kept).catch_up(crash_once, limit=2)
    assert kept.positions == {"view": 2}
    Subscription(log, "view", kept).catch_up(crash_once, limit=2)
    assert seen == [0, 1, 2, 3, 2, 3, 4, 5]


def test_other_types_are_passed_over_and_the_checkpoint_with_them(log: MemoryLog) -> None:
    kept, seen = Kept(), list[int]()
    subscription = Subscription(log, "view", kept, frozenset({"a_done"}))
    assert subscription.catch_up(lambda events: seen.extend(numbers(events)), limit=2) == 3
    assert seen == [0, 2, 3]
    assert subscription.position == log.head() == 6
    none = Subscription(log, "none", kept, frozenset({"z_done"}))
    assert none.catch_up(lambda events: pytest.fail("there is nothing to apply")) == 0
    assert none.position == 6


def test_a_batch_may_be_applied_and_marked_by_hand(log: MemoryLog) -> None:
    subscription = Subscription(log, "view", Kept(), frozenset({"b_done"}))
    batch = subscription.pull(limit=1)
    assert batch is not None
    assert (numbers(batch.events), batch.position) == ([1], 2)
    assert subscription.pull(limit=1) == batch
    subscription.mark(batch)
    rest = subscription.pull()
    assert rest is not None
    assert (numbers(rest.events), rest.position) == ([4, 5], 6)
    subscription.mark(rest)
    assert subscription.pull() is None


def test_subscribers_stand_where_each_has_come_to(log: MemoryLog) -> None:
    kept = Kept()
    Subscription(log, "fast", kept).catch_up(lambda events: None)
    assert Subscription(log, "slow", kept).position == 0
    assert kept.positions == {"fast": 6}
