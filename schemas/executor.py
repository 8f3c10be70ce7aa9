"""What holds tasks up together: a paused queue, an executor that fails, a day's money spent."""

from typing import ClassVar

from schemas import names
from schemas.attempt import ErrorClass
from schemas.service import SystemCommand
from schemas.word import Command, Count, Fact, Microseconds, Usd


def executor_stream(executor: str) -> str:
    return f"executor-{executor}"


class QueuePaused(Fact):
    """Nothing is claimed until the queue is resumed; what runs goes on."""

    TYPE: ClassVar[str] = names.QUEUE_PAUSED
    reason: str


class QueueResumed(Fact):
    TYPE: ClassVar[str] = names.QUEUE_RESUMED
    reason: str


class CircuitOpened(Fact):
    """`failures` attempts in a row failed of the executor, not of their tasks: nothing is claimed until then.

    Afterwards one task at a time tries it, until one of them gets an answer.
    """

    TYPE: ClassVar[str] = names.CIRCUIT_OPENED
    executor: str
    failures: Count
    error_class: ErrorClass
    sentence: str
    delay_s: float
    wake_at: Microseconds


class CircuitClosed(Fact):
    """The executor answers again."""

    TYPE: ClassVar[str] = names.CIRCUIT_CLOSED
    executor: str


class DailyBudgetReached(Fact):
    """The day's money is spent: nothing is claimed until `wake_at`, the next midnight (UTC)."""

    TYPE: ClassVar[str] = names.DAILY_BUDGET_REACHED
    day: str
    spent_usd: Usd
    budget_usd: Usd
    wake_at: Microseconds


class DailyBudgetLifted(Fact):
    """The budget was raised above what the day has cost."""

    TYPE: ClassVar[str] = names.DAILY_BUDGET_LIFTED
    day: str
    spent_usd: Usd
    budget_usd: Usd | None


class PauseQueue(SystemCommand):
    reason: str


class ResumeQueue(SystemCommand):
    reason: str


class ExecutorCommand(Command):
    executor: str

    @property
    def stream(self) -> str:
        return executor_stream(self.executor)


class OpenCircuit(ExecutorCommand):
    failures: Count
    error_class: ErrorClass
    sentence: str


class CloseCircuit(ExecutorCommand):
    """An attempt of this executor got an answer."""


class NoteDailyBudget(ExecutorCommand):
    """What the day has cost so far, and what it may cost (None: anything)."""

    day: str
    spent_usd: Usd
    budget_usd: Usd | None
    wake_at: Microseconds
