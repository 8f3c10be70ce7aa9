"""The log's last events in memory, as they were read; what has become too much is let go."""

from collections.abc import Sequence
from typing import Final

from eventstore.event import Recorded

KEPT_BYTES: Final = 4 * 1024 * 1024
KEPT_STREAMS: Final = 20_000


class Tail:
    """The log's last events, none missing between `start` and `head`, and where streams end."""

    def __init__(self, kept_bytes: int) -> None:
        self._kept_bytes = kept_bytes
        self._events: list[Recorded] = []
        self._bytes = 0
        self._streams: dict[str, list[Recorded]] = {}
        self._ends: dict[str, int] = {}
        self.start = 0
        self.head: int | None = None

    def begin(self, head: int) -> None:
        """Forget all; what is known from now on stands past `head`."""
        self._events.clear()
        self._streams.clear()
        self._ends.clear()
        self._bytes = 0
        self.start = self.head = head

    def take(self, events: Sequence[Recorded]) -> None:
        """Events that follow `head` without a gap; those before it are known already."""
        head = self.start if self.head is None else self.head
        # The log has no gaps. All who were of one transaction bring the same events: most are known.
        known = head - events[0].global_position + 1 if events else 0
        for event in events[max(0, known) :]:
            self._events.append(event)
            self._streams.setdefault(event.stream, []).append(event)
            self._ends[event.stream] = event.position
            self._bytes += len(event.line)
            self.head = event.global_position
        if self._bytes > self._kept_bytes:
            self._shrink()

    def ended(self, stream: str, position: int) -> None:
        """The stream was read to its end at a moment when all up to `head` had been taken."""
        self._ends[stream] = position
        if len(self._ends) > KEPT_STREAMS:
            self._ends.clear()

    def since(self, after: int, limit: int) -> list[Recorded] | None:
        """Events past a global position; None where memory does not reach back so far."""
        if after < self.start:
            return None
        first = after - self.start
        return self._events[first : first + limit]

    def of(self, stream: str, after: int) -> list[Recorded] | None:
        """A stream's events past a position of it; None where memory does not reach back so far."""
        if self._ends.get(stream) == after:
            return []
        held = self._streams.get(stream)
        if not held or held[0].position > after + 1:
            return None
        return held[max(0, after + 1 - held[0].position) :]

    def _shrink(self) -> None:
        """Let the older half go."""
        while self._events and self._bytes > self._kept_bytes // 2:
            half = len(self._events) // 2 + 1
            self._bytes -= sum(len(event.line) for event in self._events[:half])
            self.start = self._events[half - 1].global_position
            del self._events[:half]
        self._streams.clear()
        for event in self._events:
            self._streams.setdefault(event.stream, []).append(event)
