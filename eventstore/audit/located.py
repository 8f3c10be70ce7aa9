"""The very place where a log leaves what was signed, found with the help of the tiles."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice
from typing import Protocol

from eventstore.audit.erased import Erased
from eventstore.audit.findings import Finding
from eventstore.audit.heads import Trusted
from eventstore.audit.lines import Row
from eventstore.audit.place import WINDOW, place
from eventstore.audit.tree import BATCH, Tiled, split
from eventstore.log import LogUnreadable
from eventstore.tree.merkle import Frontier, leaf_hashes


class Lines(Protocol):
    """A log's rows, from the first on at each call."""

    def rows(self) -> Iterator[Row]: ...


class Located:
    """`original` is the hash of the line that stood at the place that was found."""

    def __init__(self, lines: Lines, tiles: Tiled, erased: Erased) -> None:
        self.original: bytes | None = None
        self._lines = lines
        self._tiles = tiles
        self._erased = erased

    def find(self, good: int, suspects: Sequence[Trusted]) -> Finding | None:
        """The place behind the first `good` events, which the log has as they were signed.

        None where the tiles lead to none of the suspected tree heads.
        """
        truth = self._truth(good, suspects)
        if not truth:
            return None
        at = good
        for lines, leaves in self._from(good):
            true = truth[at - good : at - good + len(leaves)]
            unlike = next(
                (n for n, pair in enumerate(zip(leaves, true, strict=False)) if pair[0] != pair[1]), None
            )
            if unlike is not None:
                return self._placed(at + unlike, truth[at + unlike - good :])
            if len(true) < len(leaves):
                return None  # what else is wrong lies behind all that the tiles prove
            at += len(lines)
        missing = suspects[-1].size - at
        text = f"the log ends at event {at}; {missing} more were signed by {suspects[-1].stated.place}"
        return Finding("TRUNCATED", text, at + 1, suspects[-1].size, count=missing)

    def _placed(self, at: int, truth: Sequence[bytes]) -> Finding:
        lines: list[bytes] = []
        leaves: list[bytes] = []
        for some, hashes in self._from(at):
            lines += some
            leaves += hashes
            if len(lines) >= WINDOW:
                break
        self.original = truth[0]
        return place(at, lines, leaves, truth[:WINDOW])

    def _truth(self, good: int, suspects: Sequence[Trusted]) -> list[bytes]:
        """The leaves behind `good` in the tiles, up to the largest tree head to which they lead."""
        frontier = Frontier()
        for start, (_, leaves) in zip(range(0, good, BATCH), self._from(0), strict=False):
            frontier.extend(leaves[: good - start])
        found: list[bytes] = []
        proved = 0
        for head in sorted(suspects, key=lambda head: head.size):
            for chunk in self._tiled(frontier.size, head.size):
                frontier.extend(chunk)
                found += chunk
            if frontier.size != head.size:
                break
            if frontier.root() == head.root:
                proved = len(found)
        return found[:proved]

    def _tiled(self, start: int, stop: int) -> Iterator[list[bytes]]:
        while start < stop:
            until = min(stop, start - start % BATCH + BATCH)
            chunk = split(self._tiles.read(start, until))
            if not chunk:
                return
            yield chunk
            start += len(chunk)

    def _from(self, start: int) -> Iterator[tuple[list[bytes], list[bytes]]]:
        """The log's lines from an index on, with their leaves, as far as they can be read."""
        each = islice(self._lines.rows(), start, None)
        readable = True
        while readable:
            batch: list[bytes] = []
            with suppress(LogUnreadable):
                readable = False
                batch.extend(_content(row) for row in islice(each, BATCH))
                readable = bool(batch)
            leaves = leaf_hashes(batch)
            self._erased.apply(batch, leaves)
            if batch:
                yield batch, leaves


def _content(row: Row) -> bytes:
    line: object = row[6]
    return line if isinstance(line, bytes) else str(line).encode()
