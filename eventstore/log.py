"""The `Log` protocol: what every backend and every wrapper promises."""

import errno
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple, Protocol

from eventstore.event import Event, Place, Recorded
from eventstore.unreadable import LogUnreadable as LogUnreadable


class WrongExpectedVersion(Exception):
    """The stream does not end where the caller thought; decide again."""

    def __init__(self, stream: str, expected: int, actual: int) -> None:
        super().__init__(f"stream {stream} ends at {actual}, not at {expected}")
        self.stream = stream
        self.expected = expected
        self.actual = actual


class Unrecordable(ValueError):
    """A payload that a line cannot hold: NaN, infinity, an integer over 64 bit, no JSON."""


NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
NOT_NOW: Final = NO_ROOM | {errno.EBUSY, errno.EMFILE, errno.ENFILE}


def may_be_tried_again(refusal: OSError) -> bool:
    """Whether nothing was appended and no sync has failed: no room, another's lock, no free handle.

    After any other OSError it is not known what stands on the disk, and asking again would not tell.
    """
    return refusal.errno in NOT_NOW


class Append(NamedTuple):
    """What one of several callers wants to append."""

    stream: str
    events: Sequence[Event]
    expected: int


Outcome = tuple[Place, ...] | Exception
"""The places of an append, or why it was refused."""


class Log(Protocol):
    """One global order, gapless from 1, append only.

    `expected` is the position of the stream's last event, `NO_STREAM` or `ANY`.
    An append is all or nothing. It is idempotent: when the expected version misses
    and the events that stand there carry the same ids, the answer is their places;
    `ANY` looks for such a repeat among the stream's last 64 events.
    """

    def append(self, stream: str, events: Sequence[Event], expected: int) -> tuple[Place, ...]:
        """Append and return the places once the events are durable.

        Raises WrongExpectedVersion, Unrecordable, OSError (the disk refused: see may_be_tried_again).
        """
        ...

    def append_group(self, wishes: Sequence[Append]) -> list[Outcome]:
        """Append for several callers in one transaction, in order; each is decided by itself.

        What one of them is refused for (WrongExpectedVersion, Unrecordable) is its outcome and
        touches no other. Raises OSError when the disk refused: then nothing was appended.
        """
        ...

    def stream(self, name: str, after: int = -1) -> Iterator[Recorded]:
        """The events of one stream with a position greater than `after`, in order."""
        ...

    def all(
        self, after: int = 0, upto: int | None = None, types: frozenset[str] | None = None
    ) -> Iterator[Recorded]:
        """Events with after < global position ≤ upto, in order; only `types` if given."""
        ...

    def head(self) -> int:
        """The global position of the last event, 0 for an empty log."""
        ...

    def position_at(self, time: int) -> int:
        """The largest global position whose time (µs) is at most `time`, else 0."""
        ...

    def close(self) -> None: ...
