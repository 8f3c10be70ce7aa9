"""Ids: one that says when it was made, and one that follows from another id."""

import re
from hashlib import sha1
from typing import Final
from uuid import UUID

FOLLOWING = UUID("5b0f6d4e-3c5b-5d8e-9c7b-0a1f2e3d4c5b")
"""Namespace of ids that follow from a name which is no UUID itself."""

_CANONICAL: Final = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")

RANDOM_BYTES = 8
"""How many random bytes `uuid7` takes."""


def command_event_id(command_id: str, index: int) -> str:
    """The id of a command's event: deciding twice gives the same ids (UUIDv5).

    The command's id is the namespace; one that is no UUID is made one first, the same way each time.
    """
    return _uuid5(_namespace(command_id), str(index))


def following_id(of: str, name: str) -> str:
    """The id of what follows from `of`, told apart from its other followers by `name` (UUIDv5)."""
    return _uuid5(_namespace(of), name)


def uuid7(microseconds: int, random_bytes: bytes) -> str:
    """A UUIDv7 (RFC 9562): milliseconds, then the rest of the microseconds, then chance.

    `random_bytes` are at least 8, of which 62 bits are used. Raises ValueError.
    """
    if len(random_bytes) < RANDOM_BYTES:
        raise ValueError(f"a UUIDv7 takes {RANDOM_BYTES} random bytes, not {len(random_bytes)}")
    milliseconds, rest = divmod(microseconds, 1000)
    if not 0 <= milliseconds < 1 << 48:
        raise ValueError(f"a UUIDv7 cannot hold the time {microseconds} µs")
    chance = int.from_bytes(random_bytes[:RANDOM_BYTES], "big") & ((1 << 62) - 1)
    # Method 3 of section 6.2: the 12 bits after the version hold the fraction of the millisecond.
    fraction = rest * 4096 // 1000
    return str(UUID(int=milliseconds << 80 | 7 << 76 | fraction << 64 | 2 << 62 | chance))


def _namespace(name: str) -> bytes:
    if _CANONICAL.fullmatch(name):
        return bytes.fromhex(name.replace("-", ""))
    try:
        return UUID(name).bytes
    except ValueError:
        return UUID(_uuid5(FOLLOWING.bytes, name)).bytes


def _uuid5(namespace: bytes, name: str) -> str:
    """As `str(uuid.uuid5(...))` (RFC 9562 section 5.5), which takes three times as long."""
    digits = sha1(namespace + name.encode(), usedforsecurity=False).hexdigest()
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-5{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:32]}"
