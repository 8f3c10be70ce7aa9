"""Tamper with many logs, and see whether `evt audit` finds each and the place, and warns of no honest one.

    python -m tools.tampering [--logs 5000] [--honest 1000] [--seed N]

It exits with 1 where one was missed or misplaced, or where it warned for nothing, and says which.
"""

import argparse
import random
import sys
from collections.abc import Sequence

from tools.tampering.attacks import ATTACKS
from tools.tampering.honest import HONEST
from tools.tampering.programme import Figures, run

SHOWN = 20
WIDTH = 1000


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tools.tampering",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--logs", type=int, default=5000, help="tampered ones (5000)")
    parser.add_argument("--honest", type=int, default=1000, help="honest ones (1000)")
    parser.add_argument("--seed", type=int, default=None)
    asked = parser.parse_args(arguments)
    seed = random.SystemRandom().randrange(1_000_000) if asked.seed is None else asked.seed
    print(f"seed {seed}: {asked.logs} tampered logs, {asked.honest} honest ones", flush=True)
    figures = run(asked.logs, asked.honest, seed)
    tell(figures)
    return 1 if figures.wrong else 0


def tell(figures: Figures) -> None:
    tampered = sum(figures.logs[name] for name in ATTACKS)
    honest = sum(figures.logs[name] for name in HONEST)
    for name in (*ATTACKS, *HONEST):
        bad = figures.missed[name] + figures.misplaced[name] + figures.alarms[name]
        print(f"  {name:<36}{figures.logs[name]:>6}  {f'{bad} wrong' if bad else 'right'}")
    found = tampered - figures.missed.total()
    print(f"found: {found} of {tampered} tampered logs")
    print(f"first bad event named exactly: {figures.exact}; between the right tree heads: {figures.between}")
    print(f"wrong place or kind: {figures.misplaced.total()}")
    print(f"false alarms: {figures.alarms.total()} of {honest} honest logs")
    for sentence in figures.wrong[:SHOWN]:
        print(f"WRONG: {sentence[:WIDTH]}")


if __name__ == "__main__":
    sys.exit(main())
