"""The real program for tests: a home with the recorded agent, verbs as processes, a service beside them."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from adapters.demo_home import agent_setting
from adapters.home_making import make_home
from eventstore.event import Recorded
from eventstore.sqlite.log import SqliteLog

PATIENCE_S = 60.0


def home_at(root: Path, settings: str = "") -> Path:
    home = make_home(root, register=False).root
    (home / ".env").write_text(agent_setting() + settings, encoding="utf-8", newline="\n")
    return home


def command(*words: str) -> list[str]:
    return [sys.executable, "-P", "-m", "adapters.cli", *words]


def environment(**more: str) -> dict[str, str]:
    """This process's own without what would change a verb's mind."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("EVT_", "CLAUDE"))}
    return {**kept, "PYTHONPATH": str(Path(__file__).parents[1]), **more}


def evt(home: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*command(*words), "--home", str(home)],
        capture_output=True,
        encoding="utf-8",
        check=False,
        env=environment(**more),
        timeout=60,
    )


def folder(home: Path, name: str = "shop") -> Path:
    """A working directory with one file in it."""
    made = home / "shops" / name
    made.mkdir(parents=True, exist_ok=True)
    (made / "price.txt").write_text("one\n", encoding="utf-8", newline="\n")
    return made


def task_text(cwd: Path, new: str = "two", **front: str) -> str:
    lines = {"type": "bug_fix", "cwd": f"'{cwd}'", **front}
    head = "\n".join(f"{key}: {value}" for key, value in lines.items())
    return f"---\n{head}\n---\n# Mend it\n\n**Prompt:**\nMend it.\nRECORDED-EDIT: price.txt: one => {new}\n"


def drop(home: Path, name: str, text: str) -> None:
    """As a producer should: another name first, then a rename."""
    hidden = home / "tasks" / f".{name}.tmp"
    hidden.write_text(text, encoding="utf-8", newline="\n")
    hidden.replace(home / "tasks" / f"{name}.task.md")


def events(home: Path, after: int = 0) -> list[Recorded]:
    log = SqliteLog(home / "logs" / "events.db", read_only=True)
    try:
        return list(log.all(after))
    finally:
        log.close()


def until(home: Path, seen: Callable[[Recorded], bool], after: int = 0) -> Recorded:
    """Wait for an event past `after`."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        for event in events(home, after):
            if seen(event):
                return event
        time.sleep(0.01)
    raise AssertionError(f"not seen; the log ends with {[event.type for event in events(home)][-5:]}")


@contextmanager
def running(home: Path, *words: str, **more: str) -> Iterator[subprocess.Popen[bytes]]:
    """A service that is killed at the end if it has not ended by itself."""
    with (home / "service.txt").open("ab") as said:
        service = subprocess.Popen(
            [*command("run", *words), "--home", str(home)], stdout=said, stderr=said, env=environment(**more)
        )
        try:
            yield service
        finally:
            service.kill()
            service.wait()
