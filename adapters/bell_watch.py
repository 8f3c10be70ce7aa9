"""Hear the bell of a log: woken by the system where it can do that, else by looking at the file often.

Nothing is missed in this order: ask `heard`, look at the log, wait. What is rung after the look
is still there to be heard, and what is rung between the question and the look is found by the look.
"""

import math
import os
import select
import struct
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

from eventstore.bell import stamp_of

if sys.platform == "linux":
    from inotify_simple import INotify, flags, parse_events

LOOK_S: Final = 0.05
"""So often the file is looked at while somebody waits, where the system does not wake us."""


class BellWatch(Protocol):
    """`descriptor` becomes readable when there may be something to hear; None: one has to ask."""

    @property
    def descriptor(self) -> int | None: ...

    def heard(self) -> bool:
        """Whether it was rung since the last call; the first call says yes. It does not wait."""
        ...

    def wait(self, seconds: float) -> bool:
        """Wait for a ring, at most so long; whether there was one."""
        ...

    def close(self) -> None: ...


def watch_bell(bell: Path) -> BellWatch:
    """The best watch that this system has. The bell need not be there yet."""
    if sys.platform == "linux":
        try:
            return InotifyWatch(bell)
        except OSError:
            # No more watches for this user, or a folder that may not be read: it works without.
            return LookingWatch(bell)
    return LookingWatch(bell)


class LookingWatch:
    """Looks at the file's size and time."""

    descriptor: Final = None

    def __init__(self, bell: Path, look_s: float = LOOK_S) -> None:
        self._bell = bell
        self._look_s = look_s
        self._stamp = stamp_of(bell)
        self._first = True

    def heard(self) -> bool:
        before, self._stamp = self._stamp, stamp_of(self._bell)
        first, self._first = self._first, False
        return first or self._stamp != before

    def wait(self, seconds: float) -> bool:
        until = time.monotonic() + seconds
        while not self.heard():
            left = until - time.monotonic()
            if left <= 0:
                return False
            time.sleep(min(self._look_s, left))
        return True

    def close(self) -> None:
        """Nothing is held open."""


if sys.platform == "linux":
    RUNG: Final = flags.MODIFY
    LOST: Final = flags.ATTRIB | flags.DELETE_SELF | flags.MOVE_SELF
    """Of the bell's own file: it may have lost its name. ATTRIB: it had two, or somebody holds it open."""
    CAME: Final = flags.CREATE | flags.MOVED_TO
    """Of the folder: a file has got a name there."""
    AT_ONCE: Final = 4096
    """Bytes; a ring takes 16, and rings that nobody has read yet are one."""

    class InotifyWatch:
        """inotify(7), on the bell's file for its rings and on the folder for a new file of that name."""

        def __init__(self, bell: Path) -> None:
            """Raises OSError where the kernel refuses."""
            self._bell = bell
            self._name = bell.name
            self._file: int | None = None
            self._ring = b""
            self._first = True
            self._kernel = INotify(nonblocking=True)
            try:
                self.descriptor: int = self._kernel.fileno()
                self._readable = select.poll()
                self._readable.register(self.descriptor, select.POLLIN)
                self._kernel.add_watch(bell.parent, CAME | flags.ONLYDIR)
                self._watch_file()
            except BaseException:
                self._kernel.close()
                raise

        def heard(self) -> bool:
            rung, self._first = self._first, False
            told = self._told()
            if told in (b"", self._ring):
                return rung or bool(told)
            lost = False
            for event in parse_events(told):
                if event.wd == self._file:
                    rung = True
                    lost = lost or event.mask != RUNG
                elif event.name == self._name or event.mask & flags.Q_OVERFLOW:
                    rung = lost = True
            if lost:
                # Before anybody looks: what is rung from now on is heard, what was rung before is found.
                # One that cannot be watched any more is no end: who follows also looks without a bell.
                with suppress(OSError):
                    self._watch_file()
            return rung

        def wait(self, seconds: float) -> bool:
            until = time.monotonic() + seconds
            while True:
                left = 0.0 if self._first else max(0.0, until - time.monotonic())
                self._readable.poll(None if left == math.inf else math.ceil(left * 1000))
                if self.heard():
                    return True
                if not left:
                    return False

        def close(self) -> None:
            self._kernel.close()

        def _told(self) -> bytes:
            """What the kernel has told; should it be too much for once, the rest stays readable."""
            try:
                return os.read(self.descriptor, AT_ONCE)
            except BlockingIOError:
                return b""

        def _watch_file(self) -> None:
            """Watch the file that bears the name now, and no other; none while there is none."""
            before, self._file = self._file, None
            try:
                # The same number as before when it is the same file.
                self._file = self._kernel.add_watch(self._bell, RUNG | LOST)
                self._ring = struct.pack("iIII", self._file, RUNG, 0, 0)
            except FileNotFoundError:
                pass  # the folder tells when it comes
            finally:
                if before is not None and before != self._file:
                    with suppress(OSError):  # the kernel may have dropped it together with the file
                        self._kernel.rm_watch(before)
