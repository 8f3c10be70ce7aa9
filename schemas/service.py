"""The service and its home, in stream `system`."""

from typing import ClassVar

from pydantic import Field

from schemas import names
from schemas.process import ProcessIdentity
from schemas.word import Command, Count, Fact


class HomeCreated(Fact):
    """Event 1 of every home."""

    TYPE: ClassVar[str] = names.HOME_CREATED
    home_id: str
    version: str


class OrchestratorStarted(Fact):
    TYPE: ClassVar[str] = names.ORCHESTRATOR_STARTED
    version: str
    process: ProcessIdentity
    workers: int
    drain: bool


class StopRequested(Fact):
    """The service was told to stop: it takes on nothing more and lets `running` tasks go on for `grace_s`."""

    TYPE: ClassVar[str] = names.STOP_REQUESTED
    reason: str
    running: tuple[str, ...]
    grace_s: float = Field(ge=0)


class OrchestratorStopped(Fact):
    TYPE: ClassVar[str] = names.ORCHESTRATOR_STOPPED
    process: ProcessIdentity
    reason: str


class AutomationRestarted(Fact):
    """A part of the service died of a bug and is started again after `delay_s`."""

    TYPE: ClassVar[str] = names.AUTOMATION_RESTARTED
    automation: str
    error: str
    restarts: Count
    delay_s: float = Field(ge=0)


class MirrorRepaired(Fact):
    """The mirror did not agree with the log and was mended from it."""

    TYPE: ClassVar[str] = names.MIRROR_REPAIRED
    problem: str
    bytes_cut: Count
    lines_written: Count


class ViewsRebuilt(Fact):
    """The file of the views could not be used and was made anew from the log."""

    TYPE: ClassVar[str] = names.VIEWS_REBUILT
    problem: str


class WatchDegraded(Fact):
    """The folder `tasks/` is not watched: what is dropped is found by looking every second, none missed."""

    TYPE: ClassVar[str] = names.WATCH_DEGRADED
    reason: str


class WatchRestored(Fact):
    """The folder `tasks/` is watched again, after `degraded_s` seconds."""

    TYPE: ClassVar[str] = names.WATCH_RESTORED
    degraded_s: float = Field(ge=0)


class SecretRedacted(Fact):
    """A secret stood in an event of the same batch and was replaced before the log saw it."""

    TYPE: ClassVar[str] = names.SECRET_REDACTED
    patterns: dict[str, int]
    event_type: str


class SystemCommand(Command):
    @property
    def stream(self) -> str:
        return names.SYSTEM


class CreateHome(SystemCommand):
    home_id: str
    version: str


class NoteStart(SystemCommand):
    version: str
    process: ProcessIdentity
    workers: int
    drain: bool


class NoteStopRequest(SystemCommand):
    reason: str
    running: tuple[str, ...]
    grace_s: float


class NoteStop(SystemCommand):
    process: ProcessIdentity
    reason: str


class NoteRestart(SystemCommand):
    automation: str
    error: str
    restarts: Count
    delay_s: float


class NoteMirror(SystemCommand):
    problem: str
    bytes_cut: Count
    lines_written: Count


class NoteViews(SystemCommand):
    problem: str


class NoteWatchDegraded(SystemCommand):
    reason: str


class NoteWatchRestored(SystemCommand):
    degraded_s: float
