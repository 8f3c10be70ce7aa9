"""The words of an event, as `tail`, `run` and `show` have them."""

from pathlib import Path

import pytest

from adapters.cli.words.events import words
from eventstore.event import Recorded
from schemas import names
from schemas.attempt import CheckFinished, LeaseExpired, LeaseExtended, StaleResultRejected, TaskInterrupted
from schemas.executor import (
    CircuitClosed,
    CircuitOpened,
    DailyBudgetLifted,
    DailyBudgetReached,
    QueuePaused,
    QueueResumed,
)
from schemas.task import TaskPaused, TaskResumed
from schemas.turn import InactivityTimeout, TurnStarted
from schemas.word import Fact
from tests.holding_facts import ABSENT, LATE, LATER, PASSED, again, quota, retried
from tests.homes import SHA, START, BuiltHome, identity
from tests.reading_evt import Evt


def recorded(fact: Fact) -> Recorded:
    """The fact as it stands in a log."""
    line = b'{"data":' + fact.model_dump_json().encode() + b',"schema":1}'
    return Recorded(1, "task-x", 0, fact.TYPE, START, line)


TOLD: tuple[tuple[Fact, str], ...] = (
    (LeaseExtended(attempt=1, lease_until=LATER), "attempt 1, until 2090-01-02 14:05:00Z"),
    (
        LeaseExpired(attempt=1, worker="w1", process=identity(), lease_until=LATER),
        "attempt 1 is taken from w1 (pid 4242), not heard of until 2090-01-02 14:05:00Z",
    ),
    (CheckFinished(attempt=1, result=PASSED), "`pytest -q` passed after 1.2s"),
    (CheckFinished(attempt=1, result=LATE), "`sleep` ran out of time after 1m 39s"),
    (CheckFinished(attempt=1, result=ABSENT), "`x` was not started: no shell"),
    (
        retried(),
        "retry 1 in 2.2s, its session goes on: no answer from the model. (network, overloaded)",
    ),
    (
        quota(),
        "claude until 2090-01-02 14:05:00Z, then its session goes on: You've hit your limit.",
    ),
    (
        InactivityTimeout(attempt=1, turn_index=0, silent_s=600.0),
        "turn 1: the agent said nothing for 600 s",
    ),
    (
        StaleResultRejected(attempt=1, current_attempt=2, command="FinishTurn", cost_usd=0.5),
        "FinishTurn of attempt 1 was not taken: attempt 2 is the task's, it cost 0.5000 USD",
    ),
    (again("one", "failed"), "was failed: asked on the command line"),
    (
        again("one", "failed").model_copy(update={"waits_for": ("two",)}),
        "was failed, waits for two: asked on the command line",
    ),
    (TaskPaused(reason="lunch"), "lunch"),
    (TaskResumed(reason="back"), "back"),
    (QueuePaused(reason="lunch"), "lunch"),
    (QueueResumed(reason="back"), "back"),
    (
        CircuitOpened(
            executor="claude", failures=3, error_class="network", sentence="no.", delay_s=30, wake_at=LATER
        ),
        "claude failed 3 times in a row (network) and rests 30s: no.",
    ),
    (CircuitClosed(executor="claude"), "claude answers again"),
    (
        DailyBudgetReached(day="2026-01-02", spent_usd=1.25, budget_usd=1, wake_at=LATER),
        "1.25 of 1.00 USD are spent on 2026-01-02: nothing is begun before 2090-01-02 14:05:00Z",
    ),
    (
        DailyBudgetLifted(day="2026-01-02", spent_usd=1.25, budget_usd=2),
        "1.25 USD are spent on 2026-01-02, and 2.00 USD may be",
    ),
    (
        DailyBudgetLifted(day="2026-01-02", spent_usd=1.25, budget_usd=None),
        "1.25 USD are spent on 2026-01-02, and there is no budget",
    ),
    (
        TaskInterrupted(attempt=2, reason="the agent crashed.", agent_died=True),
        "attempt 2 (its agent died): the agent crashed.",
    ),
    (
        TaskInterrupted(attempt=2, reason="a bug.", worker_died=True, agent_was_alive=True),
        "attempt 2 (its worker died): a bug., its agent was still alive",
    ),
    (
        TurnStarted(
            attempt=2,
            turn_index=1,
            session_id="3f2c",
            executable="claude",
            prompt_sha256=SHA,
            tools=("Read",),
            resumed=True,
        ),
        "turn 2, session 3f2c resumed, tools Read",
    ),
)


@pytest.mark.parametrize(("fact", "told"), TOLD, ids=[fact.TYPE for fact, _ in TOLD])
def test_an_event_says_what_it_means(fact: Fact, told: str) -> None:
    assert words(recorded(fact)) == told


def test_a_turn_is_told_with_its_own_share_of_the_cost(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with BuiltHome(tmp_path / "home") as home:
        home.queue("one")
        home.claim("one")
        home.finish_turn("one")
        turn = next(event for event in home.log.all() if event.type == names.TURN_FINISHED)
        home.raw(turn.stream, turn.type, {**turn.data, "spent": {**turn.data["spent"], "usd": 0.001}})
        (line,) = Evt(home.root, capsys)("tail", "-n", "1").lines
    assert ", 0.0010 USD" in line
    assert "0.0123" not in line
