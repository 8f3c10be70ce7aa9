"""The bell: a small file whose word changes after each commit, so that who watches it looks at the log."""

import os
from pathlib import Path
from typing import Final

from eventstore.regular_file import NotRegular, regular

WORD: Final = 16
"""Bytes; the file is never longer."""

ALONE: Final = getattr(os, "O_NOFOLLOW", 0)
"""A link there would have us write into another file."""

Stamp = bytes
"""What stands in the bell."""


class Bell:
    """Rung by whoever appends. It is a hint: who misses it finds the events by looking.

    A ring writes over the word of the one before. A file that grows would cost more: its new size
    goes into the file system's journal, and the next commit's sync would wait for that.
    One thread rings at a time.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None
        self._facts: os.stat_result | None = None
        self._word = int.from_bytes(os.urandom(WORD // 2))  # no other process counts from there

    def ring(self) -> None:
        """Write another word into the file that bears the name now. Raises OSError."""
        if self._descriptor is not None:
            self._write(self._descriptor)
        # Looked at only now: who waits is awake by then.
        if not self._is_there():
            self._write(self._opened())

    def close(self) -> None:
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            os.close(descriptor)

    def _is_there(self) -> bool:
        """Whether what we hold open bears the name still: nobody hears one that was removed or replaced."""
        if self._descriptor is None or self._facts is None:
            return False
        try:
            return os.path.samestat(self.path.stat(), self._facts)
        except FileNotFoundError:
            return False

    def _opened(self) -> int:
        self.close()
        try:
            descriptor = self._at_the_path()
        except NotRegular:
            self.path.unlink()  # a hint, not a word of ours: it is made anew
            descriptor = self._at_the_path()
        self._descriptor = descriptor
        self._facts = os.fstat(descriptor)
        if self._facts.st_size != WORD:
            os.ftruncate(descriptor, 0)
            self._write(descriptor)
            os.fsync(descriptor)  # it has its block now: no later ring waits for one
        return descriptor

    def _at_the_path(self) -> int:
        return regular(self.path, os.O_WRONLY | os.O_CREAT | ALONE, 0o644)

    def _write(self, descriptor: int) -> None:
        self._word = (self._word + 1) % (1 << 4 * WORD)
        os.lseek(descriptor, 0, os.SEEK_SET)
        os.write(descriptor, f"{self._word:0{WORD}x}".encode())


def stamp_of(bell: Path) -> Stamp | None:
    """Differs after each ring; None where there is no bell. It waits for no disk: the file is in use."""
    try:
        descriptor = regular(bell, os.O_RDONLY | ALONE)
    except OSError:
        return None
    try:
        return os.read(descriptor, WORD)
    except OSError:
        return None  # a folder, say
    finally:
        os.close(descriptor)
