"""A home whose log is a corpus, with its views stored up to some events before the end: made once, kept."""

import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from adapters.home import Home
from eventstore.event import Recorded
from eventstore.sqlite.log import SqliteLog
from projections.all_views import ALL
from projections.views import Views
from tools.bench.corpus import copied, corpus

TAIL: Final = 500
"""Events that the stored views lack, as after a crash."""


@dataclass(frozen=True)
class LongHome:
    """`stored` are the views without the last events; those of the home itself are up to the head."""

    home: Home
    stored: Path

    def views_behind(self) -> None:
        """Put the views back to where they lack the tail."""
        self._away()
        shutil.copyfile(self.stored, self.home.views)

    def no_views(self) -> None:
        self._away()

    def views_at_the_head(self) -> None:
        self.views_behind()
        _catch_up(self.home.views, self.home.log, 0)

    def _away(self) -> None:
        for suffix in ("", "-wal", "-shm"):
            self.home.views.with_name(self.home.views.name + suffix).unlink(missing_ok=True)


def long_home(events: int) -> LongHome:
    """A home of so many events. Nothing is appended to it by whoever measures."""
    kept = corpus(events)
    home = Home(kept.log.parent / "home", named=True)
    if not home.root.is_dir():
        making = home.root.with_name("home-being-made")
        shutil.rmtree(making, ignore_errors=True)
        copied(kept, making / "logs")
        (making / "tasks").mkdir()
        making.rename(home.root)
    stored = home.root / "views.stored"
    # Caught up each time: views of another version are made anew.
    _catch_up(stored, home.log, TAIL)
    return LongHome(home, stored)


class _Beginning:
    """A log without its last events."""

    def __init__(self, log: SqliteLog, less: int) -> None:
        self._log = log
        self._head = log.head() - less

    def head(self) -> int:
        return self._head

    def all(
        self, after: int = 0, upto: int | None = None, types: frozenset[str] | None = None
    ) -> Iterator[Recorded]:
        return self._log.all(after, self._head if upto is None else min(upto, self._head), types)


def _catch_up(path: Path, log: Path, less: int) -> None:
    with closing(SqliteLog(log, read_only=True)) as opened, closing(Views(path, ALL)) as views:
        beginning: Any = _Beginning(opened, less)
        views.catch_up(beginning)
