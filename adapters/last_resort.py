"""The end of a process that nothing else can end: one of its threads hangs in a call to a file.

A thread cannot be stopped from outside, and a call to a dead disk or network folder may never come
back. Whoever was told twice to end, ends: the log is whole at every moment, and what else the process
would still have written is made from it at the next start.
"""

import os
import threading
from collections.abc import Callable
from typing import Final

PATIENCE_S: Final = 10.0
"""So long everything else may still take once the second signal has come."""

TELLING_S: Final = 1.0
"""So long the last words may take: who reads them may hang as well."""

IO_FAILED: Final = 74
"""The exit code for a failed disk (EX_IOERR of sysexits.h)."""

WORDS: Final = (
    "evt: a call to a file has not come back (a dead disk or network folder?): ended without it. What was "
    "acknowledged is in the log; the next start closes what was under way.\n"
)


def _tell() -> None:
    # Not through sys.stderr: the thread that hangs may hold its lock.
    os.write(2, WORDS.encode("utf-8"))


class LastResort:
    """Armed once, it ends this process `patience_s` later, unless it was disarmed before. From any thread."""

    def __init__(
        self,
        patience_s: float = PATIENCE_S,
        tell: Callable[[], None] = _tell,
        end: Callable[[int], object] = os._exit,
    ) -> None:
        self._patience_s = patience_s
        self._tell = tell
        self._end = end
        self._over = threading.Event()
        self._armed = threading.Lock()

    def arm(self) -> None:
        if self._armed.acquire(blocking=False):
            threading.Thread(target=self._wait, name="last resort", daemon=True).start()

    def disarm(self) -> None:
        self._over.set()

    def _wait(self) -> None:
        if self._over.wait(self._patience_s):
            return
        telling = threading.Thread(target=self._tell, name="last words", daemon=True)
        telling.start()
        telling.join(TELLING_S)
        self._end(IO_FAILED)
