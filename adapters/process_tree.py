"""A child process with all that it starts: spawned apart, known beyond doubt, ended whole.

Everything here expects a process to vanish between two lines. A zombie is dead. A pid
is never signalled unless its start time and boot are those that we remember.
"""

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, Final

import psutil
import trio

from handlers.agent_call import SESSION_VARIABLE
from schemas.process import ProcessIdentity
from schemas.shown import shown

_MOVED: Final = (
    "The working directory {} is no longer the folder that was checked: a part of it is gone or a link."
)


class TreeSurvives(Exception):
    """Processes that live on after SIGKILL: not ours to kill, or stuck inside the kernel."""

    def __init__(self, pids: Iterable[int]) -> None:
        self.pids = tuple(sorted(pids))
        super().__init__(f"could not be ended: process {', '.join(map(str, self.pids))}")


class FolderMoved(OSError):
    """The working directory is no longer what its path said when it was checked; the text is a sentence."""


@dataclass(frozen=True, slots=True)
class Row:
    """One living process as the system's table shows it; `group` and `session` are 0 on Windows."""

    pid: int
    parent: int
    group: int
    session: int
    started: int


@dataclass(frozen=True)
class Child:
    process: trio.Process
    identity: ProcessIdentity


def boot_id() -> str:
    """What tells this boot of the machine from every other."""
    if sys.platform == "linux":
        try:
            return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        except OSError:  # some sandboxes hide it
            return str(int(psutil.boot_time()))
    return str(int(psutil.boot_time()))


def identity_of(pid: int) -> ProcessIdentity | None:
    """Who has this pid now; None when nobody has, or a zombie."""
    row = _row(pid)
    return None if row is None else ProcessIdentity(pid=pid, started=row.started, boot_id=boot_id())


def alive(process: ProcessIdentity) -> bool:
    """Whether this very process, not only its pid, lives."""
    row = _row(process.pid)
    return row is not None and row.started == process.started and boot_id() == process.boot_id


def _linux_row(pid: int, dead_too: bool = False) -> Row | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    # The second field is the program's name in brackets: it may hold spaces and brackets.
    fields = stat[stat.rfind(b")") + 2 :].split()
    if len(fields) < 20:
        return None
    # A zombie whose other threads still run is not dead yet.
    if fields[0] in b"ZXx" and int(fields[17]) <= 1 and not dead_too:
        return None
    return Row(pid, int(fields[1]), int(fields[2]), int(fields[3]), int(fields[19]))


def _psutil_row(pid: int) -> Row | None:
    try:
        process = psutil.Process(pid)
        with process.oneshot():
            if process.status() == psutil.STATUS_ZOMBIE:
                return None
            started = round(process.create_time() * 1_000_000)
            parent = process.ppid()
        if sys.platform == "win32":
            return Row(pid, parent, 0, 0, started)
        return Row(pid, parent, os.getpgid(pid), os.getsid(pid), started)
    except (psutil.Error, OSError):
        return None


def _row(pid: int) -> Row | None:
    return _linux_row(pid) if sys.platform == "linux" else _psutil_row(pid)


def _table() -> dict[int, Row]:
    rows = (_row(pid) for pid in psutil.pids())
    return {row.pid: row for row in rows if row is not None}


def _says(pid: int, session_id: str) -> bool:
    """Whether a process names the session by an argument or in its environment."""
    try:
        if sys.platform == "linux":  # psutil would decode all of it, for every process there is
            place = Path(f"/proc/{pid}")
            words = (place / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
            wanted = f"{SESSION_VARIABLE}={session_id}".encode()
            mine = wanted in (place / "environ").read_bytes().split(b"\0")
        else:
            process = psutil.Process(pid)
            words = process.cmdline()
            mine = process.environ().get(SESSION_VARIABLE) == session_id
    except (psutil.Error, OSError, ValueError):
        return False  # gone meanwhile, or another user's
    return mine or any(word == session_id or word.endswith("=" + session_id) for word in words)


def _of_session(session_id: str, rows: Mapping[int, Row], since: int) -> set[int]:
    """The processes begun at `since` or later that say they are this session's.

    Ourselves and those who started us are never among them.
    """
    ours, pid = set[int](), os.getpid()
    while pid and pid not in ours:
        ours.add(pid)
        pid = rows[pid].parent if pid in rows else 0
    candidates = (row.pid for row in rows.values() if row.started >= since and row.pid not in ours)
    return {pid for pid in candidates if _says(pid, session_id)}


if sys.platform == "win32":

    def _compare_again(path: str) -> None:
        """No directory can be handed over here: look right before the start. Raises FolderMoved."""
        try:
            real = Path(path).resolve(strict=True)
        except OSError as trouble:
            raise FolderMoved(_MOVED.format(shown(path))) from trouble
        if real != Path(path):
            raise FolderMoved(_MOVED.format(shown(path)))

else:

    def _held_folder(path: str) -> int:
        """A descriptor of the directory that bears this real path: no link is followed on the way.

        POSIX. Raises FolderMoved where a part of it is a link or gone, OSError for any other trouble.
        """
        # O_PATH: a folder that may be passed through need not be one that may be listed
        flags = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC | getattr(os, "O_PATH", os.O_RDONLY)
        pure = PurePosixPath(path)
        if not pure.is_absolute() or ".." in pure.parts:
            raise ValueError(f"{path!r} is no real path")
        handle = os.open("/", flags)
        for part in pure.parts[1:]:
            above = handle
            try:
                handle = os.open(part, flags, dir_fd=above)
            except OSError as trouble:
                if trouble.errno in (errno.ELOOP, errno.ENOTDIR, errno.ENOENT):
                    raise FolderMoved(_MOVED.format(shown(path))) from trouble
                raise
            finally:
                os.close(above)
        return handle

    def _in_folder(handle: int) -> dict[str, Any]:
        """The arguments that start a child in a directory held by a descriptor."""
        held = f"/proc/self/fd/{handle}"
        if Path(held).exists():
            return {"cwd": held}
        return {"preexec_fn": partial(os.fchdir, handle)}  # no /proc: macOS, some sandboxes


class _Tree:
    """A process and its kin, looked up anew at each step while they are being ended."""

    def __init__(self, root: ProcessIdentity | None, session_id: str | None, just_ended: bool) -> None:
        self._root = root if root is not None and root.boot_id == boot_id() else None
        self._session_id = session_id
        # pids that lead a process group or session: the system gives such a number to
        # nobody else while the group lasts, so it still names the kin of a dead leader.
        self._leaders: dict[int, int] = {}
        if self._root is not None and just_ended:
            self._leaders[self._root.pid] = self._root.started

    def members(self) -> dict[int, Row]:
        """All that lives of it now."""
        rows = _table()
        root = self._root
        found = set[int]()
        if self._session_id is not None:
            found = _of_session(self._session_id, rows, 0 if root is None else root.started)
        if root is not None and root.pid in rows and rows[root.pid].started == root.started:
            found.add(root.pid)
        for leader, started in list(self._leaders.items()):
            if leader in rows and rows[leader].started != started:
                del self._leaders[leader]  # the number has been given out again
        while True:
            for pid in found:
                if pid in (rows[pid].group, rows[pid].session):
                    self._leaders[pid] = rows[pid].started
            more = {
                row.pid
                for row in rows.values()
                if (row.parent in found and rows[row.parent].started <= row.started)
                or row.group in self._leaders
                or row.session in self._leaders
            } - found
            if not more:
                break
            found |= more
        found.discard(os.getpid())
        return {pid: rows[pid] for pid in found}


def _signal(row: Row, by_force: bool) -> None:
    """Ask the process to end, or end it by force; nothing when it is no longer that process."""
    try:
        if sys.platform == "win32":
            process = psutil.Process(row.pid)
            if round(process.create_time() * 1_000_000) == row.started:
                process.kill()
        else:
            number = signal.SIGKILL if by_force else signal.SIGTERM
            if sys.platform != "linux" or not _signal_held(row, number):
                now = _row(row.pid)
                if now is not None and now.started == row.started:
                    os.kill(row.pid, number)
    except (psutil.Error, OSError):
        return  # gone meanwhile; what may not be killed is found alive at the end and named


def _signal_held(row: Row, number: int) -> bool:
    """Linux: hold the process by a descriptor while its start time is compared.

    False where this cannot be done: an old kernel, a sandbox, or the process has gone.
    """
    if sys.platform != "linux":
        return False
    try:
        handle = os.pidfd_open(row.pid)
    except OSError:
        return False
    try:
        now = _linux_row(row.pid)
        if now is not None and now.started == row.started:
            signal.pidfd_send_signal(handle, number)
    finally:
        os.close(handle)
    return True


def _strike(tree: _Tree, by_force: bool, already: set[tuple[int, int]]) -> dict[int, Row]:
    """Signal all that lives of the tree, politely only once each; returns what lived."""
    members = tree.members()
    for row in members.values():
        if by_force or (row.pid, row.started) not in already:
            _signal(row, by_force)
            already.add((row.pid, row.started))
    return members


class ProcessTrees:
    """Starts children and ends them with all that they started.

    `grace_s` lies between the polite signal and the hard one; after the hard one a tree
    that still lives for `patience_s` raises `TreeSurvives`.
    """

    def __init__(self, grace_s: float = 5.0, patience_s: float = 10.0) -> None:
        self._grace_s = grace_s
        self._patience_s = patience_s

    def own(self) -> ProcessIdentity:
        """The identity of this very process."""
        identity = identity_of(os.getpid())
        if identity is None:
            raise RuntimeError("the system's process table does not show this process")
        return identity

    async def spawn(self, argv: Sequence[str], cwd: str, env: Mapping[str, str]) -> Child:
        """Start a program apart from our terminal and group, its three streams as pipes.

        `cwd` is a real path: the child starts in the very directory that bears it, or not at
        all. Raises FolderMoved, or OSError or ValueError when the program cannot be started.
        Cancellation waits until the child is known: none is ever left unnamed.
        """
        start = partial(
            trio.lowlevel.open_process,
            list(argv),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(env),
        )
        with trio.CancelScope(shield=True):
            if sys.platform == "win32":
                flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
                await trio.to_thread.run_sync(_compare_again, cwd)
                process = await start(cwd=cwd, creationflags=flags)
            else:
                handle = await trio.to_thread.run_sync(_held_folder, cwd)
                try:
                    process = await start(**_in_folder(handle), start_new_session=True)
                finally:
                    os.close(handle)
        row = _linux_row(process.pid, dead_too=True) if sys.platform == "linux" else _row(process.pid)
        started = 0 if row is None else row.started  # 0: it has ended, and matches nothing that lives
        return Child(process, ProcessIdentity(pid=process.pid, started=started, boot_id=boot_id()))

    async def end(self, child: Child, session_id: str, grace_s: float | None = None) -> bool:
        """End what is left of a child of ours and its tree; True when something lived."""
        return await self._end(_Tree(child.identity, session_id, just_ended=True), grace_s)

    async def kill(self, process: ProcessIdentity | None, session_id: str | None) -> bool:
        """End an agent of an earlier life of the service with its tree; True when something lived.

        It is found by its identity, and by its session's id in arguments and environments.
        """
        return await self._end(_Tree(process, session_id, just_ended=False), None)

    async def _end(self, tree: _Tree, grace_s: float | None) -> bool:
        grace = self._grace_s if grace_s is None else grace_s
        begun = trio.current_time()
        lived, pause, asked = False, 0.01, set[tuple[int, int]]()
        while True:
            by_force = trio.current_time() >= begun + grace
            members = await trio.to_thread.run_sync(_strike, tree, by_force, asked)
            if not members:
                return lived
            lived = True
            if trio.current_time() >= begun + grace + self._patience_s:
                raise TreeSurvives(members)
            await trio.sleep(pause)
            pause = min(pause * 1.5, 0.2)
