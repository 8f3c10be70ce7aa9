"""Follow the log: the bell that is rung after each commit says when to look again."""

import errno
import importlib
import math
from types import TracebackType
from typing import Any, Final, Protocol, Self

from eventstore.sqlite.log import SqliteLog

LOOK_S: Final = 1.0
"""So often the log is looked at though the bell was not rung: who appended may have died before."""


class Watch(Protocol):
    """What is used of a BellWatch."""

    def wait(self, seconds: float) -> bool: ...

    def close(self) -> None: ...


class Follower:
    """Ask `news`, look at the log where it says yes, `wait`, and so on: in this order nothing is missed.

    The log must be opened for reading: an append of its own would be no news.
    """

    def __init__(self, log: SqliteLog, look_s: float = LOOK_S) -> None:
        # Loaded here, by its name: most that read the log follow nothing.
        technology: Any = importlib.import_module("adapters.bell_watch")
        self._log = log
        self._file = _identity(log)
        self._look_s = look_s
        self._watch: Watch = technology.watch_bell(log.bell)
        self._version: int | None = None
        self._rung = True

    def news(self) -> bool:
        """Whether somebody may have committed since the last call; the first call says yes.

        Raises OSError (ESTALE) once another file stands in the log's place: nothing comes to this one.
        """
        if self._rung:
            return True
        if _identity(self._log) not in (self._file, None):
            why = "the log was put in place anew, as `evt recover` does"
            raise OSError(errno.ESTALE, why, str(self._log.path))
        # Nobody rang: the log says so itself, before it is looked at.
        before, self._version = self._version, self._log.data_version()
        return self._version != before

    def wait(self, seconds: float = math.inf) -> None:
        """Until there may be news, at most so long."""
        self._rung = self._watch.wait(min(seconds, self._look_s))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._watch.close()


def _identity(log: SqliteLog) -> tuple[int, int] | None:
    """Which file bears the log's name now; None while none does."""
    try:
        facts = log.path.stat()
    except OSError:
        return None
    return facts.st_dev, facts.st_ino
