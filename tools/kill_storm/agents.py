"""The agents that live now, found by their sessions: so not one is missed, and none of anybody else's."""

from collections.abc import Mapping
from dataclasses import dataclass

import psutil

from handlers.agent_call import SESSION_VARIABLE


@dataclass(frozen=True)
class Living:
    process: psutil.Process
    session_id: str
    task: str


def living(tasks: Mapping[str, str]) -> list[Living]:
    """Processes that name one of these sessions (session → task) in their environment or arguments."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                continue
            said = {word.rpartition("=")[2] for word in process.cmdline()}
            said.add(process.environ().get(SESSION_VARIABLE, ""))
        except (psutil.Error, OSError):
            continue  # gone meanwhile, or another user's
        found += [Living(process, session_id, tasks[session_id]) for session_id in said & tasks.keys()]
    return found


def doubled(agents: list[Living]) -> dict[str, list[int]]:
    """Tasks that have two agents, all of which live after they were listed: task → pids."""
    by_task: dict[str, set[psutil.Process]] = {}
    for agent in agents:
        by_task.setdefault(agent.task, set()).add(agent.process)
    found = {}
    for task, processes in by_task.items():
        # One that ended while we read the table may have made room for the other.
        still = sorted(process.pid for process in processes if len(processes) > 1 and _lives(process))
        if len(still) > 1:
            found[task] = still
    return found


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
