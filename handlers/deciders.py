"""Which decider answers which command."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from handlers.attempt import ATTEMPT
from handlers.decider import Decider
from handlers.disk import DISK
from handlers.executor import EXECUTOR, QUEUE
from handlers.files import FILES
from handlers.mediation import MEDIATION
from handlers.service import HOME, SYSTEM
from handlers.task import TASK
from schemas import attempt, disk, executor, files, mediation, moving, record, service, task, turn
from schemas.word import Command

DECIDERS: Mapping[type[Command], Decider[Any]] = MappingProxyType(
    {
        task.ReceiveTask: TASK,
        task.QueueTask: TASK,
        task.ReleaseTask: TASK,
        task.CancelTask: TASK,
        task.RetryTask: TASK,
        task.PauseTask: TASK,
        task.ResumeTask: TASK,
        task.RefuseTask: SYSTEM,
        task.RecordArchived: FILES,
        task.RecordRefusedArchived: SYSTEM,
        mediation.StartMediation: MEDIATION,
        mediation.FinishMediation: MEDIATION,
        attempt.ClaimTask: ATTEMPT,
        attempt.StartStep: ATTEMPT,
        attempt.FinishStep: ATTEMPT,
        turn.StartTurn: ATTEMPT,
        turn.NoteAgent: ATTEMPT,
        turn.NoteTool: ATTEMPT,
        attempt.NoteFiles: ATTEMPT,
        turn.FinishTurn: ATTEMPT,
        attempt.EndAttempt: ATTEMPT,
        attempt.InterruptAttempt: ATTEMPT,
        attempt.ExtendLease: ATTEMPT,
        attempt.StartCheck: ATTEMPT,
        attempt.NoteCheck: ATTEMPT,
        attempt.RejectStale: ATTEMPT,
        executor.PauseQueue: QUEUE,
        executor.ResumeQueue: QUEUE,
        executor.OpenCircuit: EXECUTOR,
        executor.CloseCircuit: EXECUTOR,
        executor.NoteDailyBudget: EXECUTOR,
        files.RecordArtifact: FILES,
        files.NoteArtifactTrouble: FILES,
        service.CreateHome: HOME,
        service.NoteStart: SYSTEM,
        service.NoteStop: SYSTEM,
        service.NoteStopRequest: SYSTEM,
        service.NoteRestart: SYSTEM,
        service.NoteMirror: SYSTEM,
        service.NoteViews: SYSTEM,
        service.NoteWatchDegraded: SYSTEM,
        service.NoteWatchRestored: SYSTEM,
        disk.NoteDisk: DISK,
        disk.NoteMirrorLag: SYSTEM,
        disk.NoteMirrorRestored: SYSTEM,
        disk.NoteViewsLag: SYSTEM,
        disk.NoteViewsRestored: SYSTEM,
        record.NoteTreeHead: SYSTEM,
        record.NoteTreeHeadRefused: SYSTEM,
        record.ChangeSigningKey: SYSTEM,
        record.EraseEvent: SYSTEM,
        record.FinishErasure: SYSTEM,
        moving.NoteAdoption: SYSTEM,
        moving.NoteRecovery: SYSTEM,
        moving.NoteBackup: SYSTEM,
    }
)
