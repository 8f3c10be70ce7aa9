"""Policies: to-do lists whose effect is another command, with an id derived so that twice is once."""

from collections.abc import Iterable, Mapping
from typing import Any

from eventstore.ids import command_event_id
from schemas.task import QueueTask, ReleaseTask

QUEUEING = "policy:queueing"
RELEASING = "policy:releasing"


def queueing(received: Iterable[str], now: int) -> list[QueueTask]:
    """Every task that arrived gets its place."""
    return [
        QueueTask(
            command_id=command_event_id(f"{QUEUEING}:{task}", 0), time=now, actor=QUEUEING, task_id=task
        )
        for task in received
    ]


def releasing(
    waiting: Mapping[str, Mapping[str, Any]], succeeded: frozenset[str], now: int
) -> list[ReleaseTask]:
    """Every waiting task is let go whose dependencies have all succeeded (fail closed)."""
    due: list[ReleaseTask] = []
    for task, row in waiting.items():
        needed = [str(name) for name in row.get("waits_for") or ()]
        if needed and all(name.lower() in succeeded for name in needed):
            command_id = command_event_id(f"{RELEASING}:{task}", 0)
            due.append(
                ReleaseTask(
                    command_id=command_id, time=now, actor=RELEASING, task_id=task, succeeded=tuple(needed)
                )
            )
    return due
