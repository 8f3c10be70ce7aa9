"""timers: moments that somebody waits for; the timers' automation wakes the workers at them."""

from typing import Final

from eventstore.event import Recorded
from projections.projection import Projection, Row, by_task
from schemas import names

KINDS: Final = {
    names.TASK_QUEUED: ("not_before", "not_before"),
    names.RETRY_SCHEDULED: ("retry", "wake_at"),
    names.QUOTA_WAIT_STARTED: ("quota", "wake_at"),
    names.CIRCUIT_OPENED: ("circuit", "wake_at"),
    names.DAILY_BUDGET_REACHED: ("daily_budget", "wake_at"),
}
"""What is waited for, and the field that says until when."""

CIRCUIT: Final = frozenset({names.CIRCUIT_OPENED, names.CIRCUIT_CLOSED})
BUDGET: Final = frozenset({names.DAILY_BUDGET_REACHED, names.DAILY_BUDGET_LIFTED})
"""What holds up more than one task, and the end of it."""


def _keys(event: Recorded) -> tuple[str, ...]:
    """The colon keeps these apart from a task of that name."""
    if event.type in CIRCUIT:
        return (f"circuit:{event.data['executor']}",)
    if event.type in BUDGET:
        return ("daily_budget:",)
    return by_task(event)


def _apply(key: str, row: Row | None, event: Recorded) -> Row | None:
    """`wake_at` is in microseconds since 1970; `task_id` is None for what holds up more than one."""
    if event.type not in KINDS:
        return None
    kind, field = KINDS[event.type]
    if event.data[field] is None:
        return None
    task_id = names.task_of(event.stream)
    return {"task_id": task_id, "kind": kind, "wake_at": event.data[field]}


PROJECTION: Final = Projection(
    name="timers",
    version=2,
    types=frozenset({*KINDS, names.TASK_CLAIMED, names.RETRY_REQUESTED}) | CIRCUIT | BUDGET | names.ENDS,
    keys=_keys,
    apply=_apply,
)
