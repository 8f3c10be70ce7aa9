"""What is made from the log and kept beside it: the views' file and the mirror."""

import sqlite3
from contextlib import suppress

import trio

from eventstore.log import Log
from eventstore.text.mirror import Mirror, Repair
from handlers.ports.log import Kept, Lag
from projections.views import Views


class ViewsBehind(Exception):
    """The views' file cannot be written now. Nothing is lost: whoever reads folds the log instead."""


class RecordKeeping:
    """Brings both up to the log's head; the one does not wait for the other."""

    def __init__(self, log: Log, views: Views, mirror: Mirror) -> None:
        self._log = log
        self._views = views
        self._mirror = mirror

    def check(self) -> None:
        """Before anything is appended. Raises MirrorAhead: the log lacks what its mirror has."""
        self._mirror.check()

    def catch_up_now(self) -> tuple[Repair | None, tuple[str, ...]]:
        """For verbs: the mirror's repair, and a sentence for each time the views' file was made anew.

        Raises MirrorAhead, OSError (the mirror), ViewsBehind: each after both were tried.
        """
        repair, trouble = self._mirrored()
        rebuilt, views = self._viewed()
        if trouble is not None:
            raise trouble
        if views is not None:
            raise ViewsBehind(f"the views could not be brought up to date: {views}")
        return repair, rebuilt

    def try_views(self) -> None:
        """For who reads them next. Where the disk refuses, the log is folded then, and `catch_up` tells."""
        with suppress(sqlite3.Error, OSError):
            self._views.catch_up(self._log)

    def distrust_views(self, why: str) -> None:
        """Rows of them cannot be used: they are made anew, and the next `catch_up` says so."""
        with suppress(sqlite3.Error, OSError):
            self._views.distrust(self._log, why)

    def begin_anew(self) -> None:
        """Write both again from the log, and leave nothing of what they held. Raises OSError."""
        self._mirror.rewrite()
        self._views.remove()
        self._views.catch_up(self._log)

    async def catch_up(self) -> Kept:
        """For the service. Raises MirrorAhead."""
        return await trio.to_thread.run_sync(self._catch_up)

    def _catch_up(self) -> Kept:
        repair, trouble = self._mirrored()
        rebuilt, views = self._viewed()
        lag = None
        if trouble is not None:
            lag = Lag(self._mirror.behind(), trouble.strerror or str(trouble))
        return Kept(repair, rebuilt, lag, views)

    def _mirrored(self) -> tuple[Repair | None, OSError | None]:
        try:
            return self._mirror.catch_up(), None
        except OSError as trouble:
            return None, trouble

    def _viewed(self) -> tuple[tuple[str, ...], str | None]:
        problem = None
        try:
            self._views.catch_up(self._log)
        except (sqlite3.Error, OSError) as trouble:
            problem = str(trouble)
        rebuilt = tuple(self._views.repairs)
        self._views.repairs.clear()
        return rebuilt, problem
