"""Work A3: many events in one append, beside one write and one fdatasync of as many lines."""

import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from eventstore.event import NO_STREAM
from eventstore.sqlite.log import SqliteLog
from tools.bench import made
from tools.bench.append_one import warm_log
from tools.bench.file_log import appends_a_second
from tools.bench.peer_store import PeerStore
from tools.bench.table import Table
from tools.bench.turns import Contestant, in_turns, rows

GOALS: Final = {100: ("≥ 0.7", "≥ 0.6"), 1000: ("≥ 0.4", "≥ 0.3")}
BATCHING: Final = ("eventsourcing", "sqlite_utils")
"""The peers that can append many at once."""


def measure(events: int, rounds: int, peers: list[PeerStore]) -> list[Table]:
    """So many events a turn, in batches of 100 and of 1,000. Raises PeerFailed."""
    tables = []
    for each in GOALS:
        with tempfile.TemporaryDirectory(prefix="evt-bench-") as name:
            folder = Path(name).resolve()
            tables.append(_in_batches(folder, max(1, events // each), each, rounds, peers))
    return tables


def _in_batches(folder: Path, appends: int, each: int, rounds: int, peers: list[PeerStore]) -> Table:
    able = [peer for peer in peers if peer.name in BATCHING]
    with warm_log(folder) as log, _plain(folder / "plain.db") as plain:
        anchor = Contestant("the lines and fdatasync", partial(appends_a_second, folder, appends, each))
        contestants = [
            Contestant("evt", partial(_ours, log, appends, each), *GOALS[each]),
            Contestant("sqlite3 alone (WAL, FULL)", partial(_alone, plain, appends, each)),
            *(Contestant(peer.name, peer.turn(1, appends, each)) for peer in able if peer.missing is None),
        ]
        found = list(rows(in_turns(anchor, contestants, rounds), "events/s"))
    notes = tuple(f"{peer.name}: {peer.missing}" for peer in able if peer.missing)
    return Table(f"{each} events in one append", tuple(found[0]), found, notes)


def _ours(log: SqliteLog, appends: int, each: int) -> float:
    """Events a second, to a new stream each time."""
    first = log.head()
    batches = [(f"batch-{first}-{number}", made.events(each)) for number in range(appends)]
    began = time.perf_counter()
    for stream, events in batches:
        log.append(stream, events, NO_STREAM)
    return appends * each / (time.perf_counter() - began)


@contextmanager
def _plain(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("CREATE TABLE events(position INTEGER PRIMARY KEY, line BLOB NOT NULL)")
        yield connection


def _alone(connection: sqlite3.Connection, appends: int, each: int) -> float:
    batches = [[(made.line(),) for _ in range(each)] for _ in range(appends)]
    began = time.perf_counter()
    for batch in batches:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO events(line) VALUES (?)", batch)
        connection.execute("COMMIT")
    return appends * each / (time.perf_counter() - began)
