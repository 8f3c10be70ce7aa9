"""The bell: a small file that grows after each commit, so that who watches it looks at the log."""

import os
from pathlib import Path
from typing import Final

LONGEST: Final = 4096
"""Bytes; then it begins anew."""


class Bell:
    """Rung by whoever appends. It is a hint: who misses it finds the events by looking."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def ring(self) -> None:
        """Append one byte. Raises OSError."""
        if self._descriptor is None:
            self._descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        if os.fstat(self._descriptor).st_size >= LONGEST:
            os.ftruncate(self._descriptor, 0)
        os.write(self._descriptor, b".")

    def close(self) -> None:
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            os.close(descriptor)
