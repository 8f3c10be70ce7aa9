"""Receipts for files: each is given once."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from eventstore.event import Recorded
from handlers.decider import Decider
from schemas import names
from schemas.files import ArtifactFailed, ArtifactWritten, NoteArtifactTrouble, RecordArtifact
from schemas.task import RecordArchived, TaskArchived
from schemas.word import Command, Fact


@dataclass(frozen=True, slots=True)
class FileState:
    """What the last receipts of a task say."""

    artifact_upto: int = 0
    failed_upto: int = 0
    archived: tuple[str | None, str] | None = None


def evolve(state: FileState, event: Recorded) -> FileState:
    if event.type == names.ARTIFACT_WRITTEN:
        return replace(state, artifact_upto=event.data["upto"])
    if event.type == names.ARTIFACT_FAILED:
        return replace(state, failed_upto=event.data["upto"])
    if event.type == names.TASK_ARCHIVED:
        return replace(state, archived=(event.data["path"], event.data["status"]))
    return state


def decide(command: Command, state: FileState) -> Sequence[Fact]:
    match command:
        case RecordArtifact():
            if command.upto <= state.artifact_upto:
                return []
            return [
                ArtifactWritten(
                    path=command.path,
                    sha256=command.sha256,
                    summary_path=command.summary_path,
                    summary_sha256=command.summary_sha256,
                    upto=command.upto,
                )
            ]
        case NoteArtifactTrouble():
            if command.upto <= max(state.artifact_upto, state.failed_upto):
                return []
            return [ArtifactFailed(path=command.path, problem=command.problem, upto=command.upto)]
        case RecordArchived():
            if state.archived == (command.path, command.status):
                return []
            return [
                TaskArchived(
                    subject=command.subject, path=command.path, status=command.status, note=command.note
                )
            ]
        case _:
            raise TypeError(f"no rule for {type(command).__name__}")


FILES = Decider("files", FileState(), decide, evolve)
