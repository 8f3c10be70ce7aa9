"""The measurements from the command line: `python -m tools.bench WORK --help`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tools.bench import audit, follow, idle, page, pickup, task_cost
from tools.bench.agents import AgentMissing
from tools.bench.peers import PeerFailed
from tools.bench.table import say
from tools.bench.works import WORKS, tables

FAILURES = (
    AgentMissing,
    PeerFailed,
    audit.WentWrong,
    follow.NotDelivered,
    idle.NotStarted,
    pickup.NotStarted,
    task_cost.WentWrong,
)


def parser() -> argparse.ArgumentParser:
    whole = argparse.ArgumentParser(prog="python -m tools.bench", description="Measure, beside an anchor.")
    works = whole.add_subparsers(dest="work", required=True)
    for name, work in WORKS.items():
        one = works.add_parser(name, help=work.text, description=f"{work.letter}: {work.text}.")
        one.add_argument("--json", action="store_true", help="print JSON instead of tables")
        one.add_argument("--keep", type=Path, metavar="FILE", help="put the figures into this JSON, too")
        work.arguments(one)
    works.add_parser("page", help="write the figures that are kept into docs/performance.md and its picture")
    return whole


def main(words: Sequence[str]) -> int:
    chosen = parser().parse_args(words)
    if chosen.work == "page":
        page.write()
        return 0
    try:
        found = tables(chosen)
    except FAILURES as problem:
        print(f"bench: {problem}", file=sys.stderr)
        return 1
    say(chosen.work, found, as_json=chosen.json)
    if chosen.keep is not None:
        page.keep(chosen.keep, chosen.work, words, found)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
