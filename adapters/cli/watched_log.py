"""The log for a verb that reads much of it: a person at a terminal sees how far the reading is."""

import time
from collections.abc import Iterator

from adapters.cli.moments import span
from adapters.cli.progress import Progress
from adapters.home import Home
from eventstore.event import Recorded
from eventstore.sqlite.log import SqliteLog
from schemas.upcasts import UPCASTS

BETWEEN_LOOKS = 256
BAR = 20


class WatchedLog(SqliteLog):
    """Opened for reading. `upto` is where the reading ends: the head, if nobody says otherwise."""

    def __init__(self, home: Home, progress: Progress, *, still: bool = False) -> None:
        super().__init__(home.log, upcasts=UPCASTS, read_only=True, still=still)
        self.upto = self.head()
        self._progress = progress
        self._begun = time.monotonic()
        self._shown = 0

    def all(
        self, after: int = 0, upto: int | None = None, types: frozenset[str] | None = None
    ) -> Iterator[Recorded]:
        """See Log.all."""
        events = super().all(after, upto, types)
        return self._watched(events) if self._progress.visible else events

    def _watched(self, events: Iterator[Recorded]) -> Iterator[Recorded]:
        # From 1: a look at a single event is no reading.
        for count, event in enumerate(events, 1):
            if not count % BETWEEN_LOOKS and event.global_position > self._shown and self._progress.due():
                self._shown = event.global_position
                self._show(event.global_position)
            yield event

    def _show(self, at: int) -> None:
        rate = at / max(time.monotonic() - self._begun, 1e-6)
        bar = ("#" * (BAR * at // max(self.upto, 1))).ljust(BAR, ".")
        left = span(round((self.upto - at) / rate * 1e6))
        self._progress.show(f"[{bar}] {at} of {self.upto} events, {rate:,.0f}/s, {left} left")
