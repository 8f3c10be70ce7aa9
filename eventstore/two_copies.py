"""One log out of two copies of it, each of which may be damaged or end too early."""

from collections.abc import Callable, Iterator
from typing import Literal, Protocol

from eventstore.event import Recorded
from eventstore.lineage import Lineage, NotNext, Row

Name = Literal["mirror", "log"]

Judge = Callable[[Recorded], bool | None]
"""Whether an event is what a third witness says; None where that one says nothing."""


class Copy(Protocol):
    """`last` is a position past which it holds no event."""

    last: int

    def event(self, position: int) -> Recorded | None:
        """The event at a global position; None where this copy cannot give it."""
        ...


class CopiesDiffer(Exception):
    """Both hold an event at one position, not the same one, and nobody says which is right."""

    def __init__(self, position: int, mirror: Recorded, log: Recorded) -> None:
        super().__init__(
            f"the log and its mirror hold different events at position {position}: "
            f"{log.type} of {log.stream} in the log, {mirror.type} of {mirror.stream} in the mirror"
        )
        self.position = position


class Joining:
    """Takes each event from the copy that has it. `chosen` wins where they differ, and none of the other
    copy's events after such a place are taken: they belong to another past.

    Raises CopiesDiffer while it is iterated.
    """

    def __init__(self, mirror: Copy, log: Copy, judge: Judge, chosen: Name | None = None) -> None:
        self._copies: dict[Name, Copy] = {"mirror": mirror, "log": log}
        self._judge = judge
        self._chosen = chosen
        self.lineage = Lineage()
        self.only: dict[Name, int] = {"mirror": 0, "log": 0}
        """How many events one of the copies alone could give."""
        self.overruled: dict[Name, int] = {"mirror": 0, "log": 0}
        """How many of a copy's events were not taken because the other one's were."""
        self.parted_at: int | None = None
        """Where they first differed and the choice was the caller's."""

    def rows(self) -> Iterator[Row]:
        """From event 1 to the last one that follows from the one before it."""
        while (found := self._next(self.lineage.head + 1)) is not None:
            event, name = found
            try:
                row = self.lineage.follow(event)
            except NotNext:
                return
            if name is not None:
                self.only[name] += 1
            yield row

    def left(self) -> dict[Name, int]:
        """The first event past the end of `rows` that a copy still holds, by the copy's name."""
        found: dict[Name, int] = {}
        for name, copy in self._copies.items():
            for position in range(self.lineage.head + 1, copy.last + 1):
                if copy.event(position) is not None:
                    found[name] = position
                    break
        return found

    def _next(self, position: int) -> tuple[Recorded, Name | None] | None:
        """The event, and which copy alone had it."""
        if self.parted_at is not None and self._chosen is not None:
            event = self._copies[self._chosen].event(position)
            return None if event is None else (event, self._chosen)
        mirror, log = (copy.event(position) for copy in self._copies.values())
        if mirror is None or log is None:
            if mirror is not None:
                return mirror, "mirror"
            return None if log is None else (log, "log")
        if mirror.line == log.line:
            return mirror, None
        right = self._right(position, mirror, log)
        self.overruled["log" if right == "mirror" else "mirror"] += 1
        return mirror if right == "mirror" else log, None

    def _right(self, position: int, mirror: Recorded, log: Recorded) -> Name:
        verdicts = self._judge(mirror), self._judge(log)
        if verdicts in ((True, False), (False, True)):
            return "mirror" if verdicts[0] else "log"
        if self._chosen is None:
            raise CopiesDiffer(position, mirror, log)
        self.parted_at = position
        return self._chosen
