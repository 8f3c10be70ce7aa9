"""The view of costs: every turn once in all, in its day and in its task, late ones included."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from eventstore.memory_log import MemoryLog
from projections import costs, metrics, tasks
from projections.costs import ALL, TOKENS, day_key
from projections.live import LiveViews
from projections.projection import Row
from schemas import names
from schemas.attempt import StaleResultRejected, TaskInterrupted
from schemas.turn import Spent
from tests.grown_lives import Grown
from tests.life_cycles import SECOND, Lives, claimed, queued, received, turn_finished, turn_started

VIEWS = (costs.PROJECTION, tasks.PROJECTION, metrics.PROJECTION)


def folded(lives: Lives) -> LiveViews:
    live = LiveViews(VIEWS)
    live.apply(lives.log.all())
    return live


def row(lives: Lives, key: str) -> Row:
    found = folded(lives).row("costs", key)
    assert found is not None, f"there is no row {key}"
    return found


@pytest.fixture
def lives() -> Lives:
    found = Lives(MemoryLog())
    found.tell("T", received("T"), queued(), claimed(1), turn_started(1))
    return found


def rejected(attempt: int, cost_usd: float | None) -> StaleResultRejected:
    return StaleResultRejected(
        attempt=attempt, current_attempt=attempt + 1, command="FinishTurn", cost_usd=cost_usd
    )


def test_a_turn_is_counted_in_all_in_its_day_and_in_its_task(lives: Lives) -> None:
    lives.tell("T", turn_finished(1))
    rows = folded(lives).rows("costs")
    assert set(rows) == {ALL, "day:2026-09-21", "task:t"}
    for found in rows.values():
        assert (found["usd"], found["turns"], found["rejected_usd"]) == (0.0125, 1, 0.0)
        assert [found[name] for name in TOKENS] == [10, 20, 30, 0]
        assert found["last_at"] == lives.now
    assert (rows["day:2026-09-21"]["kind"], rows["task:t"]["subject"]) == ("day", "t")
    assert rows["task:t"]["by_attempt"] == {"1": 0.0125}
    assert "by_attempt" not in rows[ALL]


def test_what_a_turn_spent_counts_and_not_what_its_process_says_of_the_session(lives: Lives) -> None:
    own = turn_finished(1, cost_usd=2.0).model_copy(update={"spent": Spent(usd=0.5, input_tokens=3)})
    lives.tell("T", own)
    found = row(lives, ALL)
    assert (found["usd"], found["input_tokens"], found["output_tokens"]) == (0.5, 3, 0)


def test_attempts_are_told_apart_and_turns_of_one_attempt_are_summed(lives: Lives) -> None:
    lives.tell("T", turn_finished(1), turn_started(1, 1), turn_finished(1, 1, cost_usd=0.1))
    lives.tell("T", TaskInterrupted(attempt=1, reason="x"), claimed(2), turn_started(2, 2))
    lives.tell("T", turn_finished(2, 2, cost_usd=0.2))
    found = row(lives, "task:t")
    assert found["by_attempt"] == {"1": 0.1125, "2": 0.2}
    assert (found["usd"], found["turns"]) == (0.3125, 3)


@pytest.mark.parametrize(("cost_usd", "counted"), [(0.25, 0.25), (None, 0.0)])
def test_a_turn_that_came_too_late_was_paid_for_nevertheless(
    lives: Lives, cost_usd: float | None, counted: float
) -> None:
    lives.tell("T", TaskInterrupted(attempt=1, reason="x"), claimed(2), rejected(1, cost_usd))
    for key in (ALL, "day:2026-09-21", "task:t"):
        found = row(lives, key)
        assert (found["usd"], found["rejected_usd"], found["turns"]) == (counted, counted, 0)
    assert row(lives, "task:t")["by_attempt"] == {"1": counted}


def test_a_day_ends_at_midnight_utc(lives: Lives) -> None:
    lives.tell("T", turn_finished(1))
    lives.now += 86_400 * SECOND
    lives.tell("T", turn_finished(1, 1))
    assert {key for key in folded(lives).rows("costs") if key.startswith("day:")} == {
        "day:2026-09-21",
        "day:2026-09-22",
    }
    assert day_key("2026-09-21T23:59:59.999999Z") == "day:2026-09-21"
    assert row(lives, ALL)["turns"] == 2


@given(st.lists(st.integers(0, 5000), max_size=150))
@example(list(range(1, 5000, 11)))
def test_every_sum_is_the_same_money(numbers: list[int]) -> None:
    lives = Grown(MemoryLog())
    lives.grow(numbers)
    live = folded(lives)
    turns = list(lives.log.all(types=frozenset({names.TURN_FINISHED})))
    late = list(lives.log.all(types=frozenset({names.STALE_RESULT_REJECTED})))
    spent = sum(event.data["spent"]["usd"] for event in turns)
    lost = sum(event.data["cost_usd"] or 0.0 for event in late)
    for kind in ("all", "day", "task"):
        of_kind = [found for found in live.rows("costs").values() if found["kind"] == kind]
        assert sum(found["usd"] for found in of_kind) == pytest.approx(spent + lost)
        assert sum(found["rejected_usd"] for found in of_kind) == pytest.approx(lost)
        assert sum(found["turns"] for found in of_kind) == len(turns)
        for name in TOKENS:
            assert sum(found[name] for found in of_kind) == sum(event.data["spent"][name] for event in turns)
    for key, told in live.rows("tasks").items():
        found = live.row("costs", f"task:{key}")
        assert told["cost_usd"] == pytest.approx(
            0.0 if found is None else found["usd"] - found["rejected_usd"]
        )
        assert sum(told["by_attempt"].values()) == pytest.approx(told["cost_usd"])
    everything = live.row("metrics", "all") or {}
    counted = everything.get("cost_micro_usd_sum", 0) / 1_000_000
    assert counted == pytest.approx(spent + lost, abs=1e-6 * (1 + len(turns) + len(late)))


@given(st.lists(st.integers(0, 5000), max_size=120), st.integers(0, 120))
def test_a_view_that_grew_says_what_a_rebuilt_one_says(numbers: list[int], cut: int) -> None:
    lives = Grown(MemoryLog())
    lives.grow(numbers)
    grown, rebuilt = LiveViews([costs.PROJECTION]), LiveViews([costs.PROJECTION])
    grown.apply(lives.log.all(0, cut))
    grown.apply(lives.log.all(cut))
    rebuilt.apply(lives.log.all())
    assert grown.written("costs") == rebuilt.written("costs")
