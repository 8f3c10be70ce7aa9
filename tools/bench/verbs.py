"""Work E: verbs that read, on a long log, beside a Python that does nothing."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final

from tools.bench.long_home import long_home
from tools.bench.peers import PeerFailed
from tools.bench.table import Table
from tools.bench.turns import Contestant, in_turns, rows

GOAL: Final = "≤ 6"
EVT: Final = "import sys; from adapters.cli.start import main; sys.exit(main())"
"""What the installed command runs."""


def measure(events: int, rounds: int) -> list[Table]:
    """On a log of so many events. Raises PeerFailed."""
    home = long_home(events)
    home.views_at_the_head()
    python = [sys.executable, "-c"]
    contestants = [
        _contestant("evt tail -n 50", [*_evt(), "tail", "-n", "50"], home.home.root),
        _contestant("evt status", [*_evt(), "status"], home.home.root),
        _contestant("import argparse, sqlite3, orjson", [*python, "import argparse, sqlite3, orjson"]),
        _contestant("sqlite-utils --version", [sys.executable, "-m", "sqlite_utils", "--version"]),
    ]
    anchor = _contestant("python -c pass", [*python, "pass"])
    for one in (anchor, *contestants):
        one.turn()  # the first time everything is read from the disk, and bytecode is written
    found = list(rows(in_turns(anchor, contestants, rounds), "ms"))
    return [Table(f"Verbs that read, on a log of {events} events", tuple(found[0]), found)]


def _evt() -> Sequence[str]:
    """The console script beside this Python; without one the same words."""
    script = Path(sys.executable).with_name("evt")
    return [str(script)] if script.exists() else [sys.executable, "-c", EVT]


def _contestant(name: str, words: Sequence[str], home: Path | None = None) -> Contestant:
    more = [] if home is None else ["--home", str(home)]
    return Contestant(name, partial(_milliseconds, [*words, *more]), None if home is None else GOAL)


def _milliseconds(words: Sequence[str]) -> float:
    # As for a person: nothing that keeps Python from using its bytecode.
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    began = time.perf_counter()
    told = subprocess.run(words, env=environ, cwd=Path(__file__).parents[2], capture_output=True, timeout=60)
    passed = time.perf_counter() - began
    if told.returncode:
        raise PeerFailed(f"{words[0]} failed: {told.stderr[-300:].decode(errors='replace').strip()}")
    return passed * 1000
