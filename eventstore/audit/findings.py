"""What an audit has found, and the verdict that follows from it."""

from dataclasses import dataclass
from typing import Final, Literal

from eventstore.tree.head import SignedHead

Verdict = Literal["OK", "TAMPERED", "DAMAGED", "UNVERIFIABLE"]

Tampering = Literal[
    "EDITED", "REMOVED", "INSERTED", "REORDERED", "FORKED", "TRUNCATED", "BAD-SIGNATURE", "VIEWS-DIVERGED"
]
Damage = Literal["LOG-DAMAGED", "LOG-CHANGED", "TILES-DAMAGED", "MIRROR-DIFFERS"]
Lack = Literal["NO-HEAD", "NO-KEY", "OTHER-LOG", "ERASURE-UNPROVED"]
Kind = Tampering | Damage | Lack

DAMAGES: Final = frozenset({"LOG-DAMAGED", "LOG-CHANGED", "TILES-DAMAGED", "MIRROR-DIFFERS"})
PLACELESS: Final = frozenset({"BAD-SIGNATURE", "VIEWS-DIVERGED"})
LACKS: Final = frozenset({"NO-HEAD", "NO-KEY", "OTHER-LOG", "ERASURE-UNPROVED"})


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong. Positions are global positions.

    The first bad event is `first`; with `exact` False it is one of first..last, and which cannot be told.
    `count` events are concerned, where that is known. `good` and `bad` are the sizes of the last tree
    head that holds before it and of the first one that does not.
    """

    kind: Kind
    text: str
    first: int | None = None
    last: int | None = None
    exact: bool = True
    count: int = 1
    good: int | None = None
    bad: int | None = None
    remedy: str = ""

    @property
    def title(self) -> str:
        """The kind with its place, as one names it."""
        if self.kind == "TRUNCATED":
            return f"TRUNCATED by {self.count}"
        if self.first is None or self.kind in PLACELESS:
            return self.kind
        return (
            f"{self.kind} at {self.first}"
            if self.exact
            else f"{self.kind} between {self.first} and {self.last}"
        )


@dataclass(frozen=True, slots=True)
class Report:
    """What is proved and what is not.

    `events` is what the log holds; `head` is the newest tree head that it agrees with, `newest` the
    moment (µs) of the last event below that head. With how many `heads` it agrees, and how many of them
    were kept elsewhere (`anchors`). `erased` are positions of events of which texts were erased,
    provably; `notes` are sentences about what is no fault.
    """

    events: int
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    head: SignedHead | None = None
    newest: int | None = None
    heads: int = 0
    anchors: int = 0
    erased: tuple[int, ...] = ()
    origin: str | None = None

    @property
    def anchored(self) -> int:
        """So many events, from the first on, stand under a tree head."""
        return 0 if self.head is None else self.head.head.size

    @property
    def unanchored(self) -> int:
        return max(0, self.events - self.anchored)

    @property
    def verdict(self) -> Verdict:
        kinds = {finding.kind for finding in self.findings}
        if kinds - DAMAGES - LACKS:
            return "TAMPERED"
        if kinds & DAMAGES:
            return "DAMAGED"
        return "UNVERIFIABLE" if kinds else "OK"
