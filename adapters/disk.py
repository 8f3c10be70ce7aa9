"""The disk that a folder lies on, for the service: its room is asked for in a thread."""

from pathlib import Path

import trio

from adapters.disk_room import free_bytes


class DiskOf:
    """See Disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.path = str(folder)

    async def free(self) -> int:
        return await trio.to_thread.run_sync(free_bytes, self._folder)
