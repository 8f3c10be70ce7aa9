"""A small log with its tree, to be tampered with and audited."""

from pathlib import Path
from random import Random

from eventstore.sqlite.log import SqliteLog
from tests.signed_trees import SignedLog
from tools.tampering.forged import Forged, Sample


def built(root: Path) -> SignedLog:
    """Tree heads over 12, 23 and 34 events, and 5 events behind them; still open."""
    made = SignedLog.create(root)
    for _ in range(3):
        made.grow(10)
        made.sign()
    made.grow(5)
    return made


def forged(made: SignedLog) -> Forged:
    """Its own folder, to be changed."""
    return Forged(made.root, Sample.of(made), Random(1))


def again(made: SignedLog) -> SignedLog:
    """The same log, opened once more."""
    made.log = SqliteLog(made.root / "logs" / "events.db")
    return made
