"""What a log says of itself: each place follows from the one before, and columns are copies of the line.

This needs no tree: what contradicts itself was not written so by the store.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import orjson

from eventstore.audit.findings import Finding
from eventstore.line import NotALine, parse
from eventstore.moment import rfc3339

Row = tuple[int, str, int, int | None, str, int, bytes]
"""Global position, stream, position, global position of the stream's event before (None where the
source has no such column), type, time in µs, line."""

UUID_LENGTH: Final = 36
SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
KEPT_MINUTES: Final = 10_000


class LineChecks:
    """Takes the rows of a log in their order; the first contradiction is kept, the others are counted."""

    def __init__(self) -> None:
        self.finding: Finding | None = None
        self.count = 0
        self._next = 1
        self._streams: dict[str, tuple[int, int]] = {}
        self._names: dict[str, bytes] = {}
        self._between: dict[str, bytes] = {}
        self._minutes: dict[int, bytes] = {}

    def take(self, rows: Sequence[Row]) -> None:
        """The next rows of a table."""
        at = 0
        while at < len(rows):
            at += self._take(rows[at:] if at else rows)

    def _take(self, rows: Sequence[Row]) -> int:
        """As many of the rows as hold values of the kinds that an event has, and one more."""
        # Done for each event of a log: no call and no look-up that can be spared.
        between, names, minute_of, heads, expected = (
            self._between, self._names, self._minutes.get, self._streams, self._next
        )  # fmt: skip
        count = 0
        try:
            for row in rows:
                count += 1
                global_position, stream, position, prev, type_, time, line = row
                minute, rest = divmod(time, MINUTE)
                # Most lines are found right without being decoded: they must end as the columns say.
                end = b'","position":%d%b"stream":"%b","time":"%b%02d.%06d%b' % (
                    position,
                    between.get(type_, b""),
                    stream.encode(),
                    minute_of(minute) or self._minute(minute),
                    rest // SECOND,
                    rest % SECOND,
                    names.get(type_, b""),
                )
                begin = b',"global_position":%d,"id":"' % global_position
                if not line.endswith(end) or not line.startswith(
                    begin, len(line) - len(end) - UUID_LENGTH - len(begin)
                ):
                    self._compare(row)
                if stream in heads:
                    last, last_global = heads[stream]
                    if position != last + 1 or prev != last_global or global_position != expected:
                        self._next = expected
                        self._out_of_order(global_position, stream, position, prev, (last, last_global))
                elif position or prev or global_position != expected:
                    self._next = expected
                    self._out_of_order(global_position, stream, position, prev, (-1, 0))
                heads[stream] = position, global_position
                expected = global_position + 1
        except (TypeError, AttributeError, ValueError, OverflowError):
            self._next = expected
            self._note(
                "EDITED", _place(rows[count - 1], expected), "it holds values of another kind than an event"
            )
            expected += 1
        self._next = expected
        return count

    def claims(self, rows: Iterable[Row]) -> None:
        """The next rows of a text, as `claimed` makes them: their columns are what the lines say."""
        for global_position, stream, position, _, _, _, _ in rows:
            if not global_position:
                self._note("EDITED", self._next, "what stands there is no line of an event")
                self._next += 1
                continue
            before = self._streams.get(stream, (-1, 0))
            if (global_position, position) != (self._next, before[0] + 1):
                self._out_of_order(global_position, stream, position, before[1], before)
            self._streams[stream] = position, global_position
            self._next = global_position + 1

    def _compare(self, row: Row) -> None:
        """The same by decoding the line; what it says between the columns is learnt for its type."""
        global_position, stream, position, _, type_, time, line = row
        try:
            event = parse(line)
        except NotALine as problem:
            self._note("EDITED", global_position, f"its line is none: {problem}")
            return
        columns = (global_position, stream, position, type_, time)
        said = (event.global_position, event.stream, event.position, event.type, event.time)
        names = ("global_position", "stream", "position", "type", "time")
        for name, column, value in zip(names, columns, said, strict=True):
            if column != value:
                self._note("EDITED", global_position, f"its column {name} is not what its line says")
                return
        self._learn(type_, event.envelope)

    def _learn(self, type_: str, envelope: dict[str, Any]) -> None:
        middle = {"schema": envelope["schema"], "source": envelope["source"]}
        self._between[type_] = b"," + orjson.dumps(middle)[1:-1] + b","
        self._names[type_] = b'Z","type":' + orjson.dumps(type_) + b"}"

    def _minute(self, minute: int) -> bytes:
        if len(self._minutes) > KEPT_MINUTES:
            self._minutes.clear()
        self._minutes[minute] = found = rfc3339(minute * MINUTE)[:17].encode()
        return found

    def _out_of_order(
        self, global_position: int, stream: str, position: int, prev: int | None, before: tuple[int, int]
    ) -> None:
        """The place does not follow from those before it. The next ones are measured by it all the same."""
        last, last_global = before
        if global_position > self._next:
            gone = global_position - self._next
            text = f"{_many(gone)} between {self._next - 1} and {global_position}"
            self._note("REMOVED", self._next, text, global_position - 1)
        elif global_position < self._next:
            self._note("REORDERED", self._next, f"what stands there calls itself {global_position}")
        if position > last + 1:
            text = f"in stream {stream!r} {_many(position - last - 1)} before it"
            self._note("REMOVED", global_position, text)
        elif position <= last:
            text = f"in stream {stream!r} it is number {position} after number {last}"
            self._note("INSERTED", global_position, text)
        elif global_position == self._next and prev != last_global:
            self._note("EDITED", global_position, "its column prev is not the stream's event before")

    def _note(self, kind: Any, position: int, text: str, last: int | None = None) -> None:
        self.count += 1
        if self.finding is None:
            said = text if kind == "REMOVED" and last is not None else f"event {position}: {text}"
            last = last or position
            self.finding = Finding(kind, said, position, last, count=last - position + 1)


def claimed(lines: Sequence[bytes]) -> Iterator[Row]:
    """Lines of a text as rows, by what they say of themselves; one that is none has the position 0."""
    for line in lines:
        try:
            event = parse(line)
        except NotALine:
            yield 0, "", 0, None, "", 0, line
        else:
            yield event.global_position, event.stream, event.position, None, event.type, event.time, line


def _place(row: Sequence[Any], expected: int) -> int:
    return row[0] if isinstance(row[0], int) else expected


def _many(count: int) -> str:
    return "one event is missing" if count == 1 else f"{count} events are missing"
