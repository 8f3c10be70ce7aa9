"""A tree head: how large the log's tree is and its root, signed (c2sp.org/tlog-checkpoint)."""

import os
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from eventstore.regular_file import read_regular, regular
from eventstore.tree.merkle import HASH_SIZE
from eventstore.tree.signed_note import NoteRefused, SigningKey, VerifyingKey, decoded, encoded, opened, sign

SIZE: Final = re.compile(r"0|[1-9][0-9]{0,18}")
"""A decimal without leading zeroes that fits into 64 bits, or nearly."""

NOTE: Final = re.compile(rb"((?:[^\n]+\n)+\n(?:\xe2\x80\x94 [^\n]+\n)+)(?:\n|\Z)")
"""A note whose text has no empty line, as a tree head has none, and the empty line behind it.

Of the very last one that line may be missing: the note is whole.
"""

LAST_LINE: Final = re.compile(rb"\n\xe2\x80\x94 [^\n]+\n(?:\n|\Z)")
"""Where a note in such a file ends."""

BEGINNING: Final = re.compile(rb"(?:[^\n\r]+\n){0,8}(?:[^\n\r]+|\n(?:\xe2\x80\x94 [^\n\r]+\n)*[^\n\r]*)?\0*")
"""What a write that was broken off may leave of one note."""

TAIL: Final = 2**18
"""Bytes at the end of the notes, more than any one of them has."""


@dataclass(frozen=True, slots=True)
class TreeHead:
    """Whose log it is, its number of leaves, and the root hash of 32 bytes over them."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """The text that is signed."""
        return f"{self.origin}\n{self.size}\n{encoded(self.root)}\n"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a note's text; its extension lines are passed over. Raises NoteRefused."""
        lines = text.split("\n")
        if len(lines) < 4 or lines.pop() or not all(lines):
            raise NoteRefused("a tree head has three lines or more, none of them empty")
        origin, size, root = lines[:3]
        if not SIZE.fullmatch(size):
            raise NoteRefused(f"the size of a tree head is a plain decimal, not {size[:40]!r}")
        try:
            content = decoded(root)
        except ValueError as error:
            raise NoteRefused("the root of a tree head is no base64") from error
        if len(content) != HASH_SIZE:
            raise NoteRefused(f"the root of a tree head has {HASH_SIZE} bytes, not {len(content)}")
        return cls(origin, int(size), content)


@dataclass(frozen=True, slots=True)
class SignedHead:
    """A tree head, the note that carries it, and the known keys that signed it."""

    head: TreeHead
    note: bytes
    signers: tuple[VerifyingKey, ...]

    @classmethod
    def signed(cls, head: TreeHead, keys: Sequence[SigningKey]) -> Self:
        """Sign a head; whether it fits to those before it is the caller's to know. Raises NoteRefused."""
        if TreeHead.parse(text := head.text()) != head:
            raise NoteRefused(f"this is no tree head: {head}")
        return cls(head, sign(text, keys), tuple(key.verifying for key in keys))

    @classmethod
    def opened(cls, note: bytes, keys: Sequence[VerifyingKey], origin: str | None = None) -> Self:
        """Verify a note and read its head, with `origin` only one of that log. Raises NoteRefused."""
        text, signers = opened(note, keys)
        head = TreeHead.parse(text)
        if origin is not None and head.origin != origin:
            raise NoteRefused(f"it heads the log {head.origin!r}, not {origin!r}")
        return cls(head, note, signers)


class NotesDamaged(Exception):
    """The file of notes holds something that is neither a note nor the beginning of one."""


def read_notes(path: Path) -> tuple[list[bytes], bytes]:
    """The notes of a file, oldest first, none verified; and what stands behind the last whole one.

    That rest is empty, or the beginning of a note whose writing was broken off, or damage.
    A file that is not there holds no notes. Raises OSError.
    """
    try:
        content = read_regular(path)
    except FileNotFoundError:
        return [], b""
    notes, end = _notes(content)
    return notes, content[end:]


def append_note(path: Path, note: bytes) -> bytes:
    """Add a note, durably, and return what was cut off before it: a torn beginning, or nothing.

    What is torn was never acknowledged, because this returns after fsync only. Raises ValueError
    for a note whose text has an empty line, NotesDamaged, OSError; the notes are then as they were.
    """
    if (found := NOTE.fullmatch(note)) is None or found[1] != note:
        raise ValueError("only a note whose text has no empty line can stand in a file of notes")
    new = not path.exists()
    with open(path, "a+b", buffering=0, opener=regular) as file:
        start = max(0, file.seek(0, os.SEEK_END) - TAIL)
        file.seek(start)
        tail = file.readall()
        end = max((found.end() for found in LAST_LINE.finditer(tail)), default=0)
        torn = tail[end:]
        if (start and not end) or not BEGINNING.fullmatch(torn):
            raise NotesDamaged(
                f"{path} holds no signed note at byte {start + end}; put the file back from a backup, "
                "or let `evt recover` take out what is none"
            )
        missing = b"" if not end or tail.endswith(b"\n\n", 0, end) else b"\n"
        try:
            file.truncate(start + end)
            left = memoryview(missing + note + b"\n")
            while left:
                left = left[file.write(left) :]
            os.fsync(file.fileno())
        except OSError:
            # A full disk must not leave half a note behind for readers; the next one would cut it.
            with suppress(OSError):
                file.truncate(start + end)
            raise
    if new:
        _sync_folder(path.parent)
    return torn


def _notes(content: bytes) -> tuple[list[bytes], int]:
    notes, end = [], 0
    while found := NOTE.match(content, end):
        notes.append(found[1])
        end = found.end()
    return notes, end


def _sync_folder(folder: Path) -> None:
    """Make the name of a new file durable; Windows knows no such thing."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
