"""Policies: to-do lists whose effect is another command, with an id derived so that twice is once."""

from collections.abc import Mapping
from typing import Any

from eventstore.ids import following_id
from schemas.task import QueueTask, ReleaseTask

QUEUEING = "policy:queueing"
RELEASING = "policy:releasing"

Rows = Mapping[str, Mapping[str, Any]]


def queueing(received: Rows, now: int) -> list[QueueTask]:
    """Every task that arrived gets its place. The command follows from the event of the arrival."""
    return [QueueTask(**_envelope(QUEUEING, row, now), task_id=task) for task, row in received.items()]


def releasing(waiting: Rows, succeeded: frozenset[str], now: int) -> list[ReleaseTask]:
    """Every waiting task is let go whose dependencies have all succeeded (fail closed)."""
    due: list[ReleaseTask] = []
    for task, row in waiting.items():
        needed = [str(name) for name in row.get("waits_for") or ()]
        if needed and all(name.lower() in succeeded for name in needed):
            due.append(ReleaseTask(**_envelope(RELEASING, row, now), task_id=task, succeeded=tuple(needed)))
    return due


def _envelope(policy: str, row: Mapping[str, Any], now: int) -> dict[str, Any]:
    cause = str(row["event_id"])
    return {"command_id": following_id(cause, policy), "time": now, "actor": policy, "causation_id": cause}
