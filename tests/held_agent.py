"""The recorded agent, which stops at a wanted line until it is let go: it can be killed at a known place."""

import os
import sys
import time
from pathlib import Path

from adapters.recorded import agent as recorded_agent
from adapters.recorded.misbehaviour import Line, Mouth

ROOT = Path(__file__).resolve().parent.parent
BEFORE_THE_FIRST_LINE = "system"
AFTER_ITS_TOOL = "user"
BEFORE_ITS_RESULT = "result"


class Holding(Mouth):
    def say(self, line: Line) -> None:
        wanted = _place(Path.cwd())
        if wanted.is_file() and wanted.read_text(encoding="utf-8") == line.get("type"):
            held = _held(Path.cwd(), os.getpid())
            wanted.replace(held)
            while held.exists():
                time.sleep(0.02)
        super().say(line)


def _place(cwd: Path) -> Path:
    return cwd.parent / "held" / cwd.name


def _held(cwd: Path, pid: int) -> Path:
    return _place(cwd).with_name(f"{cwd.name}.held-{pid}")


def hold(cwd: Path, before: str) -> None:
    """The next agent there stops before it says such a line; only that one."""
    place = _place(cwd)
    place.parent.mkdir(exist_ok=True)
    hidden = place.with_name(f".{place.name}")
    hidden.write_text(before, encoding="utf-8", newline="\n")
    hidden.replace(place)


def is_held(cwd: Path, pid: int) -> bool:
    return _held(cwd, pid).exists()


def let_go(cwd: Path, pid: int) -> None:
    _held(cwd, pid).unlink()


def held_agent_setting(folder: Path) -> str:
    """The line of a home's `.env` that names this agent; its program is made in the folder. POSIX."""
    body = folder / "held_agent.py"
    body.write_text(
        f"import sys\nsys.path.insert(0, {str(ROOT)!r})\n"
        "from tests.held_agent import main\nraise SystemExit(main())\n",
        encoding="utf-8",
        newline="\n",
    )
    program = folder / "held-agent"
    program.write_text(
        f"#!/bin/sh\nexec '{sys.executable}' -P '{body}' \"$@\"\n", encoding="utf-8", newline="\n"
    )
    program.chmod(0o755)
    return f"CLAUDE_EXECUTABLE='{program}'\n"


def main() -> int:
    vars(recorded_agent)["Mouth"] = Holding
    return recorded_agent.main()
