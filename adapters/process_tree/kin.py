"""An agent's kin: found by every trait that it keeps, signalled one by one, ended whole.

A pid is never signalled unless its start time and boot are those that we remember.
"""

import os
import signal
import sys
from collections.abc import Collection, Mapping
from pathlib import Path

import psutil

from adapters.process_tree.mark import bears, limits_of, mark_of
from adapters.process_tree.rows import BRIEFLY, THOROUGHLY, Row, is_ours, linux_row, living, row_of
from handlers.agent_call import SESSION_VARIABLE
from schemas.process import ProcessIdentity


class Kin:
    """A process and its kin, looked up anew at each step while they are being ended."""

    def __init__(self, root: ProcessIdentity | None, session_id: str | None, just_ended: bool) -> None:
        self._root = root if root is not None and is_ours(root) else None
        self._session_id = session_id
        # pids that lead a process group or session: the system gives such a number to
        # nobody else while the group lasts, so it still names the kin of a dead leader.
        self._leaders: dict[int, int] = {}
        # Who belonged to it at an earlier look, whatever still tells so: pid and start time.
        self._known: dict[int, int] = {}
        self._asked: set[tuple[int, int]] = set()
        if self._root is not None:
            self._known[self._root.pid] = self._root.started
            if just_ended:
                self._leaders[self._root.pid] = self._root.started

    def strike(self, by_force: bool) -> Collection[int]:
        """Signal all that lives of the tree, politely only once each; returns who lived.

        All are found before the first is signalled: a child whose parent has gone is harder to find.
        """
        members = self._members(BRIEFLY) or self._members(THOROUGHLY)  # that nobody is left must be sure
        for row in members.values():
            if by_force or (row.pid, row.started) not in self._asked:
                _signal(row, by_force)
                self._asked.add((row.pid, row.started))
        if by_force and members:
            self._end_groups(members)
            self._chase()
        return members

    def _members(self, looks: int) -> dict[int, Row]:
        """All that lives of it now."""
        rows = living(looks)
        found = {pid for pid, started in self._known.items() if _is(rows.get(pid), started)}
        if self._session_id is not None:
            since = 0 if self._root is None else self._root.started
            found |= _of_session(self._session_id, rows, since)
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
        self._known.update((pid, rows[pid].started) for pid in found)
        return {pid: rows[pid] for pid in found}

    def _end_groups(self, members: Mapping[int, Row]) -> None:
        """End whole groups at a stroke: the kernel lets no member fork on its way out.

        One that forks and ends again and again is gone before it is signalled by its pid.
        """
        if sys.platform == "win32":
            return
        led = self._leaders.keys() - {os.getpgrp()}
        for row in members.values():
            now = row_of(row.pid) if row.group in led else None
            if now is not None and now.started == row.started and now.group == row.group:
                try:
                    os.killpg(row.group, signal.SIGKILL)
                except OSError:
                    continue  # gone meanwhile; who may not be killed is found alive at the end and named

    def _chase(self) -> None:
        """End, as soon as they are seen, those that fork, leave their group and end again and again."""
        if sys.platform != "linux" or self._session_id is None:
            return
        mark = mark_of(self._session_id)
        own = os.getpid()
        for pid in sorted(psutil.pids(), reverse=True):
            if pid != own and (row := linux_row(pid)) is not None and bears(limits_of(pid), mark):
                _signal(row, by_force=True)


def _is(row: Row | None, started: int) -> bool:
    return row is not None and row.started == started


def _of_session(session_id: str, rows: Mapping[int, Row], since: int) -> set[int]:
    """The processes begun at `since` or later that bear the session's mark or name it.

    Ourselves and those who started us are never among them.
    """
    ours, pid = set[int](), os.getpid()
    while pid and pid not in ours:
        ours.add(pid)
        pid = rows[pid].parent if pid in rows else 0
    mark = mark_of(session_id)
    candidates = [row for row in rows.values() if row.started >= since and row.pid not in ours]
    return {row.pid for row in candidates if bears(row.limits, mark) or _says(row.pid, session_id)}


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


def _signal(row: Row, by_force: bool) -> None:
    """Ask the process to end, or end it by force; nothing when it is no longer that process."""
    try:
        if sys.platform == "win32":
            process = psutil.Process(row.pid)
            if round(process.create_time() * 1_000_000) == row.started:
                process.kill()
        else:
            # One that is stopped hears the polite signal only when it goes on.
            for number in (signal.SIGKILL,) if by_force else (signal.SIGTERM, signal.SIGCONT):
                if sys.platform != "linux" or not _signal_held(row, number):
                    now = row_of(row.pid)
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
        now = linux_row(row.pid)
        if now is not None and now.started == row.started:
            signal.pidfd_send_signal(handle, number)
    finally:
        os.close(handle)
    return True
