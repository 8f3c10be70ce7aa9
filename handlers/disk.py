"""When the disk counts as low, and when it has room again: said once each."""

from collections.abc import Sequence
from typing import Final

from eventstore.event import Recorded
from handlers.decider import Decider
from schemas import names
from schemas.disk import DiskLow, DiskRestored, NoteDisk
from schemas.word import Fact

ROOM_AGAIN: Final = 5 / 4
"""So much more than the reserve must be free before it counts as restored: it would go to and fro."""


def is_low(free_bytes: int, reserve_bytes: int) -> bool:
    """Whether nothing new is to be begun."""
    return free_bytes < reserve_bytes


def has_room(free_bytes: int, reserve_bytes: int) -> bool:
    """Whether what was held up may go on. Between the two nothing changes."""
    return free_bytes >= reserve_bytes * ROOM_AGAIN


def _decide(command: NoteDisk, low: bool) -> Sequence[Fact]:
    path, free, reserve = command.path, command.free_bytes, command.reserve_bytes
    if low:
        room = command.refused_since is None and has_room(free, reserve)
        return [DiskRestored(path=path, free_bytes=free, reserve_bytes=reserve)] if room else []
    if command.refused_since is not None or is_low(free, reserve):
        since = command.refused_since
        return [DiskLow(path=path, free_bytes=free, reserve_bytes=reserve, refused_since=since)]
    return []


def _evolve(low: bool, event: Recorded) -> bool:
    if event.type in (names.DISK_LOW, names.DISK_RESTORED):
        return event.type == names.DISK_LOW
    return low


DISK: Final[Decider[bool]] = Decider("disk", initial=False, decide=_decide, evolve=_evolve)
"""The state is whether the log says that the disk is low."""
