"""The disk under a home: whether it has room, and what lags behind the log when it has none."""

from typing import ClassVar

from pydantic import Field

from schemas import names
from schemas.service import SystemCommand
from schemas.word import Count, Fact, Microseconds


class DiskLow(Fact):
    """Less than `reserve_bytes` are free on the disk of `path`: nothing is begun, what runs goes on.

    `refused_since`: from that moment on the log itself found no room; this could be written only later.
    """

    TYPE: ClassVar[str] = names.DISK_LOW
    path: str
    free_bytes: Count
    reserve_bytes: Count
    refused_since: Microseconds | None


class DiskRestored(Fact):
    """There is room again: everything goes on by itself."""

    TYPE: ClassVar[str] = names.DISK_RESTORED
    path: str
    free_bytes: Count
    reserve_bytes: Count


class MirrorLagging(Fact):
    """The mirror could not be written and lacks `behind` events; the log goes on, and it is tried again."""

    TYPE: ClassVar[str] = names.MIRROR_LAGGING
    behind: Count
    problem: str


class MirrorRestored(Fact):
    """The mirror holds what the log holds again, after `lagged_s` seconds."""

    TYPE: ClassVar[str] = names.MIRROR_RESTORED
    lagged_s: float = Field(ge=0)


class ViewsLagging(Fact):
    """The file of the views could not be written; readers fold the log instead, and it is tried again."""

    TYPE: ClassVar[str] = names.VIEWS_LAGGING
    problem: str


class ViewsRestored(Fact):
    """The file of the views holds what the log says again, after `lagged_s` seconds."""

    TYPE: ClassVar[str] = names.VIEWS_RESTORED
    lagged_s: float = Field(ge=0)


class NoteDisk(SystemCommand):
    """How much room there is. `refused_since`: the log has found none from then on."""

    path: str
    free_bytes: Count
    reserve_bytes: Count
    refused_since: Microseconds | None = None


class NoteMirrorLag(SystemCommand):
    behind: Count
    problem: str


class NoteMirrorRestored(SystemCommand):
    lagged_s: float


class NoteViewsLag(SystemCommand):
    problem: str


class NoteViewsRestored(SystemCommand):
    lagged_s: float
