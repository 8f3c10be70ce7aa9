"""The measurements from the command line: `python -m tools.bench WORK --help`."""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tools.bench import claim_cost, idle, task_cost
from tools.bench.agents import AgentMissing, agent
from tools.bench.peers import PeerFailed, found, install
from tools.bench.table import Table, say


def counts(text: str) -> tuple[int, ...]:
    """Whole numbers from 1, separated by commas."""
    values = tuple(int(part) for part in text.split(","))
    if min(values) < 1:
        raise ValueError(f"{text!r} holds a number below 1")
    return values


def parser() -> argparse.ArgumentParser:
    whole = argparse.ArgumentParser(prog="python -m tools.bench", description="Measure, beside an anchor.")
    works = whole.add_subparsers(dest="work", required=True)
    for name, text in (
        ("idle", "what a service with nothing to do costs"),
        ("task-cost", "what a task costs beside its agent"),
        ("claims", "what a long queue costs each task"),
    ):
        work = works.add_parser(name, help=text, description=text.capitalize() + ".")
        work.add_argument("--json", action="store_true", help="print JSON instead of tables")
        if name == "idle":
            work.add_argument("--seconds", type=float, default=60.0, metavar="S", help="so long (60)")
            work.add_argument("--settle", type=float, default=5.0, metavar="S", help="after so long (5)")
        elif name == "task-cost":
            work.add_argument("--tasks", type=int, default=100, metavar="N", help="a round (100)")
            work.add_argument("--workers", type=counts, default=(1, 2), metavar="N,N", help="at once (1,2)")
            work.add_argument("--rounds", type=int, default=3, metavar="N", help="in turns (3)")
            work.add_argument(
                "--agent", choices=("claude", "recorded"), default="claude", help="recorded: takes no time"
            )
            work.add_argument("--peers", type=Path, metavar="VENV", help="where huey and dbos are installed")
            work.add_argument("--install-peers", action="store_true", help="make VENV first, from PyPI")
        else:
            queued = (100, 1000, 10_000)
            work.add_argument("--queued", type=counts, default=queued, metavar="N,N", help="queue lengths")
            work.add_argument("--tasks", type=int, default=40, metavar="N", help="tasks that are timed (40)")
            work.add_argument("--one-folder", action="store_true", help="all tasks work in one directory")
    return whole


def tables(chosen: argparse.Namespace) -> Sequence[Table]:
    if chosen.work == "idle":
        return [idle.measure(chosen.seconds, chosen.settle)]
    with tempfile.TemporaryDirectory(prefix="evt-bench-") as name:
        folder = Path(name).resolve()
        if chosen.work == "claims":
            with agent("recorded", folder) as quick:
                return [claim_cost.measure(quick, chosen.queued, chosen.tasks, one_folder=chosen.one_folder)]
        if chosen.install_peers and chosen.peers is not None:
            install(chosen.peers)
        with agent(chosen.agent, folder) as measured:
            peers = found(chosen.peers)
            return task_cost.measure(measured, chosen.tasks, chosen.workers, chosen.rounds, peers)


def main(words: Sequence[str]) -> int:
    chosen = parser().parse_args(words)
    try:
        say(chosen.work, tables(chosen), as_json=chosen.json)
    except (AgentMissing, PeerFailed, idle.NotStarted, task_cost.WentWrong) as problem:
        print(f"bench: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
