"""Orphans that became our children: whose parent ended, and whose nearest subreaper we are.

Living ones are ended with the tree whose mark they bear. Dead ones are waited for here, or
they would fill the table of processes; but never a process that a part of this program
started itself, for whoever started it waits for it.
"""

import os
import sys
from collections.abc import Collection, Iterable

from adapters.process_tree.mark import bears_any, limits_of
from adapters.process_tree.rows import Row, dead_children, linux_row
from adapters.process_tree.start import subreaper


def adopt_orphans() -> bool:
    """Make this process the parent of its orphaned descendants; False where that cannot be."""
    return sys.platform == "linux" and subreaper()()


def dead_orphans() -> list[Row]:
    """Our dead children that another process started, and those that our agents' starter started.

    Whoever bears a mark descends from an agent. Whoever is in a session that is neither ours nor
    its own has not been started here, either: a new child is in ours, or leads one.
    """
    if sys.platform != "linux":
        return []
    own = limits_of(os.getpid())
    session = os.getsid(0)
    return [
        row for row in dead_children() if row.session not in (session, row.pid) or bears_any(row.limits, own)
    ]


def reap(orphans: Iterable[Row], started_here: Collection[int]) -> None:
    """Wait for each that is still the same dead child, but for those who are waited for elsewhere."""
    if sys.platform == "win32":
        return
    for row in orphans:
        if row.pid in started_here or linux_row(row.pid, dead_too=True) != row:
            continue
        try:
            os.waitpid(row.pid, os.WNOHANG)
        except ChildProcessError:
            continue  # somebody was faster
