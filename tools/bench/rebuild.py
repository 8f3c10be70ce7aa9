"""Work B1: a view from the log's first event, cold, beside a fold over the same lines in a text file."""

import json
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any, Final

from tools.bench.corpus import Corpus, corpus
from tools.bench.peer_store import PeerStore
from tools.bench.peers import PeerFailed
from tools.bench.rebuild_child import forget
from tools.bench.table import Cell, Table
from tools.bench.turns import Contestant, in_turns, rows

SPEED: Final = "≥ 1.2"
MOST_MIB: Final = "≤ 64"
VIEWS: Final = ("queue", "metrics")
SHORT: Final = 10_000
PEER: Final = "eventsourcing"
PEER_SCRIPT: Final = Path(__file__).with_name("peer_replay.py")
LIMIT_S: Final = 1800.0


def measure(events: int, rounds: int, peers: list[PeerStore]) -> list[Table]:
    """Of a log of so many events. Raises PeerFailed."""
    peer = next((one for one in peers if one.name == PEER), None)
    kept = corpus(events)
    contestants = [
        *(Contestant(f"evt, the view {view}", partial(_speed, view, events), SPEED) for view in VIEWS),
        Contestant("the log's columns alone", partial(_speed, "columns", events)),
        Contestant("the json of the library, lines", partial(_speed, "json", events)),
    ]
    if peer is not None and peer.missing is None:
        database = _made(peer, kept)
        contestants.append(Contestant(PEER, partial(_peer_speed, peer, database, events)))
    anchor = Contestant("orjson over the lines", partial(_speed, "orjson", events))
    found = list(rows(in_turns(anchor, contestants, rounds), "events/s"))
    notes = () if peer is None or peer.missing is None else (f"{PEER}: {peer.missing}",)
    title = f"A view from the first of {events} events, cold"
    return [Table(title, tuple(found[0]), found, notes), _memory(events)]


def _memory(events: int) -> Table:
    short = min(SHORT, events)
    found: list[dict[str, Cell]] = [
        {
            "view": view,
            f"MiB at {short}": _run(view, short)["mib"],
            f"MiB at {events}": _run(view, events)["mib"],
            "goal": MOST_MIB,
        }
        for view in VIEWS
    ]
    return Table("The most memory", tuple(found[0]), found)


def _speed(way: str, events: int) -> float:
    return events / float(_run(way, events)["seconds"])


def _run(way: str, events: int) -> dict[str, Any]:
    told = subprocess.run(
        [sys.executable, "-P", "-m", "tools.bench.rebuild_child", way, str(events)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        encoding="utf-8",
        timeout=LIMIT_S,
    )
    if told.returncode:
        raise PeerFailed(f"{way} did not go through the log: {told.stderr[-500:].strip()}")
    found: dict[str, Any] = json.loads(told.stdout)
    return found


def _made(peer: PeerStore, kept: Corpus) -> Path:
    """The corpus as the peer keeps it: made once, like the corpus itself."""
    database = kept.log.with_name(f"{PEER}.db")
    if not database.exists():
        making = database.with_name(f"{PEER}-being-made.db")
        making.unlink(missing_ok=True)
        _peer(peer, "make", kept.mirror, making)
        making.rename(database)
    return database


def _peer_speed(peer: PeerStore, database: Path, events: int) -> float:
    forget(database)
    return events / float(_peer(peer, "read", database))


def _peer(peer: PeerStore, *words: str | Path) -> str:
    told = subprocess.run(
        [peer.python, "-P", PEER_SCRIPT, *words], capture_output=True, encoding="utf-8", timeout=LIMIT_S
    )
    if told.returncode:
        raise PeerFailed(f"{peer.name} did not go through the log: {told.stderr[-500:].strip()}")
    return told.stdout
