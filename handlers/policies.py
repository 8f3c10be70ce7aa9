"""Policies: to-do lists whose effect is another command, with an id derived so that twice is once."""

from collections.abc import Mapping
from typing import Any

from eventstore.ids import following_id
from handlers.scheduling import MOST_SERVICE_DEATHS
from schemas import names
from schemas.executor import CloseCircuit, OpenCircuit
from schemas.task import PauseTask, QueueTask, ReleaseTask

QUEUEING = "policy:queueing"
RELEASING = "policy:releasing"
BREAKING = "policy:breaking"

Rows = Mapping[str, Mapping[str, Any]]


def queueing(received: Rows, now: int, *, mediated: bool = False) -> list[QueueTask]:
    """Every task that arrived gets its place. The command follows from the event of the arrival.

    Where a model mediates (`mediated`), a wish in plain words waits until that has looked at it.
    """
    return [
        QueueTask(**_envelope(QUEUEING, row, now), task_id=task)
        for task, row in received.items()
        if not (mediated and is_wish(row))
    ]


def is_wish(row: Mapping[str, Any]) -> bool:
    """Whether a row of `received` is a wish that no mediator has looked at yet."""
    return bool(row["wish"]) and not row["parsed"]


def releasing(waiting: Rows, succeeded: frozenset[str], now: int) -> list[ReleaseTask]:
    """Every waiting task is let go whose dependencies have all succeeded (fail closed)."""
    due: list[ReleaseTask] = []
    for task, row in waiting.items():
        needed = [str(name) for name in row.get("waits_for") or ()]
        if needed and all(name.lower() in succeeded for name in needed):
            due.append(ReleaseTask(**_envelope(RELEASING, row, now), task_id=task, succeeded=tuple(needed)))
    return due


def breaking(executors: Rows, now: int) -> list[OpenCircuit | CloseCircuit]:
    """An executor that failed too often in a row rests; one that answers again works as before."""
    due: list[OpenCircuit | CloseCircuit] = []
    for executor, row in executors.items():
        if row["due"] == "open":
            due.append(
                OpenCircuit(
                    **_envelope(BREAKING, row, now),
                    executor=executor,
                    failures=row["failures"],
                    error_class=row["error_class"],
                    sentence=row["failure"],
                )
            )
        elif row["due"] == "close":
            due.append(CloseCircuit(**_envelope(BREAKING, row, now), executor=executor))
    return due


def quarantining(queue: Rows, now: int) -> list[PauseTask]:
    """Every task that the service died with too often in a row is paused: a person has to look at it.

    It is never failed for that: a power cut is no fault of the task that was at work.
    """
    return [
        PauseTask(
            **_envelope(names.QUARANTINE, {"event_id": row["death_id"]}, now),
            task_id=str(row["task_id"]),
            reason=f"the service died {row['service_deaths']} times in a row while this task was at work: "
            "find out whether the task does that before you resume it.",
        )
        for row in queue.values()
        if row["service_deaths"] >= MOST_SERVICE_DEATHS and not row["paused"]
    ]


def _envelope(policy: str, row: Mapping[str, Any], now: int) -> dict[str, Any]:
    cause = str(row["event_id"])
    return {"command_id": following_id(cause, policy), "time": now, "actor": policy, "causation_id": cause}
