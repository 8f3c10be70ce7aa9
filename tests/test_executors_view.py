"""The view of what holds tasks up together, and what it lets the queue's order choose."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventstore.memory_log import MemoryLog
from handlers.executor import EXECUTOR
from handlers.policies import breaking
from handlers.scheduling import EVERY, choose, open_until
from projections import executors, queue, timers
from projections.live import LiveViews
from projections.projection import Row
from schemas import names
from schemas.attempt import TaskInterrupted
from schemas.executor import (
    CircuitClosed,
    CircuitOpened,
    DailyBudgetLifted,
    DailyBudgetReached,
    QueuePaused,
    QueueResumed,
    executor_stream,
)
from schemas.word import Fact
from tests.life_cycles import (
    SECOND,
    Lives,
    claimed,
    failed,
    queued,
    quota_wait_started,
    received,
    retry_requested,
    retry_scheduled,
    succeeded,
)
from tests.rule_bench import Bench

CLAUDE = names.EXECUTOR
DAY = {"day": "2026-09-21", "spent_usd": 5.0}


class Seen:
    """A log, and what the views say of it."""

    def __init__(self) -> None:
        self.lives = Lives(MemoryLog())
        self.live = LiveViews([executors.PROJECTION, queue.PROJECTION, timers.PROJECTION])

    def tell(self, task_id: str, *facts: Fact) -> None:
        self.lives.tell(task_id, *facts)

    def say(self, fact: Fact) -> None:
        self.lives.say(executor_stream(CLAUDE), fact)

    def rows(self, view: str = "executors") -> dict[str, Row]:
        self.live.apply(self.lives.log.all(self.live.position))
        return self.live.rows(view)

    def row(self, executor: str = CLAUDE) -> Row:
        return self.rows()[executor]

    def next(self, now: int | None = None) -> str | None:
        moment = self.lives.now if now is None else now
        chosen = choose(self.rows("queue").values(), moment, self.rows())
        return None if chosen is None else str(chosen["task_id"])


@pytest.fixture
def seen() -> Seen:
    """Three tasks that wait, each in a folder of its own."""
    found = Seen()
    for task_id in ("a", "b", "c"):
        place = queued().model_copy(update={"cwd": f"/srv/{task_id}"})
        found.tell(task_id, received(task_id), place)
    return found


def claim(task_id: str, attempt: int = 1) -> Fact:
    return claimed(attempt).model_copy(update={"cwd": f"/srv/{task_id}"})


def opened(wake_at: int, failures: int = 3) -> CircuitOpened:
    return CircuitOpened(
        executor=CLAUDE,
        failures=failures,
        error_class="network",
        sentence="no answer.",
        delay_s=30.0,
        wake_at=wake_at,
    )


# what is counted


@pytest.mark.parametrize(
    "failure",
    [
        failed(1, "network", "overloaded"),
        failed(1, "auth", "billing_error"),
        failed(1, "fatal", "cli_error"),
        failed(1, "fatal", "no_result"),
        retry_scheduled(1, error_class="network"),
        retry_scheduled(1, error_class="rate_limit"),
        retry_scheduled(1, error_class="fatal").model_copy(update={"reason": "agent_not_started"}),
    ],
    ids=lambda fact: f"{fact.TYPE}-{fact.error_class}-{fact.reason}",
)
def test_three_failures_of_the_executor_in_a_row_are_due_to_open_its_circuit(
    seen: Seen, failure: Fact
) -> None:
    for failures in (1, 2, 3):
        seen.tell("a", failure)
        assert (seen.row()["failures"], seen.row()["due"]) == (failures, "open" if failures == 3 else None)
    assert seen.row()["event_id"] == list(seen.lives.log.all())[-1].id


@pytest.mark.parametrize(
    "answer",
    [
        succeeded(),
        failed(1, "validation", "empty_output"),
        retry_scheduled(1, error_class="validation"),
        failed(1, "turn_cap", "max_turns"),
        retry_scheduled(1, error_class="timeout"),
        quota_wait_started(1),
    ],
    ids=lambda fact: f"{fact.TYPE}-{getattr(fact, 'error_class', '')}",
)
def test_an_answer_begins_the_count_anew_and_closes_an_open_circuit(seen: Seen, answer: Fact) -> None:
    seen.tell("a", *[failed(1, "network")] * 2, answer)
    assert (seen.row()["failures"], seen.row()["due"]) == (0, None)
    seen.tell("a", *[failed(1, "network")] * 3)
    seen.say(opened(seen.lives.now))
    seen.tell("a", answer)
    assert (seen.row()["failures"], seen.row()["due"]) == (0, "close")
    seen.say(CircuitClosed(executor=CLAUDE))
    assert (seen.row()["opened"], seen.row()["due"]) == (0, None)


@pytest.mark.parametrize(
    "silence",
    [
        failed(0, "fatal", "cwd_missing"),
        failed(0, "security", "cwd_moved"),
        failed(2, "worker_lost", "worker_lost"),
        TaskInterrupted(attempt=1, reason="the service died"),
    ],
    ids=lambda fact: fact.TYPE,
)
def test_an_end_that_the_executor_had_no_part_in_tells_nothing_of_it(seen: Seen, silence: Fact) -> None:
    seen.tell("a", *[failed(1, "network")] * 2)
    before = dict(seen.row())
    seen.tell("a", silence)
    assert seen.row() == before


def test_what_fails_while_the_circuit_is_open_had_begun_before_and_lengthens_no_rest(seen: Seen) -> None:
    seen.tell("a", *[failed(1, "network")] * 3)
    seen.say(opened(wake_at=2**62))
    seen.tell("b", *[failed(1, "network")] * 4)
    assert (seen.row()["failures"], seen.row()["due"]) == (7, None)
    seen.say(opened(wake_at=0, failures=7))
    seen.tell("c", failed(1, "network"))
    assert seen.row()["due"] == "open", "the one that tried it afterwards failed too"


def test_executors_are_counted_each_for_itself(seen: Seen) -> None:
    other = retry_scheduled(1).model_copy(update={"executor": "other"})
    seen.tell("a", failed(1, "network"), other, other)
    assert (seen.row()["failures"], seen.row("other")["failures"]) == (1, 2)


# what is held up


def test_an_open_circuit_holds_its_executor_s_tasks_and_then_lets_one_at_a_time_try(seen: Seen) -> None:
    seen.tell("a", *[retry_scheduled(1, seen.lives.now)] * 3)
    wake_at = seen.lives.now + 30 * SECOND
    seen.say(opened(wake_at))
    assert seen.next(wake_at - 1) is None
    assert seen.next(wake_at) == "a"
    seen.tell("a", claim("a", 2))
    assert seen.next(wake_at) is None, "one of them is enough to find out"
    seen.tell("a", succeeded(2))
    assert seen.next(wake_at) == "b"
    seen.tell("b", claim("b"))
    seen.say(CircuitClosed(executor=CLAUDE))
    assert seen.next() == "c"


def test_an_answer_before_its_time_lifts_the_wait_of_a_circuit(seen: Seen) -> None:
    seen.say(opened(seen.lives.now + 900 * SECOND))
    seen.tell("a", claim("a"), succeeded())
    assert seen.next() is None
    seen.say(CircuitClosed(executor=CLAUDE))
    assert seen.next() == "b"


def test_a_used_up_quota_holds_the_whole_executor_until_its_reset(seen: Seen) -> None:
    wake_at = seen.lives.now + 3600 * SECOND
    seen.tell("a", claim("a"), quota_wait_started(1, wake_at))
    assert (seen.row()["wait_until"], seen.row()["why"]) == (wake_at, "quota")
    assert (seen.next(wake_at - 1), seen.next(wake_at)) == (None, "a")
    assert open_until(seen.rows("queue")["b"], seen.rows()) == wake_at


def test_of_two_resets_the_later_one_holds(seen: Seen) -> None:
    late, early = seen.lives.now + 3600 * SECOND, seen.lives.now + 60 * SECOND
    seen.tell("a", claim("a"), quota_wait_started(1, late))
    seen.tell("b", claim("b"), quota_wait_started(1, early))
    assert seen.row()["wait_until"] == late


def test_whoever_asks_for_a_task_that_waits_for_quota_wants_it_now(seen: Seen) -> None:
    seen.tell("a", claim("a"), quota_wait_started(1, seen.lives.now + 3600 * SECOND))
    assert seen.next() is None
    seen.tell("a", retry_requested("a", 1, "waiting_quota"))
    assert (seen.row()["wait_until"], seen.row()["why"]) == (None, None)
    assert seen.next() == "b", "it has a new place, behind the others"


def test_the_wait_is_lifted_though_the_task_that_met_the_quota_was_cancelled(seen: Seen) -> None:
    seen.tell("a", claim("a"), quota_wait_started(1, seen.lives.now + 3600 * SECOND))
    seen.tell("a", retry_requested("a", 1, "cancelled"))
    assert seen.row()["why"] is None


@pytest.mark.parametrize("was", ["failed", "waiting_retry"])
def test_whoever_asks_for_another_task_lifts_no_wait(seen: Seen, was: str) -> None:
    wake_at = seen.lives.now + 3600 * SECOND
    seen.tell("a", claim("a"), quota_wait_started(1, wake_at))
    seen.tell("b", retry_requested("b", 0, was))
    assert seen.row()["wait_until"] == wake_at


def test_whoever_asks_for_a_task_again_does_not_close_a_circuit(seen: Seen) -> None:
    seen.tell("a", claim("a"), quota_wait_started(1, seen.lives.now))
    seen.say(opened(seen.lives.now + 30 * SECOND))
    seen.tell("a", retry_requested("a", 1, "waiting_quota"))
    assert seen.row()["why"] == "circuit"


def test_no_circuit_shortens_or_lifts_a_wait_for_quota(seen: Seen) -> None:
    wake_at = seen.lives.now + 3600 * SECOND
    seen.tell("a", claim("a"), quota_wait_started(1, wake_at))
    seen.say(opened(seen.lives.now + 30 * SECOND))
    assert (seen.row()["wait_until"], seen.row()["why"]) == (wake_at, "quota")
    seen.say(CircuitClosed(executor=CLAUDE))
    assert (seen.row()["wait_until"], seen.row()["why"]) == (wake_at, "quota")


def test_a_refusal_with_a_reset_is_an_answer_that_a_circuit_s_wait_gives_way_to(seen: Seen) -> None:
    seen.say(opened(seen.lives.now + 900 * SECOND))
    wake_at = seen.lives.now + 60 * SECOND
    seen.tell("a", claim("a"), quota_wait_started(1, wake_at))
    assert (seen.row()["wait_until"], seen.row()["why"], seen.row()["due"]) == (wake_at, "quota", "close")


def test_nothing_is_chosen_while_the_queue_is_paused(seen: Seen) -> None:
    seen.lives.say(names.SYSTEM, QueuePaused(reason="holidays"))
    row = seen.row(EVERY)
    assert (row["paused"], row["paused_by"], row["pause_reason"]) == (True, "worker:1", "holidays")
    assert seen.next() is None
    seen.lives.say(names.SYSTEM, QueueResumed(reason="back again"))
    assert (seen.row(EVERY)["paused"], seen.row(EVERY)["paused_by"]) == (False, None)
    assert seen.next() == "a"


def test_a_spent_day_is_told_until_it_is_lifted(seen: Seen) -> None:
    wake_at = seen.lives.now + 3600 * SECOND
    seen.say(DailyBudgetReached.model_validate({**DAY, "budget_usd": 4.0, "wake_at": wake_at}))
    row = seen.row(EVERY)
    assert (row["why"], row["day"], row["wait_until"]) == ("daily_budget", DAY["day"], wake_at)
    assert row["sentence"] == "5.00 of 4.00 USD are spent on 2026-09-21"
    seen.say(DailyBudgetLifted.model_validate({**DAY, "budget_usd": None}))
    assert (seen.row(EVERY)["why"], seen.row(EVERY)["wait_until"]) == (None, None)


# timers


def test_what_holds_all_up_has_a_timer_that_no_task_of_that_name_touches(seen: Seen) -> None:
    wake_at = seen.lives.now + 30 * SECOND
    seen.say(opened(wake_at))
    seen.say(DailyBudgetReached.model_validate({**DAY, "budget_usd": 4.0, "wake_at": wake_at}))
    for name in ("circuit", "daily_budget"):
        seen.tell(name, received(name), queued(not_before=77), claimed(1))
    held = {(row["kind"], row["task_id"], row["wake_at"]) for row in seen.rows("timers").values()}
    assert held == {("circuit", None, wake_at), ("daily_budget", None, wake_at)}
    seen.say(CircuitClosed(executor="other"))
    assert len(seen.rows("timers")) == 2, "another executor's circuit is another one"
    seen.say(CircuitClosed(executor=CLAUDE))
    seen.say(DailyBudgetLifted.model_validate({**DAY, "budget_usd": 9.0}))
    assert seen.rows("timers") == {}


@pytest.mark.parametrize(
    ("wait", "kind"), [(retry_scheduled(1, 99), "retry"), (quota_wait_started(1, 99), "quota")]
)
@pytest.mark.parametrize("then", [claimed(2), retry_requested("a", 1, "waiting_retry"), failed()])
def test_a_wait_has_a_timer_until_it_is_over(seen: Seen, wait: Fact, kind: str, then: Fact) -> None:
    seen.tell("a", claim("a"), wait)
    assert seen.rows("timers") == {"a": {"task_id": "a", "kind": kind, "wake_at": 99}}
    seen.tell("a", then)
    assert seen.rows("timers") == {}


# the view and the rule together


FACTS: dict[str, Any] = {
    "network": failed(1, "network"),
    "retry": retry_scheduled(1, error_class="rate_limit"),
    "well": succeeded(),
    "quota": quota_wait_started(1),
    "other": failed(1, "fatal", "no_turns"),
    "lost": failed(1, "worker_lost"),
}


@given(st.lists(st.tuples(st.sampled_from(sorted(FACTS)), st.booleans()), max_size=25))
def test_what_is_due_is_done_at_once_however_late_the_policy_looks(story: list[tuple[str, bool]]) -> None:
    bench, live = Bench(), LiveViews([executors.PROJECTION])
    failures = 0
    for word, looks in story:
        bench.given(FACTS[word])
        failures = {"network": failures + 1, "retry": failures + 1, "lost": failures}.get(word, 0)
        if not looks:
            continue
        live.apply(bench.log.all(live.position))
        for command in breaking(live.rows("executors"), bench.now):
            assert bench.dispatch(command)
        live.apply(bench.log.all(live.position))
        row = live.row("executors", CLAUDE)
        state, _ = bench.dispatch.state(EXECUTOR, executor_stream(CLAUDE))
        if row is None:
            assert (failures, state.opened) == (0, 0)
            continue
        assert row["due"] is None, "what stays due is asked for without an end"
        assert (row["failures"], row["opened"]) == (failures, state.opened)
        assert failures < names.CIRCUIT_FAILURES or row["opened"] > 0
