"""Time and chance, which come in from outside."""

from typing import Protocol


class Clock(Protocol):
    def now(self) -> int:
        """Microseconds since 1970-01-01T00:00:00Z."""
        ...


class Ids(Protocol):
    def new(self) -> str:
        """A fresh UUIDv7 (RFC 9562)."""
        ...
