"""What holds tasks up together: the paused queue, an executor's circuit, a day's money."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from eventstore.event import Recorded
from handlers.decider import Decider
from schemas import names
from schemas.executor import (
    CircuitClosed,
    CircuitOpened,
    CloseCircuit,
    DailyBudgetLifted,
    DailyBudgetReached,
    NoteDailyBudget,
    OpenCircuit,
    PauseQueue,
    QueuePaused,
    QueueResumed,
    ResumeQueue,
)
from schemas.word import Command, Fact

FIRST_DELAY_S: Final = 30.0
LONGEST_DELAY_S: Final = 900.0


@dataclass(frozen=True, slots=True)
class ExecutorState:
    """`opened` counts the openings since the last answer; `spent_day` is a day whose budget is reached."""

    opened: int = 0
    failures: int = 0
    spent_day: str | None = None


def _evolve(state: ExecutorState, event: Recorded) -> ExecutorState:
    match event.type:
        case names.CIRCUIT_OPENED:
            return replace(state, opened=state.opened + 1, failures=event.data["failures"])
        case names.CIRCUIT_CLOSED:
            return replace(state, opened=0, failures=0)
        case names.DAILY_BUDGET_REACHED:
            return replace(state, spent_day=event.data["day"])
        case names.DAILY_BUDGET_LIFTED:
            return replace(state, spent_day=None)
        case _:
            return state


def _decide(command: Command, state: ExecutorState) -> Sequence[Fact]:
    match command:
        case OpenCircuit():
            return _open(command, state)
        case CloseCircuit():
            return [CircuitClosed(executor=command.executor)] if state.opened else []
        case NoteDailyBudget():
            return _note_budget(command, state)
        case _:
            raise TypeError(f"no rule for {type(command).__name__}")


def _open(command: OpenCircuit, state: ExecutorState) -> Sequence[Fact]:
    if command.failures < names.CIRCUIT_FAILURES:
        return []
    # Counted from one again: it answered in between, and failed again before anybody could say so.
    answered = command.failures <= state.failures
    delay_s = min(LONGEST_DELAY_S, FIRST_DELAY_S * 2.0 ** (0 if answered else min(state.opened, 10)))
    return [
        *([CircuitClosed(executor=command.executor)] if answered else []),
        CircuitOpened(
            executor=command.executor,
            failures=command.failures,
            error_class=command.error_class,
            sentence=command.sentence,
            delay_s=delay_s,
            wake_at=command.time + int(delay_s * 1_000_000),
        ),
    ]


def _note_budget(command: NoteDailyBudget, state: ExecutorState) -> Sequence[Fact]:
    reached = command.budget_usd is not None and command.spent_usd >= command.budget_usd
    said = state.spent_day == command.day
    if reached and not said and command.budget_usd is not None:
        return [
            DailyBudgetReached(
                day=command.day,
                spent_usd=command.spent_usd,
                budget_usd=command.budget_usd,
                wake_at=command.wake_at,
            )
        ]
    if said and not reached:
        return [
            DailyBudgetLifted(day=command.day, spent_usd=command.spent_usd, budget_usd=command.budget_usd)
        ]
    return []


def _queue(command: Command, paused: bool) -> Sequence[Fact]:
    match command:
        case PauseQueue():
            return [] if paused else [QueuePaused(reason=command.reason)]
        case ResumeQueue():
            return [QueueResumed(reason=command.reason)] if paused else []
        case _:
            raise TypeError(f"no rule for {type(command).__name__}")


def _paused(paused: bool, event: Recorded) -> bool:
    if event.type in (names.QUEUE_PAUSED, names.QUEUE_RESUMED):
        return event.type == names.QUEUE_PAUSED
    return paused


EXECUTOR = Decider("executor", ExecutorState(), _decide, _evolve)
QUEUE: Decider[bool] = Decider("queue", initial=False, decide=_queue, evolve=_paused)
