"""Every measurement by its name: what it is asked for on the command line, and what it measures."""

import argparse
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tools.bench import (
    append_batches,
    append_many,
    append_one,
    audit,
    claim_cost,
    follow,
    idle,
    pickup,
    rebuild,
    restart,
    task_cost,
    verbs,
)
from tools.bench.agents import agent
from tools.bench.peer_store import peer_stores
from tools.bench.peers import found, install
from tools.bench.table import Table

Chosen = argparse.Namespace


@dataclass(frozen=True)
class Work:
    """`letter` is the work's in the table of goals."""

    letter: str
    text: str
    arguments: Callable[[argparse.ArgumentParser], None]
    tables: Callable[[Chosen], Sequence[Table]]


def counts(text: str) -> tuple[int, ...]:
    """Whole numbers from 1, separated by commas."""
    values = tuple(int(part) for part in text.split(","))
    if min(values) < 1:
        raise ValueError(f"{text!r} holds a number below 1")
    return values


def _rounds(work: argparse.ArgumentParser, default: int) -> None:
    work.add_argument("--rounds", type=int, default=default, metavar="N", help=f"in turns ({default})")


def _peers(work: argparse.ArgumentParser) -> None:
    work.add_argument("--peers", type=Path, metavar="VENV", help="where other libraries are installed")
    work.add_argument("--install-peers", action="store_true", help="make VENV first, from PyPI")


def _counted(name: str, default: int, text: str, rounds: int, *, peers: bool) -> Callable[..., None]:
    def arguments(work: argparse.ArgumentParser) -> None:
        work.add_argument(f"--{name}", type=int, default=default, metavar="N", help=f"{text} ({default})")
        _rounds(work, rounds)
        if peers:
            _peers(work)

    return arguments


def _idle(work: argparse.ArgumentParser) -> None:
    work.add_argument("--seconds", type=float, default=60.0, metavar="S", help="so long (60)")
    work.add_argument("--settle", type=float, default=5.0, metavar="S", help="after so long (5)")


def _task_cost(work: argparse.ArgumentParser) -> None:
    work.add_argument("--tasks", type=int, default=100, metavar="N", help="a round (100)")
    work.add_argument("--workers", type=counts, default=(1, 2), metavar="N,N", help="at once (1,2)")
    _rounds(work, 3)
    work.add_argument("--agent", choices=("claude", "recorded"), default="claude", help="recorded: no time")
    _peers(work)


def _claims(work: argparse.ArgumentParser) -> None:
    queued = (100, 1000, 10_000)
    work.add_argument("--queued", type=counts, default=queued, metavar="N,N", help="queue lengths")
    work.add_argument("--tasks", type=int, default=40, metavar="N", help="tasks that are timed (40)")
    work.add_argument("--one-folder", action="store_true", help="all tasks work in one directory")


def _with_agent(chosen: Chosen, kind: str, measure: Callable[..., Sequence[Table]]) -> Sequence[Table]:
    with tempfile.TemporaryDirectory(prefix="evt-bench-") as name, agent(kind, Path(name).resolve()) as quick:
        return measure(chosen, quick)


WORKS: Final = {
    "append-one": Work(
        "A1",
        "one caller, each event durable before the next",
        _counted("appends", 1000, "a turn", 9, peers=True),
        lambda chosen: append_one.measure(chosen.appends, chosen.rounds, peer_stores(chosen.peers)),
    ),
    "append-many": Work(
        "A2",
        "64 callers at once, each waits until its event is durable",
        _counted("appends", 200, "of each caller a turn", 9, peers=True),
        lambda chosen: append_many.measure(chosen.appends, chosen.rounds, peer_stores(chosen.peers)),
    ),
    "append-batches": Work(
        "A3",
        "100 and 1,000 events in one append",
        _counted("events", 20_000, "a turn", 9, peers=True),
        lambda chosen: append_batches.measure(chosen.events, chosen.rounds, peer_stores(chosen.peers)),
    ),
    "rebuild": Work(
        "B1",
        "a view from the first event of a long log",
        _counted("events", 1_000_000, "of the log", 3, peers=True),
        lambda chosen: rebuild.measure(chosen.events, chosen.rounds, peer_stores(chosen.peers)),
    ),
    "restart": Work(
        "B2",
        "how long the service reads before it works",
        _counted("events", 1_000_000, "of the log", 15, peers=False),
        lambda chosen: restart.measure(chosen.events, chosen.rounds),
    ),
    "follow": Work(
        "C",
        "from the commit in one process to another one",
        _counted("events", 1000, "a round", 3, peers=False),
        lambda chosen: follow.measure(chosen.events, chosen.rounds),
    ),
    "audit": Work(
        "D",
        "an audit of a whole log",
        _counted("events", 1_000_000, "of the log", 3, peers=False),
        lambda chosen: audit.measure(chosen.events, chosen.rounds),
    ),
    "verbs": Work(
        "E",
        "verbs that read, on a long log",
        _counted("events", 1_000_000, "of the log", 25, peers=False),
        lambda chosen: verbs.measure(chosen.events, chosen.rounds),
    ),
    "pickup": Work(
        "F",
        "from a dropped file to the start of the agent",
        _counted("files", 20, "a round", 3, peers=False),
        lambda chosen: pickup.measure(chosen.files, chosen.rounds),
    ),
    "task-cost": Work(
        "G",
        "what a task costs beside its agent",
        _task_cost,
        lambda chosen: _with_agent(
            chosen,
            chosen.agent,
            lambda chosen, measured: task_cost.measure(
                measured, chosen.tasks, chosen.workers, chosen.rounds, found(chosen.peers)
            ),
        ),
    ),
    "claims": Work(
        "G",
        "what a long queue costs each task",
        _claims,
        lambda chosen: _with_agent(
            chosen,
            "recorded",
            lambda chosen, quick: [
                claim_cost.measure(quick, chosen.queued, chosen.tasks, one_folder=chosen.one_folder)
            ],
        ),
    ),
    "idle": Work(
        "H",
        "what a service with nothing to do costs",
        _idle,
        lambda chosen: [idle.measure(chosen.seconds, chosen.settle)],
    ),
}


def tables(chosen: Chosen) -> Sequence[Table]:
    """What the chosen work has found."""
    if getattr(chosen, "install_peers", False) and chosen.peers is not None:
        install(chosen.peers)
    return WORKS[chosen.work].tables(chosen)
