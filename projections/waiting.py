"""waiting: who waits for whom; the releasing policy drains it.

Keys are task ids in lower case, and a row may have two parts. `waits_for` is the waiting
task's own, with the id of the event that made it wait; `waiters` and `succeeded` stand
under the task that is waited for. `succeeded` is set by a success that comes while
somebody waits: one that came before is not seen here, and whoever releases looks at the
task itself too. The end of a waiting task does not say for whom it waited, so its name stays
among the `waiters`; there it does no harm, since a task that has ended is never released.
"""

from typing import Final

from eventstore.event import Recorded
from projections.projection import Projection, Row
from schemas import names


def _keys(event: Recorded) -> tuple[str, ...]:
    task_id = names.task_of(event.stream)
    if task_id is None:
        return ()
    match event.type:
        case names.TASK_QUEUED | names.RETRY_REQUESTED:
            others = event.data["waits_for"]
            return _distinct(task_id, others) if others else ()
        case names.TASK_RELEASED:
            return _distinct(task_id, event.data["waited_for"])
        case _:
            return (task_id,)


def _distinct(task_id: str, waited_for: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((task_id, *(name.lower() for name in waited_for))))


def _apply(key: str, row: Row | None, event: Recorded) -> Row | None:
    task_id = str(names.task_of(event.stream))
    new = dict(row or {})
    match event.type:
        case names.TASK_QUEUED | names.RETRY_REQUESTED:
            _queued(key, task_id, new, event)
        case names.TASK_RELEASED:
            _released(key, task_id, new, event)
        case _:
            _ended(new, event)
    return new or None


def _queued(key: str, task_id: str, new: Row, event: Recorded) -> None:
    if key == task_id:
        new["waits_for"] = list(event.data["waits_for"])
        new["event_id"] = event.id
    if key in {name.lower() for name in event.data["waits_for"]}:
        new["waiters"] = sorted({*new.get("waiters", ()), task_id})
        new.setdefault("succeeded", False)


def _released(key: str, task_id: str, new: Row, event: Recorded) -> None:
    if key == task_id:
        new.pop("waits_for", None)
        new.pop("event_id", None)
    if key in {name.lower() for name in event.data["waited_for"]} and "waiters" in new:
        new["waiters"] = [waiter for waiter in new["waiters"] if waiter != task_id]
        if not new["waiters"]:
            del new["waiters"], new["succeeded"]


def _ended(new: Row, event: Recorded) -> None:
    new.pop("waits_for", None)
    new.pop("event_id", None)
    if event.type == names.TASK_SUCCEEDED and "waiters" in new:
        new["succeeded"] = True


PROJECTION: Final = Projection(
    name="waiting",
    version=3,
    types=frozenset({names.TASK_QUEUED, names.RETRY_REQUESTED, names.TASK_RELEASED}) | names.ENDS,
    keys=_keys,
    apply=_apply,
)
