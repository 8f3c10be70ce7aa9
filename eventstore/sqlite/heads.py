"""Where each stream ends: a projection in memory, caught up inside the transaction that needs it."""

from collections import deque
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import apsw

from eventstore.event import Event
from eventstore.repeats import REMEMBERED
from eventstore.sqlite.schema import SAVE_HEAD, SINCE

CHECKPOINT_EVERY: Final = 4096
"""Events; so many at most are read again by who opens the log."""

KEPT_HEADS: Final = 100_000
KEPT_STREAMS_OF_IDS: Final = 256


class Head(NamedTuple):
    """A stream's last event; (-1, 0) for a stream that has none."""

    position: int
    global_position: int


class Heads:
    """Holds every head that moved since the checkpoint it started from; it wins over the table.

    A head newer than the table's checkpoint is never let go. After any failure: `forget`.
    """

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._moved: dict[str, Head] = {}
        self._recent: dict[str, deque[str]] = {}
        self._last: int | None = None
        self._checkpoint = 0

    def forget(self) -> None:
        """Read all again at the next need."""
        self._moved.clear()
        self._recent.clear()
        self._last = None

    def catch_up(self) -> int:
        """Take in what was appended since the last look; the log's head."""
        if self._last is None:
            self._checkpoint = self._saved_checkpoint()
        last = self._checkpoint if self._last is None else self._last
        rows: list[Any] = self._connection.execute(SINCE, (last,)).fetchall()
        for last, stream, position in rows:
            self._moved[stream] = Head(position, last)
            self._recent.pop(stream, None)
        self._last = last
        return last

    def of(self, stream: str) -> Head:
        """Where a stream ends, as of the last catch-up."""
        if (head := self._moved.get(stream)) is not None:
            return head
        row = self._connection.execute(
            "SELECT position, global_position FROM heads WHERE stream = ?", (stream,)
        ).fetchone()
        return Head(-1, 0) if row is None else Head(*row)

    def move(self, stream: str, head: Head, events: Sequence[Event]) -> None:
        """A stream grew by our own transaction, in which the checkpoint may move along."""
        self._moved[stream] = head
        self._last = head.global_position
        if (recent := self._recent.get(stream)) is not None:
            recent.extend(event.id for event in events)
        if self._last - self._checkpoint >= CHECKPOINT_EVERY:
            self._save()

    def recent(self, stream: str) -> deque[str] | None:
        """The ids of a stream's last 64 events, None when they are not known."""
        return self._recent.get(stream)

    def remember(self, stream: str, ids: Sequence[str]) -> None:
        """Keep the ids of a stream's last events."""
        if len(self._recent) >= KEPT_STREAMS_OF_IDS:
            self._recent.clear()
        self._recent[stream] = deque(ids, REMEMBERED)

    def _save(self) -> None:
        # Another process may have saved further on; what memory has beyond that is still to be written.
        saved = self._saved_checkpoint()
        self._connection.executemany(
            SAVE_HEAD,
            [(stream, *head) for stream, head in self._moved.items() if head.global_position > saved],
        )
        self._connection.execute("UPDATE checkpoint SET global_position = ?", (self._last,))
        self._checkpoint = self._last or 0
        if len(self._moved) > KEPT_HEADS:
            self._moved.clear()

    def _saved_checkpoint(self) -> int:
        return int(self._connection.execute("SELECT global_position FROM checkpoint").get)
