"""Work H: what a service with nothing to do costs: `evt run`, without bot and page, beside `sleep`."""

import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

import psutil

from schemas import names
from tools.bench.homes import BenchHome, environment
from tools.bench.table import Table, spread

SLICES: Final = 6
START_LIMIT_S: Final = 60.0
STOP_LIMIT_S: Final = 60.0
GOAL_PERCENT: Final = 0.5
GOAL_MIB: Final = 80.0


class NotStarted(Exception):
    """The service did not come up."""


@dataclass(frozen=True)
class Cost:
    """Percent of a core, slice by slice, and the most memory that was resident (MiB)."""

    percents: tuple[float, ...]
    mib: float


def measure(seconds: float, settle_s: float) -> Table:
    """Both at the same time; what the machine does beside them hits both."""
    with tempfile.TemporaryDirectory(prefix="evt-bench-") as name:
        folder = Path(name).resolve()
        home = BenchHome.make(folder / "home", Path(sys.executable), environment(folder / "user", {}))
        with serving(home) as service, _sleeping(seconds + settle_s) as sleeper:
            time.sleep(settle_s)
            service_cost, sleep_cost = _costs((service, sleeper), seconds)
    rows = [
        _row("evt run", service_cost, (GOAL_PERCENT, GOAL_MIB)),
        _row("sleep", sleep_cost, (None, None)),
    ]
    columns = ("what", "% of a core", "spread", "goal %", "MiB", "goal MiB")
    return Table(f"Idle for {seconds:g} s", columns, rows)


def _row(what: str, cost: Cost, goals: tuple[float | None, float | None]) -> dict[str, str | float | None]:
    whole = sum(cost.percents) / len(cost.percents)
    return {
        "what": what,
        "% of a core": whole,
        "spread": spread(cost.percents),
        "median": median(cost.percents),
        "goal %": goals[0],
        "MiB": cost.mib,
        "goal MiB": goals[1],
    }


@contextmanager
def serving(home: BenchHome) -> Iterator[psutil.Process]:
    """A service that has started. Raises NotStarted."""
    process = home.evt("run", "--quiet")
    try:
        until = time.monotonic() + START_LIMIT_S
        while not any(event.type == names.ORCHESTRATOR_STARTED for event in home.events()):
            if process.poll() is not None:
                raise NotStarted(f"`evt run` did not start: it ended with exit code {process.returncode}")
            if time.monotonic() > until:
                raise NotStarted(f"`evt run` did not start within {START_LIMIT_S:g} s")
            time.sleep(0.2)
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(STOP_LIMIT_S)


@contextmanager
def _sleeping(seconds: float) -> Iterator[psutil.Process]:
    words = [sys.executable, "-I", "-c", "import sys, time; time.sleep(float(sys.argv[1]))"]
    process = psutil.Popen([*words, str(seconds + START_LIMIT_S)])
    try:
        yield process
    finally:
        process.kill()
        process.wait(STOP_LIMIT_S)


def _costs(processes: Sequence[psutil.Process], seconds: float) -> list[Cost]:
    percents: list[list[float]] = [[] for _ in processes]
    memory = [0.0 for _ in processes]
    for _ in range(SLICES):
        before = [_cpu_s(process) for process in processes]
        began = time.monotonic()
        time.sleep(seconds / SLICES)
        passed = time.monotonic() - began
        for place, process in enumerate(processes):
            percents[place].append(100 * (_cpu_s(process) - before[place]) / passed)
            memory[place] = max(memory[place], _resident(process) / 2**20)
    return [Cost(tuple(found), most) for found, most in zip(percents, memory, strict=True)]


def _cpu_s(process: psutil.Process) -> float:
    """CPU time of the process, with threads and children that have ended."""
    times = process.cpu_times()
    ended = times.children_user + times.children_system
    return _own_cpu_s(process) + float(ended) + sum(map(_of_child, process.children()))


def _of_child(child: psutil.Process) -> float:
    """One that has ended since it was listed counts with its parent's from the next look on."""
    try:
        return _cpu_s(child)
    except (OSError, psutil.NoSuchProcess):
        return 0.0


def _own_cpu_s(process: psutil.Process) -> float:
    if sys.platform == "linux":
        # The process's own clock, to the nanosecond: what /proc says is counted in hundredths of a second.
        return time.clock_gettime((~process.pid << 3) | 2)
    times = process.cpu_times()
    return float(times.user + times.system)


def _resident(process: psutil.Process) -> int:
    held = 0
    for one in (process, *process.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            held += one.memory_info().rss
    return held
