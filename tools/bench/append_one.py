"""Work A1: one caller, and each event is durable before the next, beside a line appended to a file."""

import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import trio

from adapters.log_writer import LogWriter
from eventstore.event import NO_STREAM
from eventstore.log import Append
from eventstore.sqlite.log import SqliteLog
from tools.bench import made
from tools.bench.file_log import appends_a_second
from tools.bench.peer_store import PeerStore
from tools.bench.syncs import syncs_per_append
from tools.bench.table import Cell, Table
from tools.bench.turns import Contestant, in_turns, rows

WARM: Final = 20_000
"""Events: the write-ahead log has its size, as in any home that has run for a while."""

STREAMS: Final = 50
MOST_SYNCS: Final = "≤ 1.05"


def measure(appends: int, rounds: int, peers: list[PeerStore]) -> list[Table]:
    """So many appends a turn. Raises PeerFailed."""
    with tempfile.TemporaryDirectory(prefix="evt-bench-") as name:
        folder = Path(name).resolve()
        with warm_log(folder) as log, closing(_plain(folder / "plain.db")) as plain:
            contestants = [
                Contestant("evt, directly", lambda: directly(log, appends), "≥ 1.2", "≥ 1.1"),
                Contestant("evt, through its writer", lambda: _through(log, appends), "≥ 0.8", "≥ 0.75"),
                Contestant("sqlite3 alone (WAL, FULL)", lambda: _alone(plain, appends)),
                *(Contestant(peer.name, peer.turn(1, appends, 1)) for peer in peers if peer.missing is None),
            ]
            anchor = Contestant("a line and fdatasync", lambda: appends_a_second(folder, appends, 1))
            results = in_turns(anchor, contestants, rounds)
        syncs = syncs_per_append(folder / "syncs", appends)
    found = list(rows(results, "events/s"))
    notes = tuple(f"{peer.name}: {peer.missing}" for peer in peers if peer.missing)
    table = Table("One caller, each event durable before the next", tuple(found[0]), found, notes)
    return [table, _counted(syncs)]


def _counted(syncs: float | None) -> Table:
    row: dict[str, Cell] = {"what": "evt, directly", "fdatasync per commit": syncs, "goal": MOST_SYNCS}
    notes = () if syncs is not None else ("strace is not there.",)
    return Table("Counted by strace", tuple(row), [row], notes)


@contextmanager
def warm_log(folder: Path) -> Iterator[SqliteLog]:
    with closing(SqliteLog.create(folder / "events.db")) as log:
        for number in range(WARM // 500):
            log.append(f"warm-{number}", made.events(500), NO_STREAM)
        yield log


def directly(log: SqliteLog, appends: int) -> float:
    """Events a second of one thread that waits for each."""
    wishes = _wishes(log, appends)
    began = time.perf_counter()
    for wish in wishes:
        log.append(wish.stream, wish.events, wish.expected)
    return appends / (time.perf_counter() - began)


def _wishes(log: SqliteLog, count: int) -> list[Append]:
    """To streams in turn, each with the version at which its stream will stand."""
    streams = [f"one-{log.head()}-{number}" for number in range(STREAMS)]
    return [
        Append(streams[number % STREAMS], [event], number // STREAMS - 1)
        for number, event in enumerate(made.events(count))
    ]


def _through(log: SqliteLog, appends: int) -> float:
    wishes = _wishes(log, appends)

    async def main() -> float:
        writer: LogWriter[None] = LogWriter(log, _nothing)
        began = time.perf_counter()
        for wish in wishes:
            outcome, _ = await writer.append(wish)
            if isinstance(outcome, Exception):
                raise outcome
        return appends / (time.perf_counter() - began)

    return trio.run(main)


def _nothing() -> None:
    """Nobody looks."""


def _plain(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE events(position INTEGER PRIMARY KEY, line BLOB NOT NULL)")
    connection.execute("BEGIN")
    connection.executemany("INSERT INTO events(line) VALUES (?)", [(made.line(),)] * WARM)
    connection.execute("COMMIT")
    return connection


def _alone(connection: sqlite3.Connection, appends: int) -> float:
    lines = [made.line() for _ in range(appends)]
    began = time.perf_counter()
    for line in lines:
        connection.execute("INSERT INTO events(line) VALUES (?)", (line,))
    return appends / (time.perf_counter() - began)
