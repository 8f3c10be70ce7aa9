"""A signed note: text with Ed25519 signatures that a person can read (c2sp.org/signed-note)."""

import re
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

ED25519: Final = b"\x01"
"""The signature type of plain Ed25519; a note's other signatures are of keys that we do not know."""

SIGNATURES_AT_MOST: Final = 16
"""A verifier must accept 16 and should have a limit."""

LONGEST: Final = 2**20
"""Bytes of a note, far above any of ours."""

EM_DASH: Final = "— "
KEY_SIZE: Final = 32
ID_SIZE: Final = 4
HEX_ID: Final = re.compile(r"[0-9a-f]{8}")
CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f]")


class NoteRefused(ValueError):
    """A note that cannot be trusted; the text says which rule it breaks."""


class KeyRefused(NoteRefused):
    """Text that is no key; it is not repeated, since it may be secret."""


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """The public key that checks the signatures of one name."""

    name: str
    key_id: bytes
    public: bytes

    def vkey(self) -> str:
        """As text: `<name>+<key id>+<type and key>`."""
        return f"{self.name}+{self.key_id.hex()}+{encoded(ED25519 + self.public)}"

    @classmethod
    def parse(cls, vkey: str) -> Self:
        """Read `vkey()`'s text. Raises KeyRefused."""
        name, key_id, public = _key_parts(vkey, "verifier key")
        if key_id != _key_id(name, public):
            raise KeyRefused(f"the verifier key of {name!r} has another key id than its name and key give")
        return cls(name, key_id, public)


class SigningKey:
    """The private key that signs for one name. Its repr shows the public half alone."""

    __slots__ = ("_private", "verifying")

    def __init__(self, name: str, private: Ed25519PrivateKey) -> None:
        _check_name(name)
        public = private.public_key().public_bytes_raw()
        self._private = private
        self.verifying: Final = VerifyingKey(name, _key_id(name, public), public)

    def __repr__(self) -> str:
        return f"SigningKey({self.verifying.vkey()!r})"

    @classmethod
    def generate(cls, name: str) -> Self:
        """A new key from the system's randomness. Raises KeyRefused for a name that notes cannot hold."""
        return cls(name, Ed25519PrivateKey.generate())

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `text()`'s text; white space round it is no matter. Raises KeyRefused."""
        parts = text.strip().split("+", 2)
        if len(parts) != 3 or parts[:2] != ["PRIVATE", "KEY"]:
            raise KeyRefused("a signing key begins with PRIVATE+KEY+")
        name, key_id, seed = _key_parts(parts[2], "signing key")
        key = cls(name, Ed25519PrivateKey.from_private_bytes(seed))
        if key.verifying.key_id != key_id:
            raise KeyRefused(f"the signing key of {name!r} has another key id than its name and key give")
        return key

    def text(self) -> str:
        """As text, secret: `PRIVATE+KEY+<name>+<key id>+<type and seed>`, as Go's note package writes it."""
        seed = self._private.private_bytes_raw()
        return f"PRIVATE+KEY+{self.verifying.name}+{self.verifying.key_id.hex()}+{encoded(ED25519 + seed)}"

    def signature(self, message: bytes) -> bytes:
        """The 64 bytes of the signature."""
        return self._private.sign(message)


def sign(text: str, keys: Sequence[SigningKey]) -> bytes:
    """The note over `text`, which ends in a newline, with a signature of each key, in their order.

    Raises NoteRefused where the text cannot be a note's.
    """
    if not keys or len({(key.verifying.name, key.verifying.key_id) for key in keys}) != len(keys):
        raise NoteRefused("a note is signed by one key or more, by each once")
    if len(keys) > SIGNATURES_AT_MOST:
        raise NoteRefused(f"a note has at most {SIGNATURES_AT_MOST} signatures")
    if not text.endswith("\n"):
        raise NoteRefused("the text of a note ends in a newline")
    _check_characters(text)
    try:
        message = text.encode()
    except UnicodeEncodeError as error:
        raise NoteRefused("the text of a note is Unicode, without halves of surrogate pairs") from error
    signatures = "".join(
        f"{EM_DASH}{key.verifying.name} {encoded(key.verifying.key_id + key.signature(message))}\n"
        for key in keys
    )
    return message + b"\n" + signatures.encode()


def opened(note: bytes, keys: Sequence[VerifyingKey]) -> tuple[str, tuple[VerifyingKey, ...]]:
    """The verified text, and which of the known keys signed it, each once, in the note's order.

    Signatures of unknown keys are ignored. Raises NoteRefused when the note breaks a rule of the
    form, when a known key's signature is false, and when no known key signed.
    """
    known = _known(keys)
    text, lines = _text_and_signatures(note)
    message = text.encode()
    signers: dict[VerifyingKey, None] = {}
    for line in lines:
        name, key_id, signature = _signature(line)
        if (key := known.get((name, key_id))) is None:
            continue
        try:
            Ed25519PublicKey.from_public_bytes(key.public).verify(signature, message)
        except InvalidSignature:
            raise NoteRefused(
                f"the signature of {name}+{key_id.hex()} is false: the text is not what was signed"
            ) from None
        signers[key] = None
    if not signers:
        raise NoteRefused("no known key signed it")
    return text, tuple(signers)


def encoded(content: bytes) -> str:
    """Standard base64 (RFC 4648, section 4)."""
    return b64encode(content).decode("ascii")


def decoded(text: str) -> bytes:
    """What `encoded` made. Raises ValueError for all else, other spellings of the same bytes too."""
    content = b64decode(text, validate=True)
    if encoded(content) != text:
        raise ValueError("not the base64 that encoding gives")
    return content


def _known(keys: Sequence[VerifyingKey]) -> dict[tuple[str, bytes], VerifyingKey]:
    known: dict[tuple[str, bytes], VerifyingKey] = {}
    for key in keys:
        if known.setdefault((key.name, key.key_id), key) != key:
            raise NoteRefused(f"two known keys are called {key.name}+{key.key_id.hex()}: which is meant?")
    return known


def _text_and_signatures(note: bytes) -> tuple[str, list[str]]:
    if len(note) > LONGEST:
        raise NoteRefused(f"a note has at most {LONGEST} bytes, this one {len(note)}")
    try:
        whole = note.decode()
    except UnicodeDecodeError as error:
        raise NoteRefused(f"a note is UTF-8: {error}") from error
    _check_characters(whole)
    text, gap, signatures = whole.rpartition("\n\n")
    if not gap:
        raise NoteRefused("an empty line divides a note's text from its signatures, and there is none")
    if not signatures.endswith("\n"):
        raise NoteRefused("a note ends with whole lines of signatures")
    lines = signatures[:-1].split("\n")
    if len(lines) > SIGNATURES_AT_MOST:
        raise NoteRefused(f"a note has at most {SIGNATURES_AT_MOST} signatures, this one {len(lines)}")
    return f"{text}\n", lines


def _signature(line: str) -> tuple[str, bytes, bytes]:
    if not line.startswith(EM_DASH):
        raise NoteRefused("a line of a signature begins with an em dash and a space")
    name, _, text = line.removeprefix(EM_DASH).partition(" ")
    _check_name(name)
    try:
        content = decoded(text)
    except ValueError as error:
        raise NoteRefused(f"the signature of {name!r} is no base64") from error
    if len(content) <= ID_SIZE:
        raise NoteRefused(f"the signature of {name!r} is no longer than its key id")
    return name, content[:ID_SIZE], content[ID_SIZE:]


def _key_parts(text: str, kind: str) -> tuple[str, bytes, bytes]:
    """Name, key id and 32 bytes of `<name>+<key id>+<base64 of type and bytes>`."""
    parts = text.split("+", 2)
    if len(parts) != 3:
        raise KeyRefused(f"a {kind} has a name, a key id and a key with + between them")
    name, key_id, content = parts
    _check_name(name)
    if not HEX_ID.fullmatch(key_id):
        raise KeyRefused(f"the key id in the {kind} of {name!r} is not 8 digits of lower-case hex")
    try:
        key = decoded(content)
    except ValueError as error:
        raise KeyRefused(f"the {kind} of {name!r} is no base64") from error
    if key[:1] != ED25519 or len(key) != 1 + KEY_SIZE:
        raise KeyRefused(f"the {kind} of {name!r} is none of Ed25519 (type 1, 32 bytes)")
    return name, bytes.fromhex(key_id), key[1:]


def _key_id(name: str, public: bytes) -> bytes:
    return sha256(name.encode() + b"\n" + ED25519 + public).digest()[:ID_SIZE]


def _check_name(name: str) -> None:
    if not name or "+" in name or any(character.isspace() for character in name):
        raise KeyRefused(f"{name!r} is no key's name: not empty, no spaces, no +")
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise KeyRefused(f"{name!r} is no key's name: it is no Unicode") from error


def _check_characters(text: str) -> None:
    if found := CONTROL.search(text):
        raise NoteRefused(f"a note has no control character but the newline, and there is {found[0]!r}")
