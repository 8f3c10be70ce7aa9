"""The storm itself: a home full of tasks, a service that is started again at once, and the dice."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from adapters.demo_home import NO_MODEL, agent_setting
from adapters.home_making import make_home
from eventstore.event import Recorded
from eventstore.sqlite.log import SqliteLog
from schemas import names
from tools.kill_storm.agents import Living, doubled, living

ROOT = Path(__file__).resolve().parents[2]
SERVICE_KILLED = "kill -9 of the service"
SERVICE_STOPPED = "the service stopped for 1 s"
AGENT_KILLED = "kill -9 of an agent"
AGENT_TOLD = "kill -15 of an agent"
KINDS = (SERVICE_KILLED, SERVICE_STOPPED, AGENT_KILLED, AGENT_TOLD)
WEIGHTS = (5, 1, 2, 2)
PAUSE_MS = 200
LOOK_S = 0.15
DRAIN_LIMIT_S = 900.0
FOLDERS_SHARE = 3
"""So many tasks have a directory together."""


@dataclass(frozen=True)
class Blow:
    """`time` is in µs since 1970; `task` is "" where the service was hit."""

    kind: str
    time: int
    task: str = ""


@dataclass
class Told:
    """What came of a storm, beside what stands in the home."""

    blows: list[Blow] = field(default_factory=list)
    starts: int = 0
    wrong: list[str] = field(default_factory=list)


class StormHome:
    """A home, and working directories in which each task has one mark to change: `[7]` into `[7]x`."""

    def __init__(self, root: Path, tasks: int) -> None:
        self.root = make_home(root, register=False).root
        settings = agent_setting() + NO_MODEL
        (self.root / ".env").write_text(settings, encoding="utf-8", newline="\n")
        self.tasks = tasks
        for number in range(tasks):
            folder = self.folder(number)
            folder.mkdir(parents=True, exist_ok=True)
            with (folder / "marks.txt").open("a", encoding="utf-8", newline="\n") as file:
                file.write(f"[{number}]\n")

    def folder(self, number: int) -> Path:
        return self.root / "shops" / f"shop-{number // FOLDERS_SHARE}"

    def drop(self, number: int) -> None:
        text = (
            f"---\ntype: bug_fix\ncwd: '{self.folder(number)}'\n---\n# Mark {number}\n\n**Prompt:**\n"
            f"Mark it.\nRECORDED-EDIT: marks.txt: [{number}] => [{number}]x\n"
        )
        hidden = self.root / "tasks" / f".{task_of(number)}.tmp"
        hidden.write_text(text, encoding="utf-8", newline="\n")
        hidden.replace(self.root / "tasks" / f"{task_of(number)}.task.md")

    def events(self, types: frozenset[str] | None = None) -> list[Recorded]:
        with closing(SqliteLog(self.root / "logs" / "events.db", read_only=True)) as log:
            return list(log.all(types=types))

    def sessions(self) -> dict[str, str]:
        """Every session that was ever begun → its task."""
        begun = self.events(frozenset({names.TURN_STARTED}))
        return {event.data["session_id"]: event.stream.removeprefix("task-") for event in begun}

    def evt(self, *words: str) -> list[str]:
        return [sys.executable, "-P", "-m", "adapters.cli", *words, "--home", str(self.root)]

    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("EVT_", "CLAUDE"))}
        return {**kept, "PYTHONPATH": str(ROOT), "CLAUDE_CODE_RECORDED_PAUSE_MS": str(PAUSE_MS)}


def task_of(number: int) -> str:
    return f"mark-{number}"


class Storm:
    """POSIX: it needs signals that Windows does not have."""

    def __init__(self, home: StormHome, dice: random.Random, workers: int) -> None:
        self._home = home
        self._dice = dice
        self._words = home.evt("run", "--quiet", "--workers", str(workers))
        self._service: subprocess.Popen[bytes] | None = None
        self.told = Told()

    def run(self, seconds: float) -> Told:
        """Rage for so long, then let the service drain what is left."""
        numbers = list(range(self._home.tasks))
        for _ in range((len(numbers) + 1) // 2):
            self._home.drop(numbers.pop())
        until = time.monotonic() + seconds
        try:
            self._start()
            while time.monotonic() < until:
                self._wait(self._dice.uniform(0.05, 1.5))
                if numbers and self._dice.random() < 0.6:
                    self._home.drop(numbers.pop())
                self._strike(self._dice.choices(KINDS, WEIGHTS)[0])
        finally:
            self._end()
        for number in numbers:
            self._home.drop(number)
        self._drain()
        # The service cannot know that it was killed from outside: what was at work each time is paused.
        if held := self._home.events(frozenset({names.TASK_PAUSED})):
            self._evt("resume", *sorted({event.stream.removeprefix("task-") for event in held}))
            self._drain()
        return self.told

    def _start(self) -> None:
        with (self._home.root / "service.txt").open("ab") as said:
            self._service = subprocess.Popen(
                self._words, stdout=said, stderr=said, env=self._home.environment()
            )
        self.told.starts += 1

    def _end(self) -> None:
        if self._service is not None:
            self._service.kill()
            self._service.wait()
            self._service = None

    def _wait(self, seconds: float) -> None:
        """Look at the agents meanwhile: no task may ever have two."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self._agents()
            time.sleep(LOOK_S)
        if self._service is not None and self._service.poll() is not None:
            code, said = self._service.returncode, self._last_words()
            self.told.wrong.append(f"the service ended by itself with {code}: {said}")
            self._start()

    def _last_words(self) -> str:
        return (self._home.root / "service.txt").read_text(encoding="utf-8", errors="replace")[-500:]

    def _agents(self) -> Sequence[Living]:
        found = living(self._home.sessions())
        for task, pids in doubled(found).items():
            self.told.wrong.append(f"{task} had two agents at once: {pids}")
        return found

    def _strike(self, kind: str) -> None:
        if kind in (AGENT_KILLED, AGENT_TOLD):
            self._strike_agent(kind)
        elif self._service is not None:
            self.told.blows.append(Blow(kind, _now()))
            if kind == SERVICE_KILLED:
                self._end()
                self._start()
            elif sys.platform != "win32":
                self._service.send_signal(signal.SIGSTOP)
                time.sleep(1.0)
                self._service.send_signal(signal.SIGCONT)

    def _strike_agent(self, kind: str) -> None:
        agents = self._agents()
        if not agents:
            return
        victim = self._dice.choice(sorted(agents, key=lambda agent: agent.process.pid))
        self.told.blows.append(Blow(kind, _now(), victim.task))
        try:
            # Where the pid has been given out again nothing is signalled.
            victim.process.send_signal(signal.SIGTERM if kind == AGENT_TOLD else signal.Signals(9))
        except psutil.NoSuchProcess:
            self.told.blows.pop()

    def _drain(self) -> None:
        self.told.starts += 1
        self._evt("run", "--drain", "--drain-wait", "600", "--quiet")

    def _evt(self, *words: str) -> None:
        ended = subprocess.run(
            self._home.evt(*words),
            capture_output=True,
            encoding="utf-8",
            check=False,
            env=self._home.environment(),
            timeout=DRAIN_LIMIT_S,
        )
        if ended.returncode != 0:
            self.told.wrong.append(f"evt {words[0]} ended with {ended.returncode}: {ended.stderr[-500:]}")


def _now() -> int:
    return time.time_ns() // 1000


def noticed(blows: Sequence[Blow], events: Sequence[Recorded]) -> Iterator[float]:
    """Seconds from an agent's death to the task's return to its queue, where the service lived on."""
    service = [blow.time for blow in blows if not blow.task]
    for blow in blows:
        if not blow.task:
            continue
        stream = names.task_stream(blow.task)
        after = (event for event in events if event.stream == stream and event.time >= blow.time)
        end = next((event for event in after if event.type == names.TASK_INTERRUPTED), None)
        if end is None or not end.data["agent_died"]:
            continue
        if not any(blow.time <= moment <= end.time for moment in service):
            yield (end.time - blow.time) / 1_000_000
