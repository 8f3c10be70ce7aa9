"""Work D: an audit of a whole log beside SHA-256 over the same bytes, and beside plainer proofs."""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Final

import orjson

from eventstore.audit.erased import Erased
from eventstore.audit.findings import Report
from eventstore.audit.heads import Stated
from eventstore.audit.lines import Row
from eventstore.audit.table_rows import SqliteRows
from eventstore.audit.tree import BATCH, Tiled, Walk
from eventstore.audit.verdict import Evidence, Types, audit
from eventstore.sqlite import file as sqlite_file
from eventstore.sqlite.belongings import Strange
from eventstore.tree.head import SignedHead, TreeHead
from eventstore.tree.merkle import Frontier, leaf_hashes
from eventstore.tree.signed_note import SigningKey
from eventstore.tree.tiles import Tiles
from schemas import names
from tools.bench.corpus import Corpus, corpus
from tools.bench.table import Cell, Table, ratios

ORIGIN: Final = "urn:evt:a-measurement"
TYPES: Final = Types(erased=names.EVENT_ERASED, key_changed=names.SIGNING_KEY_CHANGED)
LINES_AT_ONCE: Final = 20_000
"""Of those that are measured in memory: so many are there at a time."""

READ: Final = "SHA-256, lines read from the log"
MEMORY: Final = "SHA-256, lines in memory"
TREE: Final = "tree of the log: leaves, tiles, all roots"
WHOLE: Final = "whole audit"
GOAL: Final = "≥ 0.24"
Lines = list[bytes]


@dataclass(frozen=True)
class Signed:
    """A corpus with tiles and a tree head every 256 events."""

    kept: Corpus
    evidence: Evidence


class WentWrong(Exception):
    """The audit did not say what it had to: what it took tells nothing."""


def measure(events: int, rounds: int) -> list[Table]:
    """Each contender once a round, in turns. Raises WentWrong."""
    with tempfile.TemporaryDirectory(prefix="evt-bench-") as name:
        signed = _signed(corpus(events), Path(name))
        took: dict[str, list[float]] = {}
        for _ in range(rounds):
            for what, second in _round(signed):
                took.setdefault(what, []).append(second)
    rows: list[dict[str, Cell]] = []
    for what, seconds in took.items():
        beside_read, spread = ratios(took[READ], seconds)
        beside_memory, _ = ratios(took[MEMORY], seconds)
        rows.append(
            {
                "what": what,
                "µs an event": min(seconds) / events * 1e6,
                "ratio to reading and hashing": beside_read,
                "spread": spread,
                "goal": GOAL if what in (TREE, WHOLE) else None,
                "ratio to hashing alone": beside_memory,
            }
        )
    heads = len(signed.evidence.heads)
    notes = (
        f"{events} events, {signed.kept.mirror.stat().st_size / events:.0f} bytes each, {heads} tree heads.",
        "The whole audit also compares columns, places and signatures; for an edited event it reads twice.",
    )
    return [Table("An audit beside SHA-256 over the same bytes", tuple(rows[0]), rows, notes)]


def _round(signed: Signed) -> Iterator[tuple[str, float]]:
    yield READ, _timed(lambda: _hash_as_read(signed))
    yield from _in_memory(signed).items()
    yield TREE, _timed(lambda: _tree(signed))
    yield WHOLE, _timed(lambda: _audited(signed, None))
    yield "whole audit, one event edited", _timed(lambda: _audited(signed, signed.kept.events // 2))


def _timed(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def _hash_as_read(signed: Signed) -> None:
    whole = sha256()
    with closing(sqlite_file.connect_still(signed.kept.log)) as connection:
        for (line,) in connection.execute("SELECT line FROM events ORDER BY global_position"):
            whole.update(line)


def _in_memory(signed: Signed) -> dict[str, float]:
    """Only the hashing is timed."""
    whole, frontier, chain = sha256(), Frontier(), [b""]
    contenders: dict[str, Callable[[Lines], None]] = {
        MEMORY: lambda lines: _update(whole, lines),
        "hash chain, in memory": lambda lines: _chain(chain, lines),
        "Merkle tree, in memory": lambda lines: frontier.extend(leaf_hashes(lines)),
        "JSON written anew and hashed": lambda lines: _written_anew(whole, lines),
    }
    took = dict.fromkeys(contenders, 0.0)
    with closing(sqlite_file.connect_still(signed.kept.log)) as connection:
        each = connection.execute("SELECT line FROM events ORDER BY global_position")
        while lines := [line for (line,) in islice(each, LINES_AT_ONCE)]:
            for what, work in contenders.items():
                took[what] += _timed(lambda work=work, lines=lines: work(lines))  # type: ignore[misc]
    return took


def _update(whole: object, lines: Lines) -> None:
    update = whole.update  # type: ignore[attr-defined]
    for line in lines:
        update(line)


def _chain(last: Lines, lines: Lines) -> None:
    before = last[0]
    for line in lines:
        before = sha256(before + line).digest()
    last[0] = before


def _written_anew(whole: object, lines: Lines) -> None:
    _update(whole, [orjson.dumps(orjson.loads(line), option=orjson.OPT_SORT_KEYS) for line in lines])


def _tree(signed: Signed) -> None:
    """What the plainer proofs leave out: the roots at all tree heads, and where tiles and log part."""
    sizes = [claim.size for claim in (head.claim for head in signed.evidence.heads) if claim is not None]
    walk = Walk(sizes, Tiled(signed.evidence.tree), Erased([]))
    with closing(sqlite_file.connect_still(signed.kept.log)) as connection:
        each = connection.execute("SELECT line FROM events ORDER BY global_position")
        while lines := [line for (line,) in islice(each, BATCH)]:
            walk.take(lines)
    if walk.size != signed.kept.events or walk.differing:
        raise WentWrong(f"the walk met {walk.size} events, and {walk.differing} that are not in the tiles")


def _audited(signed: Signed, edited: int | None) -> None:
    with closing(sqlite_file.connect_still(signed.kept.log)) as connection:
        rows = SqliteRows(connection, signed.kept.log)
        report = audit(rows if edited is None else Edited(rows, edited), TYPES, signed.evidence)
    _check(report, edited)


def _check(report: Report, edited: int | None) -> None:
    found = [finding.title for finding in report.findings]
    wanted = [] if edited is None else [f"EDITED at {edited}"]
    if found != wanted:
        raise WentWrong(f"the audit found {found}, and not {wanted}")


class Edited:
    """The rows of a log with another line at one position."""

    tabular: Final = True

    def __init__(self, rows: SqliteRows, position: int) -> None:
        self._rows = rows
        self._position = position

    def rows(self) -> Iterator[Row]:
        for row in self._rows.rows():
            yield (
                row
                if row[0] != self._position
                else (*row[:6], row[6].replace(b'"actor":"', b'"actor":"x', 1))
            )

    def of_types(self, types: frozenset[str]) -> Iterator[bytes]:
        return self._rows.of_types(types)

    def strange(self) -> Strange:
        return self._rows.strange()

    def broken(self) -> str:
        return self._rows.broken()


def _signed(kept: Corpus, folder: Path) -> Signed:
    """Tiles and tree heads in a folder of their own; the corpus is left as it is."""
    key, tiles, frontier = SigningKey.generate(ORIGIN), Tiles(folder), Frontier()
    heads: list[Stated] = []
    with closing(sqlite_file.connect_still(kept.log)) as connection:
        each = connection.execute("SELECT line FROM events ORDER BY global_position")
        while lines := [line for (line,) in islice(each, LINES_AT_ONCE)]:
            leaves = leaf_hashes(lines)
            tiles.extend(leaves)
            for start in range(0, len(leaves), BATCH):
                frontier.extend(leaves[start : start + BATCH])
                head = SignedHead.signed(TreeHead(ORIGIN, frontier.size, frontier.root()), [key])
                heads.append(Stated(head.note, f"tree head {len(heads) + 1}"))
    return Signed(kept, Evidence(heads, [key.verifying], (), folder))
