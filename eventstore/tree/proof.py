"""A proof in one text file that a line stands in the log, to be checked offline (c2sp.org/tlog-proof)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from eventstore.tree.head import SIZE, SignedHead
from eventstore.tree.merkle import HASH_SIZE, is_included, leaf_hash
from eventstore.tree.signed_note import LONGEST, NoteRefused, VerifyingKey, decoded, encoded

FIRST_LINE: Final = "c2sp.org/tlog-proof@v1"
HASHES_AT_MOST: Final = 64


class ProofRefused(NoteRefused):
    """A proof that proves nothing; the text says why."""


@dataclass(frozen=True, slots=True)
class Proof:
    """The index of a leaf (from 0), the hashes from its sibling up to the root, the signed tree head.

    `extra` is for the application, and nobody vouches for it.
    """

    index: int
    hashes: tuple[bytes, ...]
    note: bytes
    extra: bytes = b""

    def text(self) -> str:
        """As the file `*.tlog-proof` holds it."""
        lines = [FIRST_LINE]
        if self.extra:
            lines.append(f"extra {encoded(self.extra)}")
        lines.append(f"index {self.index}")
        lines.extend(encoded(each) for each in self.hashes)
        return "\n".join(lines) + "\n\n" + self.note.decode()

    @classmethod
    def parse(cls, text: str | bytes) -> Self:
        """Read `text()`'s text; the note in it is not verified yet. Raises ProofRefused."""
        if len(text) > 2 * LONGEST:
            raise ProofRefused(f"a proof has at most {2 * LONGEST} bytes")
        if isinstance(text, bytes):
            try:
                text = text.decode()
            except UnicodeDecodeError as error:
                raise ProofRefused(f"a proof is UTF-8: {error}") from error
        if not text.startswith(f"{FIRST_LINE}\n"):
            raise ProofRefused(f"the first line of a proof is {FIRST_LINE}, ended by a newline alone")
        above, gap, note = text.partition("\n\n")
        if not gap or not note:
            raise ProofRefused("a proof ends with an empty line and a signed tree head, and there is none")
        lines = above.split("\n")[1:]
        extra = b""
        if lines and lines[0].startswith("extra "):
            extra = _content(lines.pop(0).removeprefix("extra "), "extra data")
            if not extra:
                raise ProofRefused("a proof without extra data has no line for it")
        kind, _, index = lines.pop(0).partition(" ") if lines else ("", "", "")
        if kind != "index" or not SIZE.fullmatch(index):
            raise ProofRefused("a proof names the index of the leaf: the word index and a plain decimal")
        if len(lines) > HASHES_AT_MOST:
            raise ProofRefused(f"a proof has at most {HASHES_AT_MOST} hashes, this one {len(lines)}")
        hashes = tuple(_content(line, "hash") for line in lines)
        if any(len(each) != HASH_SIZE for each in hashes):
            raise ProofRefused(f"each hash of a proof has {HASH_SIZE} bytes")
        return cls(int(index), hashes, note.encode(errors="surrogatepass"), extra)

    def check(self, line: bytes, keys: Sequence[VerifyingKey], origin: str | None = None) -> SignedHead:
        """The verified tree head that holds this line (without its newline) at this index.

        A key vouches for the log that bears the key's name. Raises NoteRefused for the tree head,
        ProofRefused where the hashes do not lead from the line to its root.
        """
        return self.check_leaf(leaf_hash(line), keys, origin)

    def check_leaf(self, leaf: bytes, keys: Sequence[VerifyingKey], origin: str | None = None) -> SignedHead:
        """`check` by the hash of the leaf, for a line that was erased."""
        signed = SignedHead.opened(self.note, keys, origin)
        head = signed.head
        if all(key.name != head.origin for key in signed.signers):
            raise ProofRefused(f"none of the known keys that signed it is a key of the log {head.origin!r}")
        if self.index >= head.size:
            raise ProofRefused(f"leaf {self.index} lies past the tree's size, {head.size}")
        if not is_included(self.index, head.size, leaf, self.hashes, head.root):
            raise ProofRefused(
                f"the hashes do not lead from the line to the root of the tree: it was not leaf {self.index}"
            )
        return signed


def _content(text: str, what: str) -> bytes:
    try:
        return decoded(text)
    except ValueError as error:
        raise ProofRefused(f"the {what} in the proof is no base64") from error
