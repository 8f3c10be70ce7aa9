"""A used-up quota is waited for, whole windows long, and not for ever."""

import pytest

from handlers.attempt import ATTEMPT
from handlers.retry import (
    BLIND_WAIT_S,
    LONGEST_QUOTA_S,
    QUOTA_WAITS,
)
from schemas.task import RetryTask
from tests.rule_bench import (
    SECOND,
    STATUSES,
    Bench,
    types,
)
from tests.test_retry_rules import DAY, WAYS, again, quota


@pytest.mark.parametrize("resets_in", [-DAY, 0, 600 * SECOND, 7 * DAY])
def test_a_used_up_quota_is_waited_for(resets_in: int) -> None:
    bench = Bench(*STATUSES["queued"])
    turn = quota(bench, resets_in)
    (event,) = again(bench, **turn)
    assert event.type == "quota_wait_started"
    assert (event.data["resets_at"], event.data["executor"]) == (turn["resets_at"], "claude")
    assert event.data["wake_at"] >= max(turn["resets_at"], event.time)
    assert event.data["wake_at"] <= max(turn["resets_at"], event.time) + 3 * SECOND
    state = bench.state(ATTEMPT)
    assert (state.status, state.not_before) == ("waiting_quota", event.data["wake_at"])


def test_a_limit_that_is_no_used_up_window_is_tried_again_soon() -> None:
    bench = Bench(*STATUSES["queued"])
    (event,) = again(bench, **WAYS["rate_limit"])
    assert (event.type, event.data["error_class"]) == ("retry_scheduled", "rate_limit")
    assert event.data["wake_at"] < bench.now + DAY


@pytest.mark.parametrize("resets_in", [None, int((LONGEST_QUOTA_S + 60) * SECOND)])
def test_a_used_up_window_without_a_believable_end_is_waited_for_a_quarter_of_an_hour(
    resets_in: int | None,
) -> None:
    bench = Bench(*STATUSES["queued"])
    turn = {**quota(bench, resets_in or 0), "rate_limit_rejected": True}
    if resets_in is None:
        turn["resets_at"] = None
    (event,) = again(bench, **turn)
    assert event.type == "quota_wait_started"
    assert BLIND_WAIT_S * SECOND <= event.data["wake_at"] - event.time <= (BLIND_WAIT_S + 3) * SECOND


def test_quota_waits_are_no_retries_and_end_at_last() -> None:
    assert QUOTA_WAITS == 20
    bench = Bench(*STATUSES["queued"])
    for _ in range(QUOTA_WAITS):
        assert types(again(bench, **quota(bench, 600 * SECOND))) == ["quota_wait_started"]
    assert bench.state(ATTEMPT).tries.by_class == {}
    (end,) = again(bench, **quota(bench, 600 * SECOND))
    assert (end.type, end.data["error_class"], end.data["reason"]) == ("task_failed", "quota", "quota")
    assert "21 times" in end.data["sentence"]
    bench.do(RetryTask)
    assert types(again(bench, **quota(bench, 600 * SECOND))) == ["quota_wait_started"]
