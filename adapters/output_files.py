"""The files made from the log (artifacts, their index, summaries), written whole or not at all."""

from pathlib import Path

import trio

from adapters.first_system import spare
from adapters.safe_files import inside, write_atomically


class OutputFiles:
    """Writes below one home; the folders are made when they are missing."""

    def __init__(self, home: Path) -> None:
        self._home = home

    async def write(self, path: str, content: bytes) -> None:
        """Write `path` (relative to the home) atomically. Raises OutsideHome, OSError."""
        await trio.to_thread.run_sync(self._write, path, content)

    def _write(self, path: str, content: bytes) -> None:
        place = inside(self._home, path)
        place.parent.mkdir(parents=True, exist_ok=True)
        spare(self._home, path)
        write_atomically(place, content)
