"""The log as the service sees it: appended to without waiting for a disk, followed, kept and signed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from eventstore.event import Event, Place, Recorded


class NotNow(Exception):
    """The log took nothing and is unharmed: it may be asked again.

    `full`: the disk has no room. Else another program has it locked, or no file handle is free.
    """

    def __init__(self, text: str, *, full: bool) -> None:
        super().__init__(text)
        self.full = full


class AsyncLog(Protocol):
    """The log as the service sees it: nobody waits for a disk on the event loop."""

    async def append(self, stream: str, events: Sequence[Event], expected: int) -> tuple[Place, ...]:
        """See Log.append. Raises NotNow where it may be tried again."""
        ...

    async def read_stream(self, name: str, after: int) -> list[Recorded]: ...

    async def read_all(self, after: int, limit: int) -> list[Recorded]: ...


class Doorbell(Protocol):
    async def ring(self, after: int) -> None:
        """Return when the log may hold events past `after` that others appended."""
        ...


class Mended(Protocol):
    """What was wrong with the mirror, and what was done."""

    @property
    def problem(self) -> str: ...

    @property
    def bytes_cut(self) -> int: ...

    @property
    def lines_written(self) -> int: ...


@dataclass(frozen=True)
class Lag:
    """How many events the mirror lacks, and why it could not be brought up."""

    events: int
    problem: str


@dataclass(frozen=True)
class Kept:
    """What a round over the records did: the mirror's repair, a sentence for each new views' file, and
    what could not be brought up now: the mirror, or the views (then why).
    """

    mended: Mended | None = None
    rebuilt: tuple[str, ...] = ()
    mirror: Lag | None = None
    views: str | None = None


class Records(Protocol):
    """What is kept beside the log and made from it: the views' file and the mirror."""

    async def catch_up(self) -> Kept:
        """Bring them up to the log's head, as far as the disk takes it."""
        ...


class HeadRefused(Exception):
    """No tree head is signed: the log is not what was signed before, or the key is not here.

    The text is a sentence that says what to do.
    """


@dataclass(frozen=True)
class HeadStanding:
    """What the next tree head follows: `size` events with `root`, signed by the key of id `key` (hex).

    `pending`: the event that announces the next one stands in the log already.
    """

    key: str
    size: int
    root: bytes | None
    pending: bool


class TreeHeads(Protocol):
    """The home's Merkle tree. Each raises HeadRefused, OSError."""

    async def size(self) -> int:
        """How many events the newest tree head covers, 0 where there is none."""
        ...

    async def ready(self) -> HeadStanding:
        """Whether a tree head may be signed, and after which one."""
        ...

    async def sign(self) -> int:
        """Sign one over all that stands in the log; its size."""
        ...
