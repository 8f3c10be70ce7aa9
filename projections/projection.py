"""A projection: which rows an event touches, and what each of them becomes."""

from collections.abc import Callable
from typing import Any, NamedTuple

from eventstore.event import Recorded
from schemas import names

Row = dict[str, Any]
"""A plain JSON object. A row that was handed out is never changed: `apply` makes a new one."""


class Written(NamedTuple):
    """A row and the global position of the event that last wrote it."""

    row: Row
    global_position: int


class Projection(NamedTuple):
    """`types` are the event types it reads (None: all). Raising `version` rebuilds the view.

    `keys` names the rows that an event touches; `apply` gives the new row for one of
    them, None to delete it. Both are total and look at nothing but their arguments.

    `gone_after` are types for which `apply` gives None whatever the row was. With `by_task` as
    keys, a fold that knows what comes need not work out what the task's row was before.

    `sought` are the fields by which stored rows are found without reading the others.
    """

    name: str
    version: int
    types: frozenset[str] | None
    keys: Callable[[Recorded], tuple[str, ...]]
    apply: Callable[[str, Row | None, Recorded], Row | None]
    gone_after: frozenset[str] = frozenset()
    sought: tuple[str, ...] = ()


def by_task(event: Recorded) -> tuple[str, ...]:
    """The key of most views: the task of the event's stream (in lower case), nothing for other streams."""
    task_id = names.task_of(event.stream)
    return () if task_id is None else (task_id,)
