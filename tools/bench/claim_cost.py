"""What a long queue costs: the time of a task while 100, 1,000 or 10,000 others wait."""

import hashlib
import tempfile
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import Final

from adapters.automations.stamp import Stamp
from adapters.system_clock import SystemClock, SystemIds
from eventstore.event import NO_STREAM, Recorded
from eventstore.sqlite.log import SqliteLog
from handlers.dispatch import draft
from schemas import names
from schemas.task import QueueTask, TaskQueued, TaskReceived, TaskSpec
from tools.bench.agents import MeasuredAgent
from tools.bench.homes import BenchHome, environment
from tools.bench.idle import STOP_LIMIT_S
from tools.bench.table import Cell, Table, spread
from tools.bench.task_cost import PROMPT, WentWrong

FOLDERS: Final = 64
"""Tasks share these unless they are to share one: no two that are timed share any."""

WARM_UP: Final = 2
"""Tasks that are claimed while the service still starts."""

PATIENCE_S: Final = 600.0


def measure(agent: MeasuredAgent, queued: Sequence[int], tasks: int, *, one_folder: bool) -> Table:
    """Two workers; what is timed lies between one claim and the next. Raises WentWrong."""
    tasks = max(tasks, WARM_UP + 2)
    took = {length: _times(agent, length, tasks, one_folder=one_folder) for length in queued}
    least = fmean(took[queued[0]])
    rows: list[dict[str, Cell]] = [
        {
            "queued": length,
            "ms a task": fmean(times),
            "spread": spread(times),
            f"ratio to {queued[0]}": fmean(times) / least,
        }
        for length, times in took.items()
    ]
    where = "all in one directory" if one_folder else f"in {FOLDERS} directories"
    return Table(f"A task while others are queued {where}", tuple(rows[0]), rows)


def _times(agent: MeasuredAgent, length: int, tasks: int, *, one_folder: bool) -> list[float]:
    """Milliseconds from claim to claim."""
    with tempfile.TemporaryDirectory(prefix="evt-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name).resolve()
        environ = environment(folder / "user", agent.environ)
        home = BenchHome.make(folder / "home", agent.program, environ)
        _fill(home, length + tasks, 1 if one_folder else FOLDERS)
        service = home.evt("run", "--quiet", "--workers", "2")
        try:
            claimed = _claims(home, tasks, until=time.monotonic() + PATIENCE_S)
        finally:
            service.terminate()
            service.wait(STOP_LIMIT_S)
    return [(later.time - earlier.time) / 1000 for earlier, later in pairwise(claimed[WARM_UP:])]


def _claims(home: BenchHome, tasks: int, until: float) -> list[Recorded]:
    while time.monotonic() < until:
        found = [event for event in home.events() if event.type == names.TASK_CLAIMED]
        if len(found) >= tasks:
            return found[:tasks]
        time.sleep(0.5)
    raise WentWrong(f"{tasks} tasks were not claimed within {PATIENCE_S:.0f} s")


def _fill(home: BenchHome, tasks: int, folders: int) -> None:
    """Queue tasks by their events alone: the inbox would take minutes."""
    clock = SystemClock()
    stamp = Stamp(clock, SystemIds(clock.now))
    for number in range(folders):
        home.folder(number).mkdir(parents=True)
    log = SqliteLog(home.root / "logs" / "events.db")
    source = next(log.all()).envelope["source"]
    for number in range(tasks):
        command = QueueTask(**stamp("service"), task_id=f"task-{number:05}")
        cwd = str(home.folder(number % folders))
        spec = TaskSpec(
            title=f"Task {number}",
            task_type="analyze",
            agent="analyze",
            prompt=PROMPT,
            cwd=cwd,
            allowed_root=str(home.root),
        )
        received = TaskReceived(
            task_id=command.task_id,
            origin="cli",
            file_name=None,
            content_sha256=hashlib.sha256(str(number).encode()).hexdigest(),
            spec=spec,
        )
        queued = TaskQueued(
            priority="medium", cwd=cwd, waits_for=(), not_before=None, title=spec.title, task_type="analyze"
        )
        log.append(names.task_stream(command.task_id), draft(command, [received, queued], source), NO_STREAM)
    log.close()
