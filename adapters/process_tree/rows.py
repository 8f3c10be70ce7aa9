"""Who lives on this machine now: the system's table of processes, and identities beyond doubt.

Everything here expects a process to vanish between two lines. A zombie is dead.
"""

import os
import platform
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import psutil

from adapters.process_tree.mark import Limits, limits_of
from schemas.process import ProcessIdentity

BRIEFLY: Final = 5
THOROUGHLY: Final = 200
"""So often the list of processes is read anew, at most, while it goes on changing."""

_CLOCK_DRIFT_S: Final = 120


@dataclass(frozen=True, slots=True)
class Row:
    """One process as the system's table shows it; `group` and `session` are 0 on Windows.

    `limits` is what its mark is read from, where the whole table was asked for.
    """

    pid: int
    parent: int
    group: int
    session: int
    started: int
    limits: Limits | None = field(default=None, compare=False)


def boot_id() -> str:
    """What tells this boot of the machine from every other."""
    if sys.platform == "linux":
        try:
            return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        except OSError:  # some sandboxes hide it
            return str(int(psutil.boot_time()))
    return str(int(psutil.boot_time()))


def _of_this_boot(said: str) -> bool:
    """Whether that boot is the one that lasts. A boot told by the clock moves when the clock is set."""
    now = boot_id()
    if said == now or not (said.isdecimal() and now.isdecimal()):
        return said == now
    return abs(int(said) - int(now)) <= _CLOCK_DRIFT_S


def is_ours(process: ProcessIdentity) -> bool:
    """Whether its pid means something here: it is of this host and boot."""
    return process.host in ("", platform.node()) and _of_this_boot(process.boot_id)


def identity(pid: int, started: int) -> ProcessIdentity:
    """The identity of a process of this host and boot."""
    return ProcessIdentity(pid=pid, started=started, boot_id=boot_id(), host=platform.node())


def identity_of(pid: int) -> ProcessIdentity | None:
    """Who has this pid now; None when nobody has, or a zombie."""
    found = row_of(pid)
    return None if found is None else identity(pid, found.started)


def alive(process: ProcessIdentity) -> bool | None:
    """Whether this very process, not only its pid, lives; None for one of another host.

    Nothing outlives its boot. A host that an identity does not name is this one.
    """
    if process.host not in ("", platform.node()):
        return None
    found = row_of(process.pid)
    return found is not None and found.started == process.started and is_ours(process)


def linux_row(pid: int, dead_too: bool = False) -> Row | None:
    """The row of a process; that of a zombie only where `dead_too` asks for it."""
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


def row_of(pid: int) -> Row | None:
    """The row of a living process; None where there is none."""
    return linux_row(pid) if sys.platform == "linux" else _psutil_row(pid)


def _marked(row: Row | None) -> Row | None:
    return row if row is None or sys.platform != "linux" else replace(row, limits=limits_of(row.pid))


def living(looks: int = BRIEFLY) -> dict[int, Row]:
    """All that lives now, and what began while we looked.

    A process that forks and ends again and again is met in no single look: between the
    list and the reading it has another pid. So the list is read anew until it is the same,
    and each one's mark is read with its row: later it might be gone.
    """
    rows: dict[int, Row] = {}
    seen: set[int] = set()
    for _ in range(looks):
        new = set(psutil.pids()) - seen
        if not new:
            break
        seen |= new
        # The newest first: they are the likeliest to be gone again.
        found = (_marked(row_of(pid)) for pid in sorted(new, reverse=True))
        rows.update({row.pid: row for row in found if row is not None})
    return rows


def dead_children() -> Iterator[Row]:
    """Linux: our own children that are dead and have not been reaped."""
    own = os.getpid()
    for pid in psutil.pids():
        row = linux_row(pid, dead_too=True)
        if row is not None and row.parent == own and linux_row(pid) is None:
            yield replace(row, limits=limits_of(pid))
