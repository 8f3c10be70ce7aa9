"""Tree heads as somebody states them, and which of them a trusted key has signed."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from eventstore.tree.head import BEGINNING, NOTE, SignedHead, TreeHead
from eventstore.tree.signed_note import NoteRefused, VerifyingKey, opened


@dataclass(frozen=True, slots=True)
class Stated:
    """A tree head that nobody has verified. `place` says where it stands, as a sentence names it.

    An `anchor` was kept elsewhere than beside the log: who rewrote the log did not rewrite it.
    """

    note: bytes
    place: str
    anchor: bool = False

    @property
    def claim(self) -> TreeHead | None:
        """What the note says, signed or not; None where it says nothing that can be read."""
        text, gap, _ = self.note.rpartition(b"\n\n")
        try:
            return TreeHead.parse(text.decode() + "\n") if gap else None
        except (NoteRefused, UnicodeDecodeError):
            return None


@dataclass(frozen=True, slots=True)
class KeyChange:
    """What the event at the global position `event` says: now `key` signs, after that of id `previous`."""

    event: int
    key: VerifyingKey
    previous: str | None

    @classmethod
    def said(cls, event: int, data: Mapping[str, Any]) -> "KeyChange | None":
        """By the payload of an event that changes keys; None for one that says nothing of the kind."""
        vkey, previous = data.get("vkey"), data.get("previous")
        try:
            key = VerifyingKey.parse(vkey) if isinstance(vkey, str) else None
        except NoteRefused:
            return None
        return None if key is None else cls(event, key, previous if isinstance(previous, str) else None)


@dataclass(frozen=True, slots=True)
class Trusted:
    """A tree head that a trusted key signed, of the log that the key is of."""

    stated: Stated
    signed: SignedHead

    @property
    def size(self) -> int:
        return self.signed.head.size

    @property
    def root(self) -> bytes:
        return self.signed.head.root


@dataclass
class Judged:
    """`refused` are those that no trusted key vouches for, with the reason; `foreign` are of another log.

    `keys` are all that are trusted in the end; `retired` maps those that another one has replaced to the
    size of the tree head that did it: they vouch for no larger one. `older` counts tree heads with the
    log's own root that were signed before the keys came in which were given, by ones that were not.
    """

    keys: list[VerifyingKey]
    trusted: list[Trusted] = field(default_factory=list)
    refused: list[tuple[Stated, str]] = field(default_factory=list)
    foreign: list[tuple[Stated, str]] = field(default_factory=list)
    retired: dict[VerifyingKey, int] = field(default_factory=dict)
    older: int = 0


class Judging:
    """Sorts tree heads by who signed them. `keys` are trusted; `known` are named by the log's own folder.

    Another key is trusted when an event that changes keys names it together with a trusted one, that
    event stands under a tree head with the log's own root (one of `roots`, by size), and both signed it.
    """

    def __init__(
        self,
        keys: Sequence[VerifyingKey],
        known: Sequence[VerifyingKey],
        changes: Sequence[KeyChange],
        roots: Mapping[int, bytes],
    ) -> None:
        self._known = known
        self._changes = changes
        self._roots = roots
        self.judged = Judged(list(keys))

    def judge(self, stated: Iterable[Stated]) -> Judged:
        judged, given = self.judged, tuple(self.judged.keys)
        origins = {key.name for key in given}
        left: list[tuple[TreeHead, Stated]] = []
        for one in stated:
            claim = one.claim
            if claim is None:
                judged.refused.append((one, "it is no tree head"))
            elif claim.origin not in origins and one.anchor:
                judged.foreign.append((one, claim.origin))
            elif claim.origin not in origins:
                judged.refused.append((one, f"it heads another log, {claim.origin}"))
            else:
                left.append((claim, one))
        # From the smallest on: a key is brought in before the first tree head that it signs alone.
        left.sort(key=lambda pair: pair[0].size)
        known = 0
        while left and known < len(judged.keys):
            known = len(judged.keys)
            left = [pair for pair in left if not self._opened(*pair)]
        since = min((one.event for one in self._changes if one.key in given), default=0)
        for claim, one in left:
            if claim.size < since and self._roots.get(claim.size) == claim.root:
                judged.older += 1
            else:
                judged.refused.append((one, self._why_not(claim, one)))
        judged.trusted.sort(key=lambda head: head.size)
        return judged

    def _opened(self, claim: TreeHead, one: Stated) -> bool:
        judged = self.judged
        try:
            signed = self._verified(claim, one)
        except NoteRefused:
            return False
        judged.trusted.append(Trusted(one, signed))
        if self._roots.get(claim.size) == claim.root:
            for old, new in self._introduced(signed):
                judged.keys += [key for key in (old, new) if key not in judged.keys]
                judged.retired.setdefault(old, claim.size)
        return True

    def _verified(self, claim: TreeHead, one: Stated) -> SignedHead:
        """Raises NoteRefused."""
        signed = SignedHead.opened(one.note, self.judged.keys, claim.origin)
        if all(self.judged.retired.get(key, claim.size) < claim.size for key in signed.signers):
            raise NoteRefused("only a key signed it that another one has replaced before")
        return signed

    def _introduced(self, signed: SignedHead) -> Iterator[tuple[VerifyingKey, VerifyingKey]]:
        """Pairs of an old key and the new one, of which one is trusted and the other signed with it."""
        for change in self._changes:
            if change.event > signed.head.size or change.key.name != signed.head.origin:
                continue
            for old in (*self.judged.keys, *self._known):
                pair = (old, change.key)
                # Forward from the old key, or backward for whoever was handed the new one alone.
                if (
                    old.key_id.hex() == change.previous
                    and (old in self.judged.keys) != (change.key in self.judged.keys)
                    and _all_signed(signed.note, pair)
                ):
                    yield pair

    def _why_not(self, claim: TreeHead, one: Stated) -> str:
        try:
            self._verified(claim, one)
        except NoteRefused as why:
            for change in self._changes:
                if change.previous is None and _all_signed(one.note, (change.key,)):
                    return (
                        f"its key {change.key.key_id.hex()} was brought in by event {change.event} without "
                        "the signature of the key before, which was said to be lost: if you know of that, "
                        "give both with --key"
                    )
            return str(why)
        return "its key became known too late"


def _all_signed(note: bytes, keys: Sequence[VerifyingKey]) -> bool:
    try:
        _, signers = opened(note, keys)
    except NoteRefused:
        return False
    return set(signers) == set(keys)


def is_signed(note: bytes, keys: Sequence[VerifyingKey]) -> bool:
    """Whether one of the keys signed it, and none of them falsely."""
    try:
        opened(note, keys)
    except NoteRefused:
        return False
    return True


def stated_in(content: bytes, place: str, *, anchor: bool = False) -> tuple[list[Stated], bytes]:
    """The tree heads of a file of notes, whole or not, and the rest: what a write cut short has left.

    `place` names the file. What is no note stands among them all the same, since somebody has hurt it.
    """
    found: list[Stated] = []
    at = 0
    while at < len(content):
        note = NOTE.match(content, at)
        if note is None and BEGINNING.fullmatch(content, at):
            return found, content[at:]
        # A note that was hurt ends where the next one begins that was not.
        later = (
            None
            if note
            else next((one for one in NOTE.finditer(content, at + 1) if _begins(content, one)), None)
        )
        end = note.end() if note else later.start() if later else len(content)
        text = note[1] if note else content[at:end]
        found.append(Stated(text, f"tree head {len(found) + 1} of {place}", anchor))
        at = end
    return found, b""


def _begins(content: bytes, note: re.Match[bytes]) -> bool:
    """Whether it stands behind an empty line, as each but the first one does."""
    return content.endswith(b"\n\n", 0, note.start())
