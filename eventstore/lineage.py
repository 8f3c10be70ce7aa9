"""What may stand next in a log: a line is judged by its own bytes and by the lines before it."""

from collections.abc import Iterator
from typing import Any, Final

from eventstore.event import Event, Recorded
from eventstore.line import NotALine, parse, render
from eventstore.log import Unrecordable

TEXTS: Final = ("id", "actor", "source")
TEXTS_OR_NULL: Final = ("correlation_id", "causation_id")

Row = tuple[int, str, int, int, str, int, bytes]
"""Global position, stream, position, global position of the stream's event before, type, time, line."""


class NotNext(ValueError):
    """These bytes cannot be the next line; the text says why, not where."""


def whole(line: bytes) -> Recorded:
    """The event of a line that has exactly the bytes that this program would give it. Raises NotNext."""
    try:
        event = parse(line)
        again = render(event.stream, _fact(event)).splice(event.global_position, event.position)
    except (NotALine, Unrecordable) as error:
        raise NotNext(str(error)) from error
    if again != line:
        at = next(
            (n for n, pair in enumerate(zip(again, line, strict=False)) if pair[0] != pair[1]), len(again)
        )
        raise NotNext(
            f"its bytes are not those that an event has (from byte {at} on): "
            "sorted keys, no spaces, nothing twice"
        )
    if event.global_position < 1 or event.position < 0:
        raise NotNext(f"there is no place {event.global_position}, {event.position}")
    return event


class Lineage:
    """Takes a log's lines in their order. `source` is what each must name, else what the first names."""

    def __init__(self, source: str | None = None) -> None:
        self.source = source
        self.head = 0
        self._heads: dict[str, tuple[int, int]] = {}

    def take(self, line: bytes) -> Row:
        """The next line as the row of a log. Raises NotNext, and is then as it was."""
        return self.follow(whole(line))

    def follow(self, event: Recorded) -> Row:
        """The same for an event whose bytes have been looked at. Raises NotNext."""
        source = str(event.envelope["source"])
        if event.global_position != self.head + 1:
            raise NotNext(f"it is event {event.global_position}, and event {self.head + 1} is the next one")
        if self.source is not None and source != self.source:
            raise NotNext(f"its source is {source}, and this log's is {self.source}")
        position, before = self._heads.get(event.stream, (-1, 0))
        if event.position != position + 1:
            raise NotNext(
                f"it is number {event.position} of stream {event.stream}, "
                f"and number {position + 1} is the next one"
            )
        self.source, self.head = source, event.global_position
        self._heads[event.stream] = event.position, event.global_position
        return (
            event.global_position, event.stream, event.position, before, event.type, event.time, event.line
        )  # fmt: skip

    def heads(self) -> Iterator[tuple[str, int, int]]:
        """Each stream with the position and the global position of its last event."""
        for stream, (position, global_position) in self._heads.items():
            yield stream, position, global_position


def _fact(event: Recorded) -> Event:
    """The event as it was before it had a place. Raises NotNext for a value of another kind."""
    envelope: dict[str, Any] = event.envelope
    for name in TEXTS:
        if not isinstance(envelope[name], str):
            raise NotNext(f"its {name} is no text")
    for name in TEXTS_OR_NULL:
        if not isinstance(envelope[name], str | None):
            raise NotNext(f"its {name} is neither a text nor null")
    if type(envelope["schema"]) is not int:
        raise NotNext("its schema is no whole number")
    if not isinstance(envelope["data"], dict):
        raise NotNext("its data is no object")
    return Event(
        id=envelope["id"],
        type=event.type,
        data=envelope["data"],
        time=event.time,
        actor=envelope["actor"],
        source=envelope["source"],
        correlation_id=envelope["correlation_id"],
        causation_id=envelope["causation_id"],
        schema=envelope["schema"],
    )
