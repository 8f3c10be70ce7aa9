"""The service and its home: what stands in stream `system`."""

from collections.abc import Mapping, Sequence
from typing import Any

from eventstore.event import Recorded
from handlers.decider import Decider, Refused
from schemas import names
from schemas.disk import (
    MirrorLagging,
    MirrorRestored,
    NoteMirrorLag,
    NoteMirrorRestored,
    NoteViewsLag,
    NoteViewsRestored,
    ViewsLagging,
    ViewsRestored,
)
from schemas.moving import (
    BackupMade,
    FirstSystemAdopted,
    LogRecovered,
    NoteAdoption,
    NoteBackup,
    NoteRecovery,
)
from schemas.record import (
    ChangeSigningKey,
    EraseEvent,
    ErasureFinished,
    EventErased,
    FinishErasure,
    NoteTreeHead,
    NoteTreeHeadRefused,
    SigningKeyChanged,
    TreeHeadRefused,
    TreeHeadSigned,
)
from schemas.service import (
    AutomationRestarted,
    CreateHome,
    HomeCreated,
    MirrorRepaired,
    NoteMirror,
    NoteRestart,
    NoteStart,
    NoteStop,
    NoteStopRequest,
    NoteViews,
    NoteWatchDegraded,
    NoteWatchRestored,
    OrchestratorStarted,
    OrchestratorStopped,
    StopRequested,
    ViewsRebuilt,
    WatchDegraded,
    WatchRestored,
)
from schemas.task import RecordRefusedArchived, RefuseTask, TaskArchived, TaskRefused
from schemas.word import Command, Fact

_FACT_OF: dict[type[Command], type[Fact]] = {
    NoteStart: OrchestratorStarted,
    NoteStopRequest: StopRequested,
    NoteStop: OrchestratorStopped,
    NoteRestart: AutomationRestarted,
    NoteMirror: MirrorRepaired,
    NoteViews: ViewsRebuilt,
    NoteWatchDegraded: WatchDegraded,
    NoteWatchRestored: WatchRestored,
    NoteMirrorLag: MirrorLagging,
    NoteMirrorRestored: MirrorRestored,
    NoteViewsLag: ViewsLagging,
    NoteViewsRestored: ViewsRestored,
    NoteTreeHead: TreeHeadSigned,
    NoteTreeHeadRefused: TreeHeadRefused,
    ChangeSigningKey: SigningKeyChanged,
    EraseEvent: EventErased,
    FinishErasure: ErasureFinished,
    NoteAdoption: FirstSystemAdopted,
    NoteRecovery: LogRecovered,
    NoteBackup: BackupMade,
    RefuseTask: TaskRefused,
    RecordRefusedArchived: TaskArchived,
}
_ENVELOPE = frozenset(Command.model_fields)


def _home(command: CreateHome, home_id: str | None) -> Sequence[Fact]:
    if home_id is not None:
        raise Refused("conflict", f"this home exists already, with the id {home_id}.")
    return [HomeCreated(home_id=command.home_id, version=command.version)]


def _home_id(state: str | None, event: Recorded) -> str | None:
    return str(event.data["home_id"]) if event.type == names.HOME_CREATED else state


def _note(command: Command, state: None) -> Sequence[Fact]:
    return [_FACT_OF[type(command)](**{k: getattr(command, k) for k in _fields(command)})]


def _fields(command: Command) -> list[str]:
    return [name for name in type(command).model_fields if name not in _ENVELOPE]


def _serving(state: Mapping[str, Any] | None, event: Recorded) -> Mapping[str, Any] | None:
    return event.data["process"] if event.type == names.ORCHESTRATOR_STARTED else state


def _decides_nothing(command: Command, state: Mapping[str, Any] | None) -> Sequence[Fact]:
    raise TypeError(f"no rule for {type(command).__name__}")


def _nothing(state: Any, event: Recorded) -> Any:
    return state


HOME: Decider[str | None] = Decider("home", None, _home, _home_id)
SYSTEM: Decider[None] = Decider("system", None, _note, _nothing, loads=False)
"""Notes need no past: what happened is written down."""

SERVING: Decider[Mapping[str, Any] | None] = Decider("serving", None, _decides_nothing, _serving)
"""The process of the service that started last: it alone may go on."""
