"""The log in memory: the model that every other log is compared with."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from operator import attrgetter

from eventstore.event import ANY, Event, Place, Recorded, Upcasts
from eventstore.line import render
from eventstore.log import Append, Outcome, WrongExpectedVersion
from eventstore.repeats import places_of_repeat, window


class MemoryLog:
    """Keeps the same lines as the log on disk, for as long as it lives. For one thread."""

    def __init__(self, *, upcasts: Upcasts | None = None) -> None:
        self._upcasts = upcasts
        self._events: list[Recorded] = []
        self._streams: dict[str, list[Recorded]] = {}

    def append(self, stream: str, events: Sequence[Event], expected: int) -> tuple[Place, ...]:
        """See Log.append."""
        drafts = [render(stream, event) for event in events]
        if not events:
            return ()
        standing = self._streams.get(stream, [])
        head = len(standing) - 1
        if expected != head:
            near = [standing[position] for position in window(expected, head, len(events))]
            found = places_of_repeat(
                [event.id for event in events],
                [(Place(event.global_position, event.position), event.id) for event in near],
            )
            if found is not None:
                return found
            if expected != ANY:
                raise WrongExpectedVersion(stream, expected, head)
        added = [
            Recorded(
                global_position,
                stream,
                position,
                event.type,
                event.time,
                draft.splice(global_position, position),
                self._upcasts,
            )
            for global_position, position, event, draft in zip(
                range(len(self._events) + 1, len(self._events) + 1 + len(events)),
                range(head + 1, head + 1 + len(events)),
                events,
                drafts,
                strict=True,
            )
        ]
        self._events.extend(added)
        self._streams.setdefault(stream, []).extend(added)
        return tuple(Place(event.global_position, event.position) for event in added)

    def append_group(self, wishes: Sequence[Append]) -> list[Outcome]:
        """See Log.append_group."""
        outcomes: list[Outcome] = []
        for wish in wishes:
            try:
                outcomes.append(self.append(wish.stream, wish.events, wish.expected))
            except (WrongExpectedVersion, ValueError) as refusal:
                outcomes.append(refusal)
        return outcomes

    def stream(self, name: str, after: int = -1) -> Iterator[Recorded]:
        """See Log.stream."""
        events = self._streams.get(name, [])
        return iter(events[bisect_right(events, after, key=attrgetter("position")) :])

    def all(
        self, after: int = 0, upto: int | None = None, types: frozenset[str] | None = None
    ) -> Iterator[Recorded]:
        """See Log.all."""
        events = self._events[max(after, 0) : max(upto, 0) if upto is not None else None]
        return (event for event in events if types is None or event.type in types)

    def head(self) -> int:
        """See Log.head."""
        return len(self._events)

    def position_at(self, time: int) -> int:
        """See Log.position_at."""
        for event in reversed(self._events):
            if event.time <= time:
                return event.global_position
        return 0

    def count_types(self) -> dict[str, int]:
        """How many events of each type it holds."""
        return dict(Counter(event.type for event in self._events))

    def close(self) -> None:
        """Nothing is open."""
