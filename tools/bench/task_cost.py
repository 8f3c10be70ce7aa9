"""Work G: what a task costs beside its agent: `evt run --drain` beside a loop that runs the same agent."""

import os
import subprocess
import tempfile
import time
import uuid
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Final, Protocol

from eventstore.event import Recorded
from handlers.agent_call import arguments, turn_environment
from handlers.ports.agent import AgentOrder
from handlers.tools import granted, offered
from schemas import names
from tools.bench.agents import MeasuredAgent
from tools.bench.homes import BenchHome, environment, steps
from tools.bench.peers import Job, Peer
from tools.bench.table import Cell, Table, ratios

PROMPT: Final = "Say that it is done, and nothing else."
GOAL: Final = 1.3
TASK_TYPE: Final = "analyze"


class WentWrong(Exception):
    """Something did not do its tasks: its time would mean nothing."""


class Contender(Protocol):
    """`run` does `tasks` tasks below an empty folder; the seconds from the first to the last."""

    at_once: int

    @property
    def name(self) -> str: ...

    def run(self, folder: Path, tasks: int) -> float: ...


@dataclass
class Loop:
    """What anybody would write: start the agent, wait for it, start the next."""

    agent: MeasuredAgent
    at_once: int
    name: str = "a loop"

    def run(self, folder: Path, tasks: int) -> float:
        orders = list(jobs(self.agent, folder, tasks))
        began = time.monotonic()
        with ThreadPoolExecutor(self.at_once) as pool:
            codes = list(pool.map(_start_and_wait, orders))
        passed = time.monotonic() - began
        if any(codes):
            raise WentWrong(f"the agent ended with exit code {max(codes)} in a plain loop")
        return passed


@dataclass
class Ours:
    """The whole of `evt run --drain`, from its start to its end, the files lying in the inbox."""

    agent: MeasuredAgent
    at_once: int
    name: str = "evt run --drain"
    events: list[Recorded] = field(default_factory=list)

    def run(self, folder: Path, tasks: int) -> float:
        environ = environment(folder / "user", self.agent.environ)
        home = BenchHome.make(folder / "home", self.agent.program, environ)
        for number in range(tasks):
            home.drop(number, PROMPT)
        began = time.monotonic()
        code = home.evt("run", "--drain", "--quiet", "--workers", str(self.at_once)).wait()
        passed = time.monotonic() - began
        self.events = home.events()
        succeeded = sum(event.type == names.TASK_SUCCEEDED for event in self.events)
        if code or succeeded != tasks:
            raise WentWrong(f"`evt run` ended with exit code {code}, and {succeeded} of {tasks} succeeded")
        return passed


@dataclass
class Theirs:
    """A peer that runs the same commands from its own queue."""

    agent: MeasuredAgent
    peer: Peer
    at_once: int

    @property
    def name(self) -> str:
        return self.peer.name

    def run(self, folder: Path, tasks: int) -> float:
        folder.mkdir(parents=True)
        return self.peer.run(list(jobs(self.agent, folder / "jobs", tasks)), self.at_once, folder)


def jobs(agent: MeasuredAgent, folder: Path, tasks: int) -> Iterator[Job]:
    """The calls that a worker would make: the same words, environment and prompt."""
    for number in range(tasks):
        place = folder / f"{number:05}"
        place.mkdir(parents=True)
        order = AgentOrder(
            session_id=str(uuid.uuid4()),
            cwd=str(place),
            prompt=PROMPT,
            tools=offered(TASK_TYPE),
            allowed=granted(TASK_TYPE),
            instructions=None,
            denied=(),
            max_turns=30,
            max_budget_usd=None,
            timeout_s=600.0,
        )
        yield Job(
            argv=[str(agent.program), *arguments(order, None, skip_permissions=False)],
            cwd=str(place),
            environ=turn_environment(environment(folder / "user", agent.environ), (), order.session_id),
            prompt=PROMPT,
        )


def _start_and_wait(job: Job) -> int:
    return subprocess.run(
        job.argv, cwd=job.cwd, env=dict(job.environ), input=job.prompt.encode(), stdout=subprocess.DEVNULL
    ).returncode


def measure(
    agent: MeasuredAgent, tasks: int, workers: Sequence[int], rounds: int, peers: Sequence[Peer]
) -> list[Table]:
    """All in turns, round by round; a first run of the agent is not counted. Raises WentWrong."""
    ours = [Ours(agent, at_once) for at_once in workers]
    contenders: list[Contender] = []
    for place, at_once in enumerate(workers):
        contenders += [Loop(agent, at_once), ours[place]]
        contenders += [Theirs(agent, peer, at_once) for peer in peers if peer.missing is None]
    took: defaultdict[int, list[float]] = defaultdict(list)
    used: defaultdict[int, list[float]] = defaultdict(list)
    with _folder() as folder:
        Loop(agent, 1).run(folder / "first", 1)
    for _ in range(rounds):
        for place, contender in enumerate(contenders):
            before = _cpu_of_children_s()
            with _folder() as folder:
                took[place].append(contender.run(folder / "run", tasks))
            used[place].append(_cpu_of_children_s() - before)
    goal = GOAL if agent.takes_time else None
    rows = [_row(contenders, took, used, place, tasks, goal) for place in range(len(contenders))]
    columns = (
        "what",
        "at once",
        "ratio to a loop",
        "spread",
        "to as many at once",
        "ms a task",
        "CPU ms",
        "goal",
    )
    notes = tuple(f"{peer.name}: {peer.missing}." for peer in peers if peer.missing is not None)
    title = f"{tasks} tasks with {agent.name}, {rounds} rounds in turns"
    return [Table(title, columns, rows, notes), _steps(ours[0])]


def _cpu_of_children_s() -> float:
    """What programs that have ended used; always 0 on Windows."""
    times = os.times()
    return times.children_user + times.children_system


def _row(
    contenders: Sequence[Contender],
    took: Mapping[int, list[float]],
    used: Mapping[int, list[float]],
    place: int,
    tasks: int,
    goal: float | None,
) -> dict[str, Cell]:
    contender = contenders[place]
    alike = next(
        number
        for number, one in enumerate(contenders)
        if isinstance(one, Loop) and one.at_once == contender.at_once
    )
    ratio, between = ratios(took[place], took[0])
    return {
        "what": contender.name,
        "at once": contender.at_once,
        "ratio to a loop": ratio,
        "spread": between,
        "to as many at once": ratios(took[place], took[alike])[0],
        "ms a task": 1000 * median(took[place]) / tasks,
        "CPU ms": 1000 * median(used[place]) / tasks,
        "goal": goal if isinstance(contender, Ours) and contender.at_once == 1 else None,
    }


def _steps(ours: Ours) -> Table:
    title = f"Where the time of a task goes, with {ours.at_once} at once (medians of the last round)"
    rows: list[dict[str, Cell]] = [{"step": step, "ms": took} for step, took in steps(ours.events).items()]
    return Table(title, ("step", "ms"), rows)


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="evt-bench-", ignore_cleanup_errors=True) as name:
        yield Path(name).resolve()
