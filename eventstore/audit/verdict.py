"""Hold a log against its tree heads, its tiles and its own words; nothing is written, nothing is mended.

The leaves and roots are those of RFC 6962, the tree heads C2SP tlog-checkpoints. What a trusted key
signed is the measure; tiles are believed as far as they lead to such a tree head, and then they tell
the very event that is not what it was.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any, Final, Protocol

from eventstore.audit.erased import Erased, Erasure
from eventstore.audit.findings import Finding, Report
from eventstore.audit.heads import Judging, KeyChange, Stated
from eventstore.audit.lines import LineChecks, Row
from eventstore.audit.located import Located
from eventstore.audit.mirror import MirrorCheck
from eventstore.audit.standing import Standing
from eventstore.audit.tree import BATCH, Tiled, Walk
from eventstore.line import NotALine, parse
from eventstore.log import LogUnreadable
from eventstore.tree.signed_note import VerifyingKey

READ_NO_FURTHER: Final = "`evt recover` makes the log again from its mirror"
FROM_MIRROR: Final = "`evt recover` puts it back from the mirror"
GUARDS_AGAIN: Final = "`evt recover` makes the file again from its lines and the mirror"
TILES_AGAIN: Final = "delete logs/tree/tile: the next verb that writes makes the tiles again"


class Rows(Protocol):
    """A log to be audited, as of one moment: each call of `rows` begins anew at the first event.

    Both raise LogUnreadable where the file itself is damaged. `tabular`: it has columns beside the line.
    """

    @property
    def tabular(self) -> bool: ...

    def rows(self) -> Iterator[Row]: ...

    def of_types(self, types: frozenset[str]) -> Iterator[bytes]:
        """The lines of the events that are of these types, or that look so."""
        ...

    def strange(self) -> tuple[Sequence[str], Sequence[str]]:
        """How the file itself differs from what a log is made of; and what merely lies in it, too."""
        ...

    def broken(self) -> str:
        """What is wrong with the file's structure though each line could be read; empty where nothing is."""
        ...


@dataclass(frozen=True, slots=True)
class Types:
    """The types of the events that say: a text of an event was erased; another key signs from here on."""

    erased: str
    key_changed: str


@dataclass(frozen=True)
class Evidence:
    """What the log is held against. `keys` are trusted; `known` are named by the log's own folder alone.

    `tree` is the folder that holds the tiles.
    """

    heads: Sequence[Stated]
    keys: Sequence[VerifyingKey]
    known: Sequence[VerifyingKey] = ()
    tree: Path | None = None


@dataclass
class _Taken:
    """What came of the walk over all rows; `times` are those of the last events below tree heads."""

    walk: Walk
    lines: LineChecks
    times: dict[int, int] = field(default_factory=dict)
    damage: LogUnreadable | None = None


def audit(rows: Rows, types: Types, evidence: Evidence, mirror: MirrorCheck | None = None) -> Report:
    """Judge a log. Raises OSError where the disk fails."""
    erased, changes = _special(rows, types)
    tiles = Tiled(evidence.tree)
    sizes = [claim.size for claim in (one.claim for one in evidence.heads) if claim is not None]
    taken = _take_all(rows, Walk(sizes, tiles, erased), mirror)
    walk = taken.walk
    judged = Judging(evidence.keys, evidence.known, changes, walk.roots).judge(evidence.heads)
    standing = Standing(walk, judged, damaged=taken.damage is not None)
    located = Located(rows, tiles, erased)
    findings = _history(standing, located, taken.lines, mirror, tabular=rows.tabular)
    findings += standing.signatures(evidence.keys, evidence.heads)
    if taken.damage is not None:
        text = f"the file can be read up to event {walk.size} and not behind it: {taken.damage}"
        findings.append(Finding("LOG-DAMAGED", text, walk.size + 1, remedy=READ_NO_FURTHER))
    findings += standing.unproved(erased)
    notes = [
        f"event {position} is still to be erased: `evt erase --finish`" for position in sorted(erased.waiting)
    ]
    if taken.damage is None:
        if broken := rows.broken():
            text = f"every line can be read, and the file's structure is damaged: {broken}"
            findings.append(Finding("LOG-DAMAGED", text, remedy=GUARDS_AGAIN))
        wrong, more = rows.strange()
        notes += [f"{one} lies in the log's file and is none of its own" for one in more]
        if wrong:
            text = f"another program changed what guards the log's lines: {'; '.join(wrong)}"
            findings.append(Finding("LOG-CHANGED", text, count=len(wrong), remedy=GUARDS_AGAIN))
    if Report(walk.size, tuple(findings)).verdict != "TAMPERED":
        copies, said = _copies(standing, tiles, walk, mirror)
        findings += copies
        notes += said
    newest = standing.newest
    return Report(
        events=walk.size,
        findings=tuple(findings),
        notes=tuple(notes),
        head=None if newest is None else newest.signed,
        newest=None if newest is None else taken.times.get(newest.size),
        heads=len(standing.good),
        anchors=sum(head.stated.anchor for head in standing.good),
        erased=tuple(sorted(erased.buried)),
        origin=evidence.keys[0].name if evidence.keys else None,
    )


def _special(rows: Rows, types: Types) -> tuple[Erased, list[KeyChange]]:
    """What the log says of erasures and of keys. Whether it is to be believed is judged later."""
    erasures: list[Erasure] = []
    changes: list[KeyChange] = []
    try:
        for line in rows.of_types(frozenset({types.erased, types.key_changed})):
            try:
                event = parse(line)
            except NotALine:
                continue
            said: Any = event.data
            data = said if isinstance(said, dict) else {}
            if event.type == types.erased and (erasure := Erasure.said(event.global_position, data)):
                erasures.append(erasure)
            if event.type == types.key_changed and (change := KeyChange.said(event.global_position, data)):
                changes.append(change)
    except LogUnreadable:
        return Erased(erasures), changes  # the walk over all rows meets the damage, too, and tells of it
    return Erased(erasures), changes


def _take_all(rows: Rows, walk: Walk, mirror: MirrorCheck | None) -> _Taken:
    taken = _Taken(walk, LineChecks())
    check = taken.lines.take if rows.tabular else taken.lines.claims
    each = rows.rows()
    while taken.damage is None:
        batch: list[Row] = []
        try:
            batch.extend(islice(each, BATCH))
        except LogUnreadable as damage:
            taken.damage = damage
        if not batch:
            break
        start = walk.size
        content: list[Any] = [row[6] for row in batch]
        try:
            met = walk.take(content)
        except TypeError:  # another table than ours, whose column lets in more than bytes
            content = [line if isinstance(line, bytes) else str(line).encode() for line in content]
            met = walk.take(content)
        taken.times.update((size, batch[size - start - 1][5]) for size in met)
        check(batch)
        if mirror is not None:
            mirror.take(content)
    return taken


def _history(
    standing: Standing, located: Located, lines: LineChecks, mirror: MirrorCheck | None, *, tabular: bool
) -> list[Finding]:
    """Whether the log is what was signed, and if not, from where on."""
    findings: list[Finding] = []
    place = located.find(standing.good_before_trouble, standing.suspects) if standing.suspects else None
    at = None if place is None else place.first
    if place is not None and at is not None:
        if mirror is not None and mirror.holds(at, located.original):
            place = replace(place, text=f"{place.text}; the mirror has it as it was", remedy=FROM_MIRROR)
        findings.append(replace(place, good=standing.good_before_trouble, bad=standing.bad_from(at)))
    elif standing.suspects:
        findings += standing.between()
    own = lines.finding
    if own is None:
        return findings
    if lines.count > 1:
        own = replace(own, text=f"{own.text} (and {lines.count - 1} more such contradictions)")
    if own.first is not None and (at is None or own.first < at):
        findings.insert(0, own)
    elif at == own.first and (findings[0].kind, own.kind) == ("EDITED", "REMOVED") and tabular:
        # A gap in the column tells better what was done there.
        findings[0] = replace(
            findings[0], kind=own.kind, text=f"{findings[0].text}: {own.text}", last=own.last
        )
    return findings


def _copies(
    standing: Standing, tiles: Tiled, walk: Walk, mirror: MirrorCheck | None
) -> tuple[list[Finding], list[str]]:
    """The tiles and the mirror, beside a log that is as it was signed."""
    findings, notes = ([], []) if mirror is None else mirror.findings()
    if tiles.problem is not None:
        findings.append(Finding("TILES-DAMAGED", tiles.problem, remedy=TILES_AGAIN))
    elif walk.first_differing is not None:
        text = (
            f"the tiles have another hash for event {walk.first_differing + 1}"
            + (f" and {walk.differing - 1} more" if walk.differing > 1 else "")
        )  # fmt: skip
        findings.append(Finding("TILES-DAMAGED", text, remedy=TILES_AGAIN))
    elif tiles.size < standing.anchored and tiles.given:
        text = f"the tiles end at event {tiles.size}, before the newest tree head"
        findings.append(Finding("TILES-DAMAGED", text, remedy=TILES_AGAIN))
    return findings, notes
