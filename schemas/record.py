"""The log's own record of itself: signed tree heads, the keys that sign them, and what was erased."""

from typing import ClassVar, Literal

from pydantic import Field

from schemas import names
from schemas.service import SystemCommand
from schemas.word import Count, Fact, Sha256

HeadReason = Literal["events", "time", "shutdown", "verb", "rotation", "erasure"]
"""Why a tree head was due."""

Position = Count
"""A global position."""


class TreeHeadSigned(Fact):
    """A tree head is made over all events up to this one; `key` is the id of the key that signs it.

    `size_before` and `root_before` are the tree head before it, as this signer knows it: 0 and null
    for the first. The head itself stands in the folder of the tree: no event can hold its own hash.
    """

    TYPE: ClassVar[str] = names.TREE_HEAD_SIGNED
    key: str
    reason: HeadReason
    size_before: Count
    root_before: Sha256 | None


class TreeHeadRefused(Fact):
    """The signer does not sign: the log is not the one that it signed before, or its key is not here."""

    TYPE: ClassVar[str] = names.TREE_HEAD_REFUSED
    problem: str


class SigningKeyChanged(Fact):
    """From here on `vkey` signs. With `previous` that key signs the next tree head, too.

    Without it the key before is lost: who trusted that one has to be told of the new one.
    """

    TYPE: ClassVar[str] = names.SIGNING_KEY_CHANGED
    key: str
    vkey: str
    previous: str | None


class EventErased(Fact):
    """`fields` of the event at `position` are replaced by `[erased]`, and `blobs` are emptied.

    `leaf` is the hash of the line as it was, which the tree keeps; `tombstone` that of the line
    that stands there now.
    """

    TYPE: ClassVar[str] = names.EVENT_ERASED
    position: Position = Field(ge=1)
    leaf: Sha256
    tombstone: Sha256
    fields: tuple[str, ...]
    blobs: tuple[Sha256, ...]
    reason: str


class ErasureFinished(Fact):
    """The receipt: log, mirror, views, blobs and files no longer hold what was erased."""

    TYPE: ClassVar[str] = names.ERASURE_FINISHED
    position: Position = Field(ge=1)
    files: tuple[str, ...]


class NoteTreeHead(SystemCommand):
    key: str
    reason: HeadReason
    size_before: Count
    root_before: Sha256 | None


class NoteTreeHeadRefused(SystemCommand):
    problem: str


class ChangeSigningKey(SystemCommand):
    key: str
    vkey: str
    previous: str | None


class EraseEvent(SystemCommand):
    position: Position = Field(ge=1)
    leaf: Sha256
    tombstone: Sha256
    fields: tuple[str, ...]
    blobs: tuple[Sha256, ...]
    reason: str


class FinishErasure(SystemCommand):
    position: Position = Field(ge=1)
    files: tuple[str, ...]
