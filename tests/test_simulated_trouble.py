"""Trouble in virtual time: what fails is tried again, waits, is given up, and ends once, truthfully."""

from collections import Counter

import pytest

from schemas import names
from tests.fakes import EPOCH, World
from tests.test_simulation import task
from tests.troubled import ends, events_of, with_checks, world_of
from tests.world import serve


def test_a_network_error_is_tried_again_in_the_same_session_and_ends_well() -> None:
    world = world_of("network", "network", a=task("alpha"))
    assert serve(world)
    retries = [event.data for event in events_of(world, names.RETRY_SCHEDULED)]
    assert [(data["error_class"], data["retry"], data["resume"]) for data in retries] == [
        ("network", 1, True),
        ("network", 2, True),
    ]
    assert retries[1]["delay_s"] > retries[0]["delay_s"] > 0
    assert ends(world) == {"a": [names.TASK_SUCCEEDED]}
    assert [order.resume for order in world.orders] == [False, True, True]
    assert len({order.session_id for order in world.orders}) == 1


def test_no_attempt_begins_before_its_retry_is_due() -> None:
    world = world_of("network", a=task("alpha"))
    serve(world)
    (retry,) = events_of(world, names.RETRY_SCHEDULED)
    claims = events_of(world, names.TASK_CLAIMED)
    assert [event.data["attempt"] for event in claims] == [1, 2]
    assert claims[1].time >= retry.data["wake_at"]


def test_what_fails_each_time_is_given_up_with_its_class() -> None:
    world = world_of(*["network"] * 9, a=task("alpha"))
    serve(world)
    (end,) = events_of(world, names.TASK_FAILED)
    assert (end.data["error_class"], end.data["attempt"]) == ("network", 4)
    assert "tried 4 times" in end.data["sentence"]


def test_a_used_up_quota_holds_up_its_whole_executor_and_then_everything_goes_on() -> None:
    world = world_of("quota 900", a=task("alpha", cwd="/srv/a"), b=task("beta", cwd="/srv/b"))
    assert serve(world, workers=1)
    (wait,) = events_of(world, names.QUOTA_WAIT_STARTED)
    assert wait.data["resets_at"] == pytest.approx(EPOCH + 900_000_000, abs=60_000_000)
    later = [event for event in events_of(world, names.TASK_CLAIMED) if event.time > wait.time]
    assert len(later) == 2
    assert all(event.time >= wait.data["wake_at"] for event in later)
    assert ends(world) == {"a": [names.TASK_SUCCEEDED], "b": [names.TASK_SUCCEEDED]}
    resumed = [order for order in world.orders if order.resume]
    assert [order.session_id for order in resumed] == [world.orders[0].session_id]


def test_a_drain_does_not_wait_for_a_quota_that_is_far_away() -> None:
    world = world_of("quota 7200", a=task("alpha", cwd="/srv/a"), b=task("beta", cwd="/srv/b"))
    assert serve(world, workers=1, drain_wait_s=60)
    assert ends(world) == {}


def test_an_agent_that_falls_silent_is_resumed() -> None:
    world = world_of("silent", a=task("alpha"))
    serve(world)
    assert len(events_of(world, names.INACTIVITY_TIMEOUT)) == 1
    assert [order.resume for order in world.orders] == [False, True]
    assert ends(world) == {"a": [names.TASK_SUCCEEDED]}


@pytest.mark.parametrize(("deaths", "end"), [(2, names.TASK_SUCCEEDED), (3, names.TASK_FAILED)])
def test_the_third_death_of_its_agent_ends_a_task_and_others_go_on(deaths: int, end: str) -> None:
    world = world_of(*["die"] * deaths, a=task("alpha", cwd="/srv/a", priority="high"))
    serve(world, workers=1)
    world.inbox["b.task.md"] = task("beta")
    world.restart()
    serve(world)
    assert ends(world) == {"a": [end], "b": [names.TASK_SUCCEEDED]}
    assert [event.data["agent_died"] for event in events_of(world, names.TASK_INTERRUPTED)] == [True] * deaths
    assert not any(order.resume for order in world.orders), "what killed it may be what its session holds"


def test_an_executor_that_fails_three_times_in_a_row_rests_and_is_tried_by_one() -> None:
    tasks = {name: task(name, cwd=f"/srv/{name}") for name in "abcdef"}
    world = world_of(*["auth"] * 4, **tasks)
    assert serve(world, workers=1)
    opened = events_of(world, names.CIRCUIT_OPENED)
    assert [event.data["failures"] for event in opened] == [3, 4]
    between = [
        event
        for event in events_of(world, names.TASK_CLAIMED)
        if opened[0].global_position < event.global_position < opened[1].global_position
    ]
    assert len(between) == 1, "one task tries the executor"
    assert between[0].time >= opened[0].data["wake_at"]
    assert len(events_of(world, names.CIRCUIT_CLOSED)) == 1
    assert Counter(end for found in ends(world).values() for end in found) == {
        names.TASK_FAILED: 4,
        names.TASK_SUCCEEDED: 2,
    }


def test_an_agent_that_cannot_be_started_costs_no_task_its_place() -> None:
    tasks = {name: task(name, cwd=f"/srv/{name}") for name in "abc"}
    world = world_of(*["unstartable"] * 7, **tasks)
    assert serve(world, workers=3)
    assert ends(world) == {name: [names.TASK_SUCCEEDED] for name in "abc"}
    assert events_of(world, names.CIRCUIT_OPENED)


def test_a_check_that_passes_is_proof() -> None:
    world = world_of(a=with_checks("alpha", "grep alpha cart.py"))
    serve(world)
    (end,) = events_of(world, names.TASK_SUCCEEDED)
    assert end.data["verified"] == "passed"
    assert "unproved: reads well" in end.data["evidence"]
    assert any(line.startswith("check passed: `grep alpha cart.py`") for line in end.data["evidence"])


def test_a_check_that_fails_is_told_to_the_agent_once_and_then_fails_the_task() -> None:
    world = world_of(a=with_checks("alpha", "grep omega cart.py"))
    serve(world)
    (end,) = events_of(world, names.TASK_FAILED)
    assert (end.data["error_class"], end.data["verified"]) == ("validation", "failed")
    assert end.data["claimed"] == "done"
    assert [event.data["result"]["passed"] for event in events_of(world, names.CHECK_FINISHED)] == [False] * 2
    first, second = world.orders
    assert (second.resume, second.session_id) == (True, first.session_id)
    assert "1 of 1 checks failed: `grep omega cart.py`" in second.prompt


def test_an_answer_is_measured_before_its_end_and_a_signal_changes_nothing() -> None:
    world = world_of(a=task("alpha"))
    serve(world)
    (measured,) = events_of(world, names.VALIDATED)
    (end,) = events_of(world, names.TASK_SUCCEEDED)
    assert measured.position + 1 == end.position
    result = measured.data["result"]
    assert (result["valid"], result["issues"]) == (True, [])


def test_checks_are_not_run_for_an_agent_that_failed() -> None:
    world = world_of(a=with_checks("alpha badly", "grep alpha cart.py"))
    serve(world)
    assert not events_of(world, names.CHECK_FINISHED)
    assert len(events_of(world, names.TASK_FAILED)) == 1


def test_a_budget_that_was_raised_counts_from_the_next_start_on() -> None:
    tasks = {name: task(name, cwd=f"/srv/{name}") for name in "ab"}
    world = world_of(**tasks)
    assert serve(world, workers=1, drain_wait_s=60, daily_budget_usd=0.01)
    assert len(ends(world)) == 1, "the day is spent, and the drain does not wait for midnight"
    world.restart()
    assert serve(world, workers=1, drain_wait_s=60, daily_budget_usd=5.0)
    assert len(events_of(world, names.DAILY_BUDGET_LIFTED)) == 1
    assert ends(world) == {name: [names.TASK_SUCCEEDED] for name in "ab"}


def test_what_a_task_may_cost_counts_over_its_attempts() -> None:
    world = world_of("network", a=task("alpha", max_budget_usd="0.5"))
    serve(world)
    assert [order.max_budget_usd for order in world.orders] == [0.5, 0.5]
    assert ends(world) == {"a": [names.TASK_SUCCEEDED]}


def test_a_day_whose_money_is_spent_begins_nothing_until_midnight() -> None:
    tasks = {name: task(name, cwd=f"/srv/{name}") for name in "abc"}
    world = world_of(**tasks)
    world.epoch = 1_790_034_900_000_000  # 23:55 UTC
    assert serve(world, workers=1, drain_wait_s=900, daily_budget_usd=0.02)
    (reached,) = events_of(world, names.DAILY_BUDGET_REACHED)
    claims = events_of(world, names.TASK_CLAIMED)
    assert len(claims) == 3
    assert claims[1].time < reached.time < reached.data["wake_at"] <= claims[2].time
    assert len(ends(world)) == 3


def trouble() -> World:
    """Every kind of trouble once, in three tasks of which one is checked."""
    moods = ("network", "die", "silent", "quota 20")
    return world_of(
        *moods,
        a=task("alpha", cwd="/srv/a"),
        b=with_checks("beta", "wait 5", "grep beta cart.py"),
        c=task("gamma badly", cwd="/srv/c"),
    )


@pytest.mark.parametrize("after", [True, False], ids=["after", "before"])
def test_a_crash_at_any_append_amid_trouble_loses_nothing_and_ends_each_task_once(after: bool) -> None:
    whole = trouble()
    assert serve(whole)
    expected = {"a": [names.TASK_SUCCEEDED], "b": [names.TASK_SUCCEEDED], "c": [names.TASK_FAILED]}
    assert ends(whole) == expected
    for point in range(1, whole.appends + 1, 2):
        world = trouble()
        world.crash_at, world.crash_after = point, after
        assert not serve(world), f"the crash at append {point} was not seen"
        world.restart()
        assert serve(world), f"after a crash at append {point}"
        assert ends(world) == expected, f"after a crash at append {point}"
        assert not world.alive
        for name, word in (("a", "alpha"), ("shop", "beta"), ("c", "gamma badly")):
            assert world.trees[f"/srv/{name}"]["cart.py"].count(f"append {word}") == 1
