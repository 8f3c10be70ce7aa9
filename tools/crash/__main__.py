"""Crash the real program on purpose, and see whether it keeps what it promised. Linux, with strace.

    python -m tools.crash sweep    killed at each call that changes a file
    python -m tools.crash power    every state that a power loss may leave, and the control that must lose
    python -m tools.crash faults   EIO and ENOSPC at each write and sync; disks of 1.5 to 3 MB
    python -m tools.crash mirror   the mirror cut at every byte of its last three lines
    python -m tools.crash writers  two services, and four processes of many commands

Each prints its figures and exits with 1 where a promise is broken.
"""

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from adapters.cli.failure import UNAVAILABLE
from tools.crash import faults, mirror, power, small_disk, sweep, tracing, writers
from tools.crash.sandbox import rehearsed
from tools.crash.script import SCRIPT, UP_TO_A_SERVICE

EVERY_S: Final = 20.0
SHOWN: Final = 40
CONTROL: Final = "NORMAL"
DISKS: Final = (1_500_000, 2_000_000, 3_000_000)

Rows = list[tuple[str, str]]
Verdict = tuple[Rows, list[str]]


class Pace:
    """Says on stderr now and then how far it is, and at once what is wrong."""

    def __init__(self) -> None:
        self._next = time.monotonic() + EVERY_S
        self._told = 0

    def __call__(self, done: object, wrong: Sequence[str]) -> None:
        for sentence in wrong[self._told :]:
            print(f"  wrong: {sentence}", file=sys.stderr, flush=True)
        self._told = len(wrong)
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + EVERY_S
            print(f"  … {done}", file=sys.stderr, flush=True)


def counted(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.most_common()) or "-"


def run_sweep(asked: argparse.Namespace) -> Verdict:
    pace = Pace()
    with rehearsed(SCRIPT) as play:
        told = sweep.sweep(
            play,
            asked.points,
            asked.drain_every,
            lambda done, of, now: pace(f"{done} of {of} points", now.wrong),
        )
    rows = [
        ("points at which it was killed", f"{told.killed} ({counted(told.points)})"),
        ("commands of the script", str(len(told.commands))),
        ("runs that ended before their point", str(told.missed)),
        ("events acknowledged before a kill", str(told.acks)),
        ("events committed, not acknowledged", str(told.unacknowledged)),
        ("services that drained afterwards", str(told.drained)),
    ]
    return rows, told.wrong


def _states(pace: Pace) -> power.Progress:
    return lambda now: pace(f"{now.states} states, {now.lost} lost", now.wrong)


def run_power(asked: argparse.Namespace) -> Verdict:
    seed = asked.seed
    told = power.power(asked.events, asked.subsets, seed, "", _states(Pace()))
    control = power.power(asked.control_events, asked.subsets, seed, CONTROL, _states(Pace()))
    rows = [
        ("seed", str(seed)),
        ("calls in the trace", f"{told.happenings} ({counted(told.kinds)})"),
        ("times that the -wal began anew", str(told.resets)),
        ("states opened", str(told.states)),
        ("of these opened for writing, checked, appended to", str(told.gone_on)),
        ("states that lack an acknowledged event", str(told.lost)),
        ("states that are wrong otherwise", str(len(told.wrong))),
        (f"control, synchronous={CONTROL}: states opened", str(control.states)),
        (f"control, synchronous={CONTROL}: states that lack one", str(control.lost)),
    ]
    wrong = [*told.wrong, *(f"control: {sentence}" for sentence in control.wrong)]
    if told.lost:
        wrong.append(f"{told.lost} states lack acknowledged events, {told.most_lost} at most")
    if control.lost < asked.control_lost:
        wrong.append(f"the control lost in {control.lost} states only: the oracle is blind")
    return rows, wrong


def run_faults(asked: argparse.Namespace) -> Verdict:
    pace = Pace()
    with rehearsed(UP_TO_A_SERVICE) as play:
        told = faults.faults(
            play,
            asked.verbs,
            asked.service,
            lambda done, of, now: pace(f"{done} of {of} runs", now.wrong),
        )
    rows = [
        ("runs with a fault", f"{told.runs.total()} ({counted(told.runs)})"),
        ("exit codes", ", ".join(f"{code}: {count}" for code, count in sorted(told.codes.items()))),
        ("runs that ended before their fault", str(told.missed)),
        ("events acknowledged in them", str(told.acks)),
    ]
    wrong = told.wrong
    if (why := small_disk.why_not()) is not None:
        rows.append(("small disks", f"skipped: {why}"))
    else:
        small = small_disk.small_disks(DISKS)
        sizes = ", ".join(f"{size / 1e6:g} MB" for size in small.disks)
        rows.append(("small disks filled and freed", sizes))
        rows.append(("commands there, refused", f"{small.codes.total()}, {small.refused}"))
        rows.append(("events acknowledged there", str(small.acks)))
        wrong = [*wrong, *small.wrong]
    return rows, wrong


def run_mirror(asked: argparse.Namespace) -> Verdict:
    pace = Pace()
    told = mirror.cut_mirror(asked.every, lambda done, of, now: pace(f"{done} of {of} cuts", now.wrong))
    rows = [
        ("cuts", str(told.cuts)),
        ("in the middle of a line", str(told.torn)),
        ("repairs that are events", str(told.repairs)),
    ]
    return rows, told.wrong


def run_writers(asked: argparse.Namespace) -> Verdict:
    told = writers.write(asked.writers, asked.commands)
    rows = [
        ("the second service was told", told.services),
        ("writers, commands in all", f"{asked.writers}, {told.commands}"),
        ("events appended, acknowledged", f"{told.events}, {told.acks}"),
        ("streams", str(told.streams)),
        ("seconds", f"{told.seconds:.1f}"),
    ]
    return rows, told.wrong


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="python -m tools.crash",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = made.add_subparsers(required=True, metavar="PROGRAMME")

    def verb(name: str, run: Callable[[argparse.Namespace], Verdict], said: str) -> argparse.ArgumentParser:
        found = verbs.add_parser(name, help=said, description=said)
        found.set_defaults(run=run)
        return found

    one = verb("sweep", run_sweep, "kill the real program at each call that changes a file")
    one.add_argument(
        "--points", type=int, default=0, metavar="N", help="so many, evenly spread; 0 (default): all"
    )
    one.add_argument(
        "--drain-every", type=int, default=10, metavar="N", help="let a service drain after so many"
    )
    one = verb("power", run_power, "open every state in which a power loss may leave the log")
    one.add_argument("--events", type=int, default=700, metavar="N", help="events of the loop (default 700)")
    one.add_argument(
        "--subsets", type=int, default=3, metavar="N", help="random states at each call (default 3)"
    )
    one.add_argument(
        "--control-events", type=int, default=80, metavar="N", help="events of the control (default 80)"
    )
    one.add_argument(
        "--control-lost", type=int, default=100, metavar="N", help="it must lose in so many (default 100)"
    )
    one.add_argument("--seed", type=int, default=None, help="a seed throws the same dice again")
    one = verb("faults", run_faults, "let writes and syncs fail, and fill small disks")
    one.add_argument(
        "--verbs", type=int, default=0, metavar="N", help="points of verbs; 0 (default): all, four ways each"
    )
    one.add_argument("--service", type=int, default=60, metavar="N", help="runs of the service (default 60)")
    one = verb("mirror", run_mirror, "cut the mirror at every byte of its last three lines")
    one.add_argument("--every", type=int, default=1, metavar="N", help="at each Nth byte only (default 1)")
    one = verb("writers", run_writers, "two services and several writers at one home")
    one.add_argument("--writers", type=int, default=4, metavar="N")
    one.add_argument("--commands", type=int, default=500, metavar="N", help="of each writer (default 500)")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    asked = parser().parse_args(arguments)
    if (why := tracing.why_not()) is not None:
        print(f"This cannot run here: {why}.", file=sys.stderr)
        return UNAVAILABLE
    if getattr(asked, "seed", 0) is None:
        asked.seed = random.SystemRandom().randrange(1_000_000)
        print(f"seed {asked.seed}", flush=True)
    begun = time.monotonic()
    rows, wrong = asked.run(asked)
    for name, value in [*rows, ("took", f"{time.monotonic() - begun:.0f} s")]:
        print(f"  {name:<52}{value}")
    for sentence in wrong[:SHOWN]:
        print(f"WRONG: {sentence}")
    print(f"{len(wrong)} things are wrong" if wrong else "all is well")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
