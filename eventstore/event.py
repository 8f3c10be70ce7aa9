"""What the log keeps: an event about to be appended, and the same with its place."""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import orjson

from eventstore.moment import rfc3339
from eventstore.unreadable import LineDamaged

ANY: Final = -2
"""Expected version: append wherever the stream ends."""

NO_STREAM: Final = -1
"""Expected version: the stream has no event yet (its head is at -1)."""

Upcast = Callable[[Mapping[str, Any]], Mapping[str, Any]]
Upcasts = Mapping[tuple[str, int], Upcast]
"""(type, schema) of an old payload → the function that gives the next newer shape."""


class Event(NamedTuple):
    """A fact about to be appended. Its line lacks only the two numbers of its place.

    `time` is in microseconds since 1970-01-01T00:00:00Z; `schema` is the version
    of the payload `data`; `id` is a UUID and the key by which a repeat is known.
    """

    id: str
    type: str
    data: Mapping[str, Any]
    time: int
    actor: str
    source: str
    correlation_id: str | None = None
    causation_id: str | None = None
    schema: int = 1


class Place(NamedTuple):
    """Where an appended event stands: in the log (from 1) and in its stream (from 0)."""

    global_position: int
    position: int


class Recorded:
    """An event with its place. Columns are at hand; the line is decoded on first use."""

    __slots__ = (
        "_data",
        "_envelope",
        "_upcasts",
        "global_position",
        "line",
        "position",
        "stream",
        "time",
        "type",
    )

    def __init__(
        self,
        global_position: int,
        stream: str,
        position: int,
        type: str,  # the field's own name, as in the line
        time: int,
        line: bytes,
        upcasts: Upcasts | None = None,
    ) -> None:
        self.global_position = global_position
        self.stream = stream
        self.position = position
        self.type = type
        self.time = time
        self.line = line
        self._upcasts = upcasts
        self._envelope: dict[str, Any] | None = None
        self._data: Mapping[str, Any] | None = None

    def __repr__(self) -> str:
        return f"Recorded({self.global_position}, {self.stream!r}, {self.position}, {self.type!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Recorded) and self.line == other.line

    def __hash__(self) -> int:
        return hash(self.line)

    @property
    def envelope(self) -> dict[str, Any]:
        """Every key of the line as it is stored, never upcast. Raises LineDamaged."""
        if self._envelope is None:
            try:
                self._envelope = orjson.loads(self.line)
            except orjson.JSONDecodeError as error:
                raise LineDamaged(self.global_position, error) from error
        return self._envelope

    @property
    def data(self) -> Mapping[str, Any]:
        """The payload in its newest shape: old shapes are upcast at read. Raises LineDamaged."""
        data = self._data
        if data is None:
            # Read for most events of a replay: no call that can be spared.
            envelope = self._envelope
            try:
                if envelope is None:
                    self._envelope = envelope = orjson.loads(self.line)
                data = envelope["data"]
            except (orjson.JSONDecodeError, LookupError, TypeError) as error:
                raise LineDamaged(self.global_position, error) from error
            if self._upcasts:
                schema: int = envelope["schema"]
                while step := self._upcasts.get((self.type, schema)):
                    data, schema = step(data), schema + 1
            self._data = data
        return data

    @property
    def id(self) -> str:
        return str(self.envelope["id"])

    @property
    def actor(self) -> str:
        return str(self.envelope["actor"])

    @property
    def correlation_id(self) -> str | None:
        found: str | None = self.envelope["correlation_id"]
        return found

    @property
    def when(self) -> str:
        """The time as RFC 3339, UTC, microseconds."""
        return rfc3339(self.time)
