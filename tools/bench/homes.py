"""Homes to measure on: an environment that is nobody's, a service, the time its events took."""

import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from adapters.demo_home import NO_MODEL
from adapters.home_making import make_home
from eventstore.event import Recorded
from eventstore.sqlite.log import SqliteLog
from schemas import names

KEPT = ("SYSTEMROOT", "SYSTEMDRIVE", "COMSPEC", "PATHEXT", "TEMP", "TMP", "NUMBER_OF_PROCESSORS")
"""What a program on Windows does not start without."""

ASIDE = frozenset({names.ARTIFACT_WRITTEN, names.TASK_ARCHIVED})
"""What other hands write meanwhile."""


def environment(user: Path, more: Mapping[str, str]) -> dict[str, str]:
    """All that a measured program sees: nothing of the one who measures."""
    user.mkdir(parents=True, exist_ok=True)
    path = os.environ.get("PATH", "") if sys.platform == "win32" else os.defpath
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    return {
        **kept,
        "PATH": path,
        "HOME": str(user),
        "USERPROFILE": str(user),
        "APPDATA": str(user),
        "XDG_CONFIG_HOME": str(user),
        **more,
    }


@dataclass(frozen=True)
class BenchHome:
    """A new home whose agent is `executable`; its service runs in the environment `environ`."""

    root: Path
    environ: Mapping[str, str]

    @classmethod
    def make(cls, root: Path, executable: Path, environ: Mapping[str, str]) -> "BenchHome":
        made = make_home(root, register=False).root
        settings = f"CLAUDE_EXECUTABLE='{executable}'\n{NO_MODEL}"
        (made / ".env").write_text(settings, encoding="utf-8", newline="\n")
        return cls(made, environ)

    def folder(self, number: int) -> Path:
        """Where one task works: each has its own, or they would wait for each other."""
        return self.root / "play" / f"{number:05}"

    def drop(self, number: int, prompt: str) -> None:
        """Lay a task's file into the inbox."""
        self.folder(number).mkdir(parents=True)
        head = f"---\ntype: analyze\ncwd: '{self.folder(number)}'\n---\n"
        text = f"{head}# Task {number}\n\n**Prompt:**\n{prompt}\n"
        place = self.root / "tasks" / f"task-{number:05}.task.md"
        place.write_text(text, encoding="utf-8", newline="\n")

    def evt(self, *words: str) -> "subprocess.Popen[bytes]":
        """Start `evt`; what it says is thrown away."""
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "adapters.cli", *words, "--home", str(self.root)],
            cwd=self.root,
            env=dict(self.environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def events(self, after: int = 0) -> list[Recorded]:
        log = SqliteLog(self.root / "logs" / "events.db", read_only=True)
        try:
            return list(log.all(after))
        finally:
            log.close()


def steps(events: Sequence[Recorded]) -> dict[str, float]:
    """How long each step of a task takes from its claim to its end (median, ms)."""
    found: defaultdict[str, list[float]] = defaultdict(list)
    before: dict[str, Recorded] = {}
    for event in events:
        earlier = before.get(event.stream)
        if event.type == names.TASK_CLAIMED:
            before[event.stream] = event
        elif earlier is not None and event.type not in ASIDE:
            found[f"{named(earlier)} → {named(event)}"].append((event.time - earlier.time) / 1000)
            before[event.stream] = event
    return {step: median(times) for step, times in found.items() if 2 * len(times) >= len(before)}


def named(event: Recorded) -> str:
    phase = event.data.get("phase")
    return event.type if phase is None else f"{event.type} ({phase})"
