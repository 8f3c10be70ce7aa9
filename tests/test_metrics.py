"""The view of metrics: what happened, how often, how long it took and what it cost."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventstore.memory_log import MemoryLog
from projections import metrics
from projections.live import LiveViews
from projections.projection import Row
from schemas.attempt import StaleResultRejected
from schemas.turn import Spent
from tests.life_cycles import (
    Lives,
    cancelled,
    claimed,
    failed,
    queued,
    quota_wait_started,
    received,
    retry_requested,
    retry_scheduled,
    turn_finished,
    turn_started,
)


@pytest.fixture
def lives() -> Lives:
    return Lives(MemoryLog())


def rows_of(lives: Lives) -> dict[str, Row]:
    live = LiveViews([metrics.PROJECTION])
    live.apply(lives.log.all())
    return live.rows("metrics")


def test_metrics_count_in_all_by_type_by_error_and_by_day(lives: Lives) -> None:
    lives.whole("a")
    lives.tell("b", received("b"), queued(), claimed(1), failed())
    lives.refuse("r1")
    rows = rows_of(lives)
    assert set(rows) == {"all", "type:bug_fix", "agent:bug_fix", "error:fatal", "day:2026-09-21"}
    total = rows["all"]
    assert [total[name] for name in ("received", "refused", "succeeded", "failed", "attempts")] == [
        2,
        1,
        1,
        1,
        2,
    ]
    assert (total["elapsed_ms_sum"], total["elapsed_ms_max"], total["waited_ms_sum"]) == (6000, 4000, 600)
    assert total["cost_micro_usd_sum"] == 12_500
    assert "attempts" not in rows["type:bug_fix"]


def test_a_task_that_nobody_worked_at_has_no_duration(lives: Lives) -> None:
    lives.tell("a", received("a"), cancelled())
    assert metrics.quantile(rows_of(lives)["all"], 0.5) is None


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=60), st.sampled_from([0.0, 0.5, 0.9, 0.99, 1.0]))
def test_a_quantile_is_within_two_per_cent_of_the_exact_one(values: list[int], q: float) -> None:
    durations: dict[str, int] = {}
    for value in values:
        durations[metrics.bucket(value)] = durations.get(metrics.bucket(value), 0) + 1
    exact = sorted(values)[int(q * (len(values) - 1))]
    found = metrics.quantile({"durations": durations}, q)
    assert found is not None
    assert math.isclose(found, exact, rel_tol=0.0202)


def test_tries_and_waits_are_counted_and_money_is_what_turns_spent(lives: Lives) -> None:
    lives.tell("a", received("a"), queued(), claimed(1), turn_started(1))
    more = turn_finished(1, cost_usd=2.0).model_copy(update={"spent": Spent(usd=0.5, input_tokens=3)})
    late = StaleResultRejected(attempt=1, current_attempt=2, command="FinishTurn", cost_usd=0.25)
    lives.tell("a", more, retry_scheduled(1), claimed(2), late, quota_wait_started(2))
    lives.tell("a", retry_requested("a", 2, "waiting_quota"))
    total = rows_of(lives)["all"]
    assert total["cost_micro_usd_sum"] == 750_000
    assert total["input_tokens_sum"] == 3
    for name in ("retries", "quota_waits", "stale_results", "retry_requests"):
        assert total[name] == 1
