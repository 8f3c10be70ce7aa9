"""What is made from the log and kept beside it: the views' file and the mirror."""

import sqlite3

import trio

from eventstore.log import Log
from eventstore.mirror import Mirror, Repair
from projections.views import Views


class ViewsBehind(Exception):
    """The views' file cannot be written now. Nothing is lost: whoever reads folds the log instead."""


class RecordKeeping:
    """Brings both up to the log's head, in a thread."""

    def __init__(self, log: Log, views: Views, mirror: Mirror) -> None:
        self._log = log
        self._views = views
        self._mirror = mirror

    def check(self) -> None:
        """Before anything is appended. Raises MirrorAhead: the log lacks what its mirror has."""
        self._mirror.check()

    def catch_up_now(self) -> tuple[Repair | None, tuple[str, ...]]:
        """For verbs: the same without an event loop. Raises ViewsBehind, MirrorAhead, OSError."""
        repair = self._mirror.catch_up()
        try:
            self._views.catch_up(self._log)
        except sqlite3.Error as trouble:
            raise ViewsBehind(f"the views could not be brought up to date: {trouble}") from trouble
        rebuilt = tuple(self._views.repairs)
        self._views.repairs.clear()
        return repair, rebuilt

    async def catch_up(self) -> tuple[Repair | None, tuple[str, ...]]:
        """The mirror's repair, and a sentence for each time the views' file was made anew."""
        return await trio.to_thread.run_sync(self.catch_up_now)
