"""Plausible lives of tasks grown from numbers: each number is one thing that may happen now."""

from collections.abc import Callable, Iterable

from eventstore.event import Place
from eventstore.log import Log
from schemas import names
from schemas.attempt import (
    FilesModified,
    LeaseExpired,
    LeaseExtended,
    StaleResultRejected,
    StepStarted,
    TaskInterrupted,
)
from schemas.executor import (
    CircuitClosed,
    CircuitOpened,
    DailyBudgetLifted,
    DailyBudgetReached,
    QueuePaused,
    QueueResumed,
    executor_stream,
)
from schemas.service import SecretRedacted
from schemas.standing import UNKNOWN, Standing
from schemas.task import CancelRequested, TaskPaused, TaskReleased, TaskResumed
from schemas.turn import AgentStarted, PermissionDenied, ToolUsed
from schemas.word import Fact
from tests.life_cycles import (
    BEGINNING,
    PROCESS,
    Lives,
    archived,
    cancelled,
    checked,
    claimed,
    failed,
    queued,
    quota_wait_started,
    received,
    retry_requested,
    retry_scheduled,
    snapshot,
    succeeded,
    turn_finished,
    turn_started,
    written,
)

Steps = list[Callable[[int], tuple[Fact, ...]]]
DAY = {"day": "2026-09-21", "spent_usd": 5.0, "budget_usd": 4.0}


class Grown(Lives):
    """Each number picks a task, and one of the things that may happen to it now."""

    IDS = ("A", "b", "c-3", "refused-x", "E.e", "circuit")

    def __init__(self, log: Log) -> None:
        super().__init__(log)
        self._standing = dict.fromkeys(self.IDS, UNKNOWN)
        self._attempt = dict.fromkeys(self.IDS, 0)
        self._upto: dict[str, int] = {}
        self._waits_for: dict[str, tuple[str, ...]] = {}

    def grow(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            number, which = divmod(number, len(self.IDS) + 1)
            if which == len(self.IDS):
                self._beside(number)
                continue
            task_id = self.IDS[which]
            steps = self._steps(task_id)
            for fact in steps[number % len(steps)](number):
                self._took_place(task_id, fact, self.tell(task_id, fact))

    def _took_place(self, task_id: str, fact: Fact, place: Place) -> None:
        told = fact.model_dump(mode="json")
        self._standing[task_id] = self._standing[task_id].after(fact.TYPE, told)
        if fact.TYPE in names.ENDS or fact.TYPE == names.TURN_FINISHED:
            self._upto[task_id] = place.global_position
        if fact.TYPE == names.TASK_CLAIMED:
            self._attempt[task_id] += 1

    def _beside(self, number: int) -> None:
        """What concerns no task, or more than one."""
        claude = executor_stream(names.EXECUTOR)
        wake_at = self.now + number * 1000
        match number % 10:
            case 0:
                self.refuse(f"r{number}")
            case 1:
                self.say(names.SYSTEM, archived(f"refused-r{number - 1}", "refused"))
            case 2:
                self.raw("chat-7", "something_of_a_later_version", {"who": "knows"})
            case 3:
                self.raw(names.task_stream("A"), "task_dreamt_of", {"number": number})
            case 4:
                self.say(names.SYSTEM, QueuePaused(reason="enough"))
            case 5:
                self.say(names.SYSTEM, QueueResumed(reason="go on"))
            case 6:
                self.say(claude, _opened(wake_at))
            case 7:
                self.say(claude, CircuitClosed(executor=names.EXECUTOR))
            case 8:
                self.say(claude, DailyBudgetReached.model_validate({**DAY, "wake_at": wake_at}))
            case _:
                self.say(claude, DailyBudgetLifted.model_validate({**DAY, "budget_usd": 9.0}))

    def _steps(self, task_id: str) -> Steps:
        standing, attempt = self._standing[task_id], self._attempt[task_id]
        if standing == UNKNOWN:
            return [lambda n: (received(task_id, None if n % 3 == 0 else ""),)]
        status = standing.status
        receipts: Steps = [
            lambda n: (archived(task_id, status if standing.ended else "queued"),),
            lambda n: (written(task_id, self._upto.get(task_id, 1) - n % 2),),
        ]
        if standing.ended:
            place = f"tasks/processed/{task_id}.{status}.task.md"
            again = [lambda n: (retry_requested(task_id, attempt, status, place if n % 3 else None),)]
            return [*again * 2, *receipts]
        held: Callable[[int], tuple[Fact, ...]] = lambda n: (  # noqa: E731
            TaskResumed(reason="go on") if standing.paused else TaskPaused(reason="wait"),
        )
        if status == "running":
            return [*_working(attempt), *receipts, held]
        likely = self._waiting(task_id, standing) * 4
        if standing.paused:
            likely += [held] * 4
        return [*likely, held, *receipts, lambda n: (cancelled(attempt),)]

    def _waiting(self, task_id: str, standing: Standing) -> Steps:
        """What may become of a task that nobody works at."""
        attempt = self._attempt[task_id]
        match standing.beneath:
            case "received":
                return [lambda n: self._queue(task_id, n, standing.paused)]
            case "waiting_dependency":
                return [lambda n: (TaskReleased(waited_for=self._waits_for.get(task_id, ("A",))),)]
        if standing.paused:
            return []
        steps: Steps = [lambda n: (claimed(attempt + 1),)]
        if standing.status in ("waiting_retry", "waiting_quota"):
            steps.append(lambda n: (retry_requested(task_id, attempt, standing.status),))
        return steps

    def _queue(self, task_id: str, number: int, paused: bool) -> tuple[Fact, ...]:
        others = [other for other in self.IDS if other != task_id]
        waits_for = tuple(others[: number % 3]) if number % 2 else ()
        self._waits_for[task_id] = waits_for
        fact = queued(waits_for, self.now if number % 5 == 0 else None, number % 3)
        # As the rule has it: the queue knows nothing of a pause that came before the place.
        return (fact, TaskPaused(reason="wait")) if paused else (fact,)


def _opened(wake_at: int) -> CircuitOpened:
    return CircuitOpened(
        executor=names.EXECUTOR,
        failures=names.CIRCUIT_FAILURES,
        error_class="network",
        sentence="no answer from the model.",
        delay_s=30.0,
        wake_at=wake_at,
    )


def _working(attempt: int) -> Steps:
    changes = ("created", "modified", "deleted")
    died = LeaseExpired(attempt=attempt, worker="1", process=PROCESS, lease_until=BEGINNING)
    return [
        lambda n: (StepStarted(attempt=attempt, phase="agent"),),
        lambda n: (snapshot(attempt, f"state {n % 3}"),),
        lambda n: (turn_started(attempt),),
        lambda n: (AgentStarted(attempt=attempt, turn_index=0, process=PROCESS),),
        lambda n: (ToolUsed(attempt=attempt, tool="Edit", tool_use_id=str(n), detail="a.py"),),
        lambda n: (
            FilesModified.model_validate(
                {"attempt": attempt, "files": [{"path": f"{n % 4}.py", "change": changes[n % 3]}]}
            ),
        ),
        lambda n: (PermissionDenied(attempt=attempt, tool="Bash", tool_use_id=str(n), detail="rm"),),
        lambda n: (SecretRedacted(patterns={"token": n % 3}, event_type=names.TOOL_USED),),
        lambda n: (CancelRequested(reason="enough"),),
        lambda n: (LeaseExtended(attempt=attempt, lease_until=BEGINNING + n),),
        lambda n: (checked(attempt, n % 2, f"check {n}", passed=n % 3 > 0),),
        lambda n: (
            StaleResultRejected(
                attempt=attempt - 1, current_attempt=attempt, command="FinishTurn", cost_usd=n / 9000
            ),
        ),
        lambda n: (turn_finished(attempt, cost_usd=n / 7000, elapsed_ms=n),),
        lambda n: (
            *((died,) if n % 2 else ()),
            TaskInterrupted(attempt=attempt, reason="service_died"),
        ),
        lambda n: (retry_scheduled(attempt, BEGINNING + n, ("network", "timeout")[n % 2]),),
        lambda n: (quota_wait_started(attempt, BEGINNING + n),),
        lambda n: (succeeded(attempt, elapsed_ms=n * n),),
        lambda n: (failed(attempt, ("fatal", "network", "security")[n % 3]),),
    ]
