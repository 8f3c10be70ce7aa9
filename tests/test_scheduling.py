"""Which task is next: priority, then age, one at a time in overlapping directories, none before its time."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers import scheduling
from handlers.path_policy import overlap
from handlers.scheduling import CLAIMABLE, EVERY, choose, open_until

RANKS = {"high": 0, "medium": 1, "low": 2}
NOW = 1_000


def row(task_id: str, position: int, **over: Any) -> dict[str, Any]:
    """A queued task of its own directory; `position` is its age."""
    return {
        "task_id": task_id,
        "status": "queued",
        "rank": RANKS["medium"],
        "received_position": position,
        "not_before": None,
        "cwd": f"/ground/{task_id}",
        "executor": "claude",
        "service_deaths": 0,
        **over,
    }


def next_of(*rows: dict[str, Any], now: int = NOW) -> str | None:
    chosen = choose(iter(rows), now, {})
    return None if chosen is None else str(chosen["task_id"])


def test_an_empty_queue_has_no_next() -> None:
    assert next_of() is None


def test_high_comes_before_medium_before_low() -> None:
    rows = [row("l", 1, rank=2), row("m", 2), row("h", 3, rank=0)]
    assert next_of(*rows) == "h"
    assert next_of(*rows[:2]) == "m"


def test_of_one_priority_the_oldest_comes_first() -> None:
    assert next_of(row("young", 9), row("old", 3), row("middle", 5)) == "old"


@pytest.mark.parametrize("status", ["running", "waiting_dependency", "paused"])
def test_what_waits_for_more_than_a_worker_is_not_next(status: str) -> None:
    assert next_of(row("a", 1, status=status)) is None


@pytest.mark.parametrize("status", ["waiting_retry", "waiting_quota"])
def test_a_task_that_waited_is_next_when_its_moment_has_come(status: str) -> None:
    assert next_of(row("a", 1, status=status, not_before=NOW + 1)) is None
    assert next_of(row("a", 1, status=status, not_before=NOW), row("b", 2)) == "a"


CLAUDE = {"wait_until": None, "failures": 0, "due": None}


@pytest.mark.parametrize(("wait_until", "chosen"), [(NOW + 1, "other"), (NOW, "a"), (None, "a")])
def test_an_executor_that_waits_takes_no_task_and_holds_up_no_other(
    wait_until: int | None, chosen: str
) -> None:
    rows = [row("a", 1, rank=0), row("other", 2, executor="second")]
    executors = {"claude": {**CLAUDE, "wait_until": wait_until}}
    assert (choose(rows, NOW, executors) or {})["task_id"] == chosen


@pytest.mark.parametrize(("failures", "busy", "chosen"), [(2, True, "b"), (3, True, None), (3, False, "a")])
def test_an_executor_that_failed_too_often_is_tried_by_one_task_at_a_time(
    failures: int, busy: bool, chosen: str | None
) -> None:
    rows = [row("a", 1, status="running" if busy else "queued"), row("b", 2)]
    found = choose(rows, NOW, {"claude": {**CLAUDE, "failures": failures}})
    assert (found or {}).get("task_id") == chosen


def test_an_executor_whose_circuit_is_to_be_opened_is_not_tried_meanwhile() -> None:
    executors = {"claude": {**CLAUDE, "failures": 3, "due": "open"}}
    assert choose([row("a", 1)], NOW, executors) is None


def test_a_paused_queue_has_no_next() -> None:
    assert choose([row("a", 1)], NOW, {EVERY: {"paused": True}}) is None
    assert choose([row("a", 1)], NOW, {EVERY: {"paused": False}}) is not None


@pytest.mark.parametrize(
    ("not_before", "wait_until", "moment"),
    [(5, 9, 9), (9, 5, 9), (None, 9, 9), (5, None, 5), (None, None, 0)],
)
def test_a_task_may_start_when_both_it_and_its_executor_may(
    not_before: int | None, wait_until: int | None, moment: int
) -> None:
    waiting = row("a", 1, not_before=not_before)
    assert open_until(waiting, {"claude": {**CLAUDE, "wait_until": wait_until}}) == moment
    assert open_until(waiting, {}) == (not_before or 0)


@pytest.mark.parametrize(("not_before", "chosen"), [(NOW + 1, None), (NOW, "a"), (0, "a"), (None, "a")])
def test_no_task_starts_before_its_time(not_before: int | None, chosen: str | None) -> None:
    assert next_of(row("a", 1, not_before=not_before)) == chosen


def test_a_task_that_is_not_due_lets_others_pass() -> None:
    early = row("early", 1, rank=0, not_before=NOW + 1, cwd="/ground/a")
    assert next_of(early, row("later", 2, cwd="/ground/a")) == "later"


@pytest.mark.parametrize(
    ("busy", "wanted"),
    [
        ("/ground/a", "/ground/a"),
        ("/ground/a", "/ground/a/b/c"),
        ("/ground/a/b", "/ground"),
        ("C:\\Ground\\a", "c:\\ground\\A\\b"),
    ],
)
def test_one_task_works_in_a_directory_at_a_time(busy: str, wanted: str) -> None:
    assert next_of(row("r", 1, status="running", cwd=busy), row("q", 2, cwd=wanted)) is None


@pytest.mark.parametrize(("busy", "wanted"), [("/ground/a", "/ground/ab"), ("/ground/a/b", "/ground/a/c")])
def test_tasks_of_different_directories_work_side_by_side(busy: str, wanted: str) -> None:
    assert next_of(row("r", 1, status="running", cwd=busy), row("q", 2, cwd=wanted)) == "q"


def test_a_task_that_waits_for_its_directory_lets_others_pass_that_work_elsewhere() -> None:
    running = row("r", 1, status="running", cwd="/ground/a")
    assert next_of(running, row("first", 2, rank=0, cwd="/ground/a"), row("second", 3)) == "second"


def test_of_hundreds_that_wait_for_one_directory_it_is_compared_once(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[str, str]] = []

    def noting(a: str, b: str) -> bool:
        compared.append((a, b))
        return overlap(a, b)

    monkeypatch.setattr(scheduling, "overlap", noting)
    waiting = [row(f"w{n}", n, cwd="/ground/a") for n in range(2, 300)]
    running = row("r", 1, status="running", cwd="/ground/a")
    assert next_of(running, *waiting) is None
    assert compared == [("/ground/a", "/ground/a")]


def test_a_task_that_waits_for_its_directory_is_not_overtaken_in_a_part_of_it() -> None:
    running = row("r", 1, status="running", cwd="/ground/a")
    whole = row("whole", 2, rank=0, cwd="/ground")
    part = row("part", 3, rank=2, cwd="/ground/b")
    assert next_of(running, whole, part) is None
    assert next_of(whole, part) == "whole"


ROWS = st.lists(
    st.tuples(
        st.sampled_from(["queued", "running", "waiting_dependency", "waiting_retry", "paused"]),
        st.integers(0, 2),
        st.sampled_from([None, NOW - 1, NOW + 1]),
        st.sampled_from(["/g", "/g/a", "/g/a/b", "/g/c", "/h"]),
    ),
    max_size=8,
).map(
    lambda found: [
        row(f"t{n}", n, status=status, rank=rank, not_before=due, cwd=cwd)
        for n, (status, rank, due, cwd) in enumerate(found)
    ]
)


@given(rows=ROWS)
def test_whatever_is_chosen_may_start_and_none_that_may_goes_before_it(rows: list[dict[str, Any]]) -> None:
    def may_start(one: dict[str, Any]) -> bool:
        free = not any(overlap(one["cwd"], other["cwd"]) for other in rows if other["status"] == "running")
        return one["status"] in CLAIMABLE and (one["not_before"] or 0) <= NOW and free

    chosen = choose(rows, NOW, {})
    able = [one for one in rows if may_start(one)]
    if chosen is None:
        assert not able or any(one["status"] == "running" for one in rows)
        return
    assert may_start(dict(chosen))
    mine = (chosen["rank"], chosen["received_position"])
    ahead = [one for one in able if (one["rank"], one["received_position"]) < mine]
    # One that may start is passed over only for one before it that waits for a part of its directory.
    due = [one for one in rows if one["status"] in CLAIMABLE and (one["not_before"] or 0) <= NOW]
    for one in ahead:
        blocking = [
            other
            for other in due
            if (other["rank"], other["received_position"]) < (one["rank"], one["received_position"])
            and overlap(other["cwd"], one["cwd"])
        ]
        assert blocking
