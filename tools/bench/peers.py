"""Other libraries, in a virtual environment of their own; and the task queues among them."""

import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

NAMES: Final = ("huey", "dbos")
SCRIPTS: Final = Path(__file__).parent
PROJECT: Final = Path(__file__).parents[2] / "pyproject.toml"
INSTALL_LIMIT_S: Final = 300.0
RUN_LIMIT_S: Final = 3600.0


class PeerFailed(Exception):
    """It could not be installed, or did not do its jobs."""


@dataclass(frozen=True)
class Job:
    """One call of the agent."""

    argv: list[str]
    cwd: str
    environ: Mapping[str, str]
    prompt: str


@dataclass(frozen=True)
class Peer:
    """`missing` says in a few words why it cannot be measured, None where it can."""

    name: str
    python: Path
    missing: str | None

    def run(self, jobs: Sequence[Job], at_once: int, folder: Path) -> float:
        """The seconds from the start of its process to its end. Raises PeerFailed."""
        order = folder / "jobs.json"
        order.write_text(json.dumps([asdict(job) for job in jobs]), encoding="utf-8")
        script = SCRIPTS / f"peer_{self.name}.py"
        began = time.monotonic()
        told = subprocess.run(
            [self.python, script, order, str(at_once)],
            cwd=folder,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=RUN_LIMIT_S,
        )
        passed = time.monotonic() - began
        if told.returncode or told.stdout.splitlines()[-1:] != [f"done {len(jobs)}"]:
            raise PeerFailed(f"{self.name} did not do its jobs: {told.stderr[-500:].strip()}")
        return passed


def found(folder: Path | None) -> list[Peer]:
    """Each peer as it stands in the virtual environment `folder`."""
    return [_found(name, folder) for name in NAMES]


def _found(name: str, folder: Path | None) -> Peer:
    python = Path(sys.executable) if folder is None else python_of(folder)
    return Peer(name, python, missing_in(folder, name))


def python_of(folder: Path) -> Path:
    """The interpreter of a virtual environment."""
    return folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def missing_in(folder: Path | None, module: str) -> str | None:
    """Why a module cannot be used from the virtual environment, None where it can."""
    if folder is None:
        return "skipped, no --peers was given"
    try:
        told = subprocess.run([python_of(folder), "-c", f"import {module}"], capture_output=True, timeout=60)
    except OSError:
        return "skipped, its virtual environment is not there (see --install-peers)"
    return None if told.returncode == 0 else "skipped, it is not installed there"


def install(folder: Path) -> None:
    """Make the virtual environment and install the group `peers` of pyproject.toml. Raises PeerFailed."""
    for words in (
        ["venv", "--allow-existing", str(folder)],
        ["pip", "install", "--python", str(folder), "--group", f"{PROJECT}:peers"],
    ):
        try:
            told = subprocess.run(
                ["uv", *words], capture_output=True, encoding="utf-8", timeout=INSTALL_LIMIT_S
            )
        except (OSError, subprocess.TimeoutExpired) as trouble:
            raise PeerFailed(f"`uv {words[0]}` could not be run: {trouble}") from trouble
        if told.returncode:
            raise PeerFailed(f"`uv {words[0]}` failed: {told.stderr[-500:].strip()}")
