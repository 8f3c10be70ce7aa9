"""The clock on the wall, and ids that are made from it (UUIDv7, RFC 9562)."""

import secrets
import threading
import time
import uuid
from collections.abc import Callable
from typing import Final

RANDOM_BITS: Final = 74
"""A UUIDv7 is 48 bits of milliseconds, 74 of chance, and 6 that say what it is."""

LARGEST_STEP: Final = 1 << 32


class SystemClock:
    def now(self) -> int:
        """Microseconds since 1970-01-01T00:00:00Z, as the system has them."""
        return time.time_ns() // 1000


class SystemIds:
    """Each id is greater than the one before it in this process, even if the clock goes back.

    RFC 9562 section 6.2, method 2: within one millisecond the random part is raised by a
    random step. `now` gives microseconds since 1970.
    """

    def __init__(self, now: Callable[[], int]) -> None:
        self._now = now
        self._last = 0
        self._lock = threading.Lock()

    def new(self) -> str:
        """A fresh UUIDv7 in its usual form. Any thread may ask."""
        fresh = (self._now() // 1000) << RANDOM_BITS | secrets.randbits(RANDOM_BITS)
        with self._lock:
            if fresh >> RANDOM_BITS <= self._last >> RANDOM_BITS:
                # a full random part carries into the milliseconds: still greater, still unique
                fresh = self._last + 1 + secrets.randbelow(LARGEST_STEP)
            self._last = fresh
        return str(_uuid7(fresh))


def _uuid7(value: int) -> uuid.UUID:
    """Spread 122 bits around the version (7) and the variant (binary 10)."""
    time_and_a, random_b = value >> 62, value & ((1 << 62) - 1)
    milliseconds, random_a = time_and_a >> 12, time_and_a & 0xFFF
    return uuid.UUID(int=milliseconds << 80 | 0x7 << 76 | random_a << 64 | 0b10 << 62 | random_b)
