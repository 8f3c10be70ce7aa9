"""Which events made a row what it is, found by folding with the projection's own rules and looking on."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from eventstore.event import Recorded
from projections.fold import Fold
from projections.projection import Projection, Row

Wanted = Mapping[str, str | None]
"""Key of a row → the field that is asked about (`durations.57` for one inside another), None for all."""


class Change(NamedTuple):
    """One field before and after; None where it was not there."""

    field: str
    before: Any
    after: Any


class Touch(NamedTuple):
    """An event that touched a row, and what it changed in it (nothing, now and then)."""

    global_position: int
    time: int
    type: str
    stream: str
    changed: tuple[Change, ...]


@dataclass(slots=True)
class History:
    """`touches` are the last ones, newest last, of `count`; `row` is None once the row is gone."""

    row: Row | None
    touches: deque[Touch]
    count: int = 0

    @property
    def earlier(self) -> int:
        """How many touches are not named."""
        return self.count - len(self.touches)


@dataclass(slots=True)
class Histories:
    """Grows with each event. Only the `wanted` rows are followed, with None all that are there in the end."""

    projection: Projection
    most: int
    wanted: Wanted | None = None
    rows: dict[str, History] = field(default_factory=dict)

    def read(self, events: Iterable[Recorded]) -> None:
        """`events` are all of the projection's types from the first of the log on."""
        fold = Fold(self.projection)
        for event in events:
            keys = self.projection.keys(event)
            followed = [key for key in keys if self.wanted is None or key in self.wanted]
            if not followed:
                continue  # a row depends on no other row
            before = {key: fold.get(key) for key in followed}
            fold.apply(event)
            for key in followed:
                old, new = before[key], fold.get(key)
                self._note(key, event, None if old is None else old.row, None if new is None else new.row)

    def _note(self, key: str, event: Recorded, old: Row | None, new: Row | None) -> None:
        if old is None:
            # What a row was before it was gone says nothing of the row that is there now.
            if new is None:
                return
            self.rows[key] = History(new, deque(maxlen=self.most))
        history = self.rows[key]
        history.row = new
        asked = None if self.wanted is None else self.wanted[key]
        changed = tuple(
            one for one in changes(old or {}, new or {}) if asked is None or _within(one.field, asked)
        )
        if changed or asked is None:
            history.count += 1
            history.touches.append(
                Touch(event.global_position, event.time, event.type, event.stream, changed)
            )
        if new is None and self.wanted is None:
            del self.rows[key]


def changes(old: Mapping[str, Any], new: Mapping[str, Any], inside: str = "") -> Iterator[Change]:
    """The fields that differ; an object's own fields are told one by one, as `process.pid`."""
    for name in (*old, *(name for name in new if name not in old)):
        before, after = old.get(name), new.get(name)
        if before == after:
            continue
        path = f"{inside}{name}"
        if isinstance(before, dict) or isinstance(after, dict):
            yield from list(changes(before or {}, after or {}, f"{path}.")) or [Change(path, before, after)]
        else:
            yield Change(path, before, after)


def found(row: Row, path: str) -> bool:
    """Whether the row has such a field, or had it told as part of one."""
    name, dot, rest = path.partition(".")
    if not dot or path in row:
        return path in row
    inner = row.get(name)
    return isinstance(inner, dict) and found(inner, rest)


def _within(path: str, asked: str) -> bool:
    return path == asked or path.startswith(f"{asked}.")
