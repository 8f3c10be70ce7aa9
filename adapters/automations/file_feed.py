"""What an attempt has changed so far: compared while its agent works, and once more when it has ended."""

from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

import trio

from handlers.ports.files import WorkTree
from schemas.attempt import FileChange

PAUSE_S: Final = 2.0
"""At least so long from one comparison to the next."""

SHARE: Final = 9
"""A comparison that takes long is followed by a pause of so many times its length."""

LONGEST_DELTA: Final = 1000
"""Files; a longer list is said at the end alone: each saying holds all of it."""

Say = Callable[[tuple[FileChange, ...]], Awaitable[object]]


class Finish(NamedTuple):
    """What came of the last comparison: `note` says why there is none, `unseen` what it could not see."""

    note: str | None = None
    unseen: str | None = None


class FileFeed:
    """The files of one attempt. What is found is said whole each time, never as a step from the last.

    While the agent works a comparison may fail or be missed; the last one answers for all.
    """

    def __init__(self, tree: WorkTree, cwd: str, say: Say) -> None:
        self._tree = tree
        self._cwd = cwd
        self._say = say
        self._before: bytes | None = None
        self._said: tuple[FileChange, ...] = ()
        self._stirred = trio.Event()

    async def begin(self) -> bytes:
        """The snapshot that everything is compared with. Raises OSError."""
        self._before = await self._tree.snapshot(self._cwd)
        return self._before

    def stir(self) -> None:
        """The agent may have changed something."""
        self._stirred.set()

    async def run(self) -> None:
        """Compare after each stir, for ever; several in one pause are one."""
        while True:
            await self._stirred.wait()
            self._stirred = trio.Event()
            began = trio.current_time()
            await self._say_delta()
            await trio.sleep(max(PAUSE_S, SHARE * (trio.current_time() - began)))

    async def finish(self) -> Finish:
        """The comparison that counts. Nothing where nothing was begun."""
        if self._before is None:
            return Finish()
        try:
            found = await self._tree.changes(self._cwd, self._before)
        except OSError as error:
            return Finish(note=f"what was changed could not be found out: {error}")
        await self._say(found.files)
        return Finish(unseen=found.unseen_in_words())

    async def _say_delta(self) -> None:
        if self._before is None:
            return
        try:
            files = (await self._tree.changes(self._cwd, self._before)).files
        except OSError:
            return  # the last comparison tells of it, if it lasts
        if files != self._said and len(files) <= LONGEST_DELTA:
            await self._say(files)
            self._said = files
