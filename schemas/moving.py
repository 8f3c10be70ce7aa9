"""What is done to the whole log: made again from what was left of it, copied to another place."""

from typing import ClassVar

from pydantic import Field

from schemas import names
from schemas.service import SystemCommand
from schemas.word import Count, Fact, Sha256


class LogRecovered(Fact):
    """The log was made again from its mirror and from what could be read of it: `events` before this one.

    Or what speaks for it was put right: `problem` says what was wrong. `kept_as` is the folder in the home
    that holds what stood there before; null where nothing did.
    """

    TYPE: ClassVar[str] = names.LOG_RECOVERED
    events: Count
    problem: str
    kept_as: str | None


class BackupMade(Fact):
    """A copy of the log up to `position`, and of all blobs, lies in `destination` and was verified.

    `root` is that of the tree (RFC 6962) over these events.
    """

    TYPE: ClassVar[str] = names.BACKUP_MADE
    position: int = Field(ge=1)
    root: Sha256
    destination: str


class FirstSystemAdopted(Fact):
    """The home was made in a folder of the first system: `moved` are its records, where they lie now.

    `pending` are the task files that waited there and lie in `tasks/`, for the service to take them in;
    `left` says of each other one why it was not taken in.
    """

    TYPE: ClassVar[str] = names.FIRST_SYSTEM_ADOPTED
    moved: tuple[str, ...]
    pending: tuple[str, ...]
    left: tuple[str, ...]


class NoteRecovery(SystemCommand):
    events: Count
    problem: str
    kept_as: str | None


class NoteBackup(SystemCommand):
    position: int = Field(ge=1)
    root: Sha256
    destination: str


class NoteAdoption(SystemCommand):
    moved: tuple[str, ...]
    pending: tuple[str, ...]
    left: tuple[str, ...]
