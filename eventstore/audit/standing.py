"""How the trusted tree heads stand to the log: which it agrees with, which not, which lie beyond its end."""

from collections.abc import Sequence
from typing import Final

from eventstore.audit.erased import Erased
from eventstore.audit.findings import Finding
from eventstore.audit.heads import Judged, Stated, Trusted, is_signed
from eventstore.audit.tree import Walk
from eventstore.tree.signed_note import VerifyingKey

KEPT_ASIDE: Final = (
    "once it is known how that came, `evt recover` keeps it aside and goes on from those that are whole"
)


class Standing:
    """`suspects` are the tree heads that the log does not agree with, or is too short for, by size."""

    def __init__(self, walk: Walk, judged: Judged, *, damaged: bool) -> None:
        self.good = [head for head in judged.trusted if walk.roots.get(head.size) == head.root]
        self.newest = self.good[-1] if self.good else None
        self.anchored = 0 if self.newest is None else self.newest.size
        self._size = walk.size
        self._judged = judged
        self._bad = [
            head for head in judged.trusted if head.size <= walk.size and walk.roots[head.size] != head.root
        ]
        # How long a log was that can be read in part only is not known.
        self._beyond = [] if damaged else [head for head in judged.trusted if head.size > walk.size]
        self.suspects: list[Trusted] = [*self._bad, *self._beyond]
        self.good_before_trouble = self._good_before_head(self.suspects[0]) if self.suspects else 0

    def bad_from(self, position: int) -> int | None:
        """The size of the first tree head that covers the event and does not hold."""
        return next((head.size for head in self.suspects if head.size >= position), None)

    def between(self) -> list[Finding]:
        """What can be said where no tiles tell the place."""
        good, findings = self.good_before_trouble, []
        if self._bad:
            bad = self._bad[0]
            findings.append(self._parted(good, bad))
        if self._beyond:
            missing = self._beyond[-1].size - self._size
            last = f"{self._beyond[-1].stated.place} covers {self._beyond[-1].size} events"
            text = f"the log ends at event {self._size}, and {last}"
            proved = good == self._size
            if not proved and not self._bad:
                text += (
                    f"; whether events {good + 1} to {self._size} are as they were recorded cannot be told"
                )
            findings.append(
                Finding(
                    "TRUNCATED",
                    text,
                    self._size + 1 if proved or self._bad else good + 1,
                    self._beyond[-1].size,
                    exact=proved,
                    count=missing,
                    good=self._good_before(self._beyond[0].size),
                    bad=self._beyond[0].size,
                )
            )
        return findings

    def _parted(self, good: int, bad: Trusted) -> Finding:
        """Two trees: of a signed history that goes on beside this one, or one tree that was made anew."""
        held = f"the tree head over {good} events holds" if good else "no tree head before it holds"
        span = (good + 1, bad.size)
        if self._signed_past(bad):
            text = f"{bad.stated.place}, over {bad.size} events, is of another history than a later one"
            return Finding("FORKED", text, *span, exact=False, good=good, bad=bad.size)
        if bad.stated.anchor:
            text = f"{bad.stated.place}, over {bad.size} events, is of another history; {held}"
            return Finding("FORKED", text, *span, exact=False, good=good, bad=bad.size)
        text = f"{bad.stated.place}, over {bad.size} events, does not hold; {held}; no tiles tell the place"
        return Finding("EDITED", text, *span, exact=False, good=good, bad=bad.size)

    def signatures(self, keys: Sequence[VerifyingKey], stated: Sequence[Stated]) -> list[Finding]:
        """Tree heads that nobody vouches for, and what is lacking."""
        if not stated:
            return [Finding("NO-HEAD", "there is no signed tree head to hold the log against")]
        if not keys:
            return [
                Finding("NO-KEY", "there is no public key to check the tree heads with: give one with --key")
            ]
        findings = []
        for one, origin in self._judged.foreign[:1]:
            text = f"{one.place} is of another log, {origin}; the key is of {keys[0].name}"
            findings.append(Finding("OTHER-LOG", text))
        refused = sorted(self._judged.refused, key=lambda pair: _size(pair[0]))
        # What lies below a tree head that holds needs no smaller one; a false one is told of all the same.
        if refused:
            one, why = refused[0]
            good = self._good_before(_size(one))
            many = f" (and {len(refused) - 1} more)" if len(refused) > 1 else ""
            held = f"; no tree head vouches for what follows event {good}" if self.anchored == good else ""
            text = f"{one.place}{_over(one)}: {why}{many}{held}"
            first = good + 1 if self.anchored == good else None
            last = None if first is None else max(self._size, _size(one))
            remedy = "" if one.anchor or is_signed(one.note, self._judged.keys) else KEPT_ASIDE
            findings.append(
                Finding(
                    "BAD-SIGNATURE",
                    text,
                    first,
                    last,
                    exact=False,
                    good=good,
                    bad=_size(one),
                    remedy=remedy,
                )
            )
        return findings

    def unproved(self, erased: Erased) -> list[Finding]:
        """Erasures that stand behind the newest tree head: nobody has signed that they were meant."""
        return [
            Finding(
                "ERASURE-UNPROVED",
                f"texts of event {position} were erased, and event {event}, which orders it, stands under no "
                "tree head here",
                position,
                remedy="hold the log against a newer tree head; `evt erase --finish` has one signed",
            )
            for position, event in sorted(erased.buried.items())
            if event > self.anchored
        ]

    def _signed_past(self, bad: Trusted) -> bool:
        return any(head.size >= bad.size for head in self.good)

    def _good_before_head(self, bad: Trusted) -> int:
        """The size of the last tree head that holds before this one does not.

        One key has signed two histories where a later one holds, too: then it may have signed the earlier
        ones anew, and only those count that were kept elsewhere.
        """
        forked = bad in self._bad and self._signed_past(bad)
        heads = [head.size for head in self.good if head.stated.anchor or not forked]
        return max((size for size in heads if size < bad.size), default=0)

    def _good_before(self, size: int) -> int:
        return max((head.size for head in self.good if head.size < size), default=0)


def _size(stated: Stated) -> int:
    claim = stated.claim
    return 0 if claim is None else claim.size


def _over(stated: Stated) -> str:
    claim = stated.claim
    return "" if claim is None else f", over {claim.size} events"
