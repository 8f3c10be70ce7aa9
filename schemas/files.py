"""Files that are written from the log, and the receipts for them."""

from typing import ClassVar

from schemas import names
from schemas.task import TaskCommand
from schemas.word import Count, Fact, Sha256


class ArtifactWritten(Fact):
    """Receipt: artifact and summary hold everything up to `upto` (a global position).

    They are written after each turn of the agent and at the end; one receipt stands for both where these
    come close together.
    """

    TYPE: ClassVar[str] = names.ARTIFACT_WRITTEN
    path: str
    sha256: Sha256
    summary_path: str
    summary_sha256: Sha256
    upto: Count


class ArtifactFailed(Fact):
    """The artifact or the summary up to `upto` could not be written; what it says stands in the log.

    It is tried again until `artifact_written` says that it is done.
    """

    TYPE: ClassVar[str] = names.ARTIFACT_FAILED
    path: str
    problem: str
    upto: Count


class NoteArtifactTrouble(TaskCommand):
    path: str
    problem: str
    upto: Count


class RecordArtifact(TaskCommand):
    path: str
    sha256: Sha256
    summary_path: str
    summary_sha256: Sha256
    upto: Count
