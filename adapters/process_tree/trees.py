"""Children spawned apart from us, and ended with all that they started."""

import os
import subprocess
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import trio

from adapters.process_tree import orphans
from adapters.process_tree.kin import Kin
from adapters.process_tree.rows import alive, identity, identity_of, linux_row, row_of
from handlers.agent_call import SESSION_VARIABLE
from schemas.process import ProcessIdentity

if sys.platform == "win32":
    from adapters.process_tree.job import CREATE_SUSPENDED, Job, has_console
    from adapters.process_tree.start import compare_again
else:
    from adapters.process_tree.start import beginning, held_folder


class TreeSurvives(Exception):
    """Processes that live on after SIGKILL: not ours to kill, or stuck inside the kernel."""

    def __init__(self, pids: Iterable[int]) -> None:
        self.pids = tuple(sorted(pids))
        super().__init__(f"could not be ended: process {', '.join(map(str, self.pids))}")


class Enclosure(Protocol):
    """What holds a tree together where the system has such a thing: a Job Object on Windows."""

    def strike(self, by_force: bool) -> Collection[int]: ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class Child:
    process: trio.Process
    identity: ProcessIdentity
    enclosure: Enclosure | None = None


class ProcessTrees:
    """Starts children and ends them with all that they started.

    `grace_s` lies between the polite signal and the hard one; after the hard one a tree
    that still lives for `patience_s` raises `TreeSurvives`.
    """

    def __init__(self, grace_s: float = 5.0, patience_s: float = 10.0) -> None:
        self._grace_s = grace_s
        self._patience_s = patience_s
        self._adopting = False
        self._starting = 0
        self._children: dict[int, trio.Process] = {}
        self._own: ProcessIdentity | None = None

    def own(self) -> ProcessIdentity:
        """The identity of this very process."""
        # It stays the same, and later there may be no free handle to look for it.
        if self._own is None or self._own.pid != os.getpid():
            self._own = identity_of(os.getpid())
        if self._own is None:
            raise RuntimeError("the system's process table does not show this process")
        return self._own

    async def alive(self, process: ProcessIdentity) -> bool | None:
        """Whether this very process lives; None where that cannot be seen: it is another host's."""
        return await trio.to_thread.run_sync(alive, process)

    def adopt_orphans(self) -> bool:
        """From now on descendants that lose their parent become children of this process.

        It is then on us to wait for them when they are dead: that is done whenever a tree is
        ended. Only one ProcessTrees of a process may adopt, and it starts all of its agents.
        Linux; False elsewhere, where the system's first process takes them.
        """
        self._adopting = orphans.adopt_orphans()
        return self._adopting

    async def spawn(
        self, argv: Sequence[str] | str, cwd: str, env: Mapping[str, str], merged: bool = False
    ) -> Child:
        """Start a program apart from our terminal and group, its three streams as pipes.

        `merged` leaves stderr to the stdout pipe. A single string is a command line, for
        Windows alone. `cwd` is a real path: the child starts in the very directory that bears
        it, or not at all. The session that `env` names is the mark by which all that descends
        from the child is known. Raises FolderMoved, or OSError or ValueError when the program
        cannot be started. Cancellation waits until the child is known: none is left unnamed.
        """
        start = partial(
            trio.lowlevel.open_process,
            argv if isinstance(argv, str) else list(argv),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if merged else subprocess.PIPE,
            env=dict(env),
        )
        with trio.CancelScope(shield=True):
            self._starting += 1
            try:
                process, enclosure = await _started(start, cwd, env.get(SESSION_VARIABLE))
                self._children[process.pid] = process
            finally:
                self._starting -= 1
        row = linux_row(process.pid, dead_too=True) if sys.platform == "linux" else row_of(process.pid)
        started = 0 if row is None else row.started  # 0: it has ended, and matches nothing that lives
        return Child(process, identity(process.pid, started), enclosure)

    async def end(self, child: Child, session_id: str, grace_s: float | None = None) -> bool:
        """End what is left of a child of ours and its tree; True when something lived."""
        grace = self._grace_s if grace_s is None else grace_s
        if child.enclosure is not None:
            lived = await self._end(child.enclosure.strike, grace)
            child.enclosure.close()
            return lived
        lived = await self._end(Kin(child.identity, session_id, just_ended=True).strike, grace)
        if self._adopting:
            await self._reap()
        return lived

    async def kill(self, process: ProcessIdentity | None, session_id: str | None) -> bool:
        """End an agent of an earlier life of the service with its tree; True when something lived.

        It is found by its identity, and by its session's mark, and by its session's id in
        arguments and environments. A process of another host is not touched.
        """
        return await self._end(Kin(process, session_id, just_ended=False).strike, self._grace_s)

    async def _end(self, strike: Callable[[bool], Collection[int]], grace: float) -> bool:
        begun = trio.current_time()
        lived, pause = False, 0.01
        while True:
            by_force = trio.current_time() >= begun + grace
            members = await trio.to_thread.run_sync(strike, by_force)
            if not members:
                return lived
            lived = True
            if trio.current_time() >= begun + grace + self._patience_s:
                raise TreeSurvives(members)
            await trio.sleep(pause)
            pause = min(pause * 1.5, 0.2)

    async def _reap(self) -> None:
        """Wait for dead orphans. What is found while a child is being started may be that child."""
        starting = self._starting
        found = await trio.to_thread.run_sync(orphans.dead_orphans)
        if starting or self._starting:
            return  # the next end sees them
        self._children = {pid: child for pid, child in self._children.items() if child.returncode is None}
        orphans.reap(found, self._children)


if sys.platform == "win32":

    async def _started(
        start: Callable[..., Any], cwd: str, session_id: str | None
    ) -> tuple[trio.Process, Enclosure | None]:
        """The child, inside its job before it runs a line."""
        flags = subprocess.CREATE_NEW_PROCESS_GROUP | CREATE_SUSPENDED
        if not has_console():
            flags |= subprocess.CREATE_NO_WINDOW
        await trio.to_thread.run_sync(compare_again, cwd)
        process = await start(cwd=cwd, creationflags=flags)
        try:
            return process, Job(process.pid)
        except BaseException:
            process.kill()
            await process.wait()
            raise

else:

    async def _started(
        start: Callable[..., Any], cwd: str, session_id: str | None
    ) -> tuple[trio.Process, Enclosure | None]:
        """The child, in its folder and marked."""
        handle = await trio.to_thread.run_sync(held_folder, cwd)
        try:
            return await start(**beginning(handle, session_id), start_new_session=True), None
        finally:
            os.close(handle)
