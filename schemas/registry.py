"""Every word of the log: the name of an event type and the model of its payload."""

from collections.abc import Mapping
from types import MappingProxyType

from schemas import attempt, disk, executor, files, moving, notice, record, service, task, turn
from schemas.word import Fact

FACTS: Mapping[str, type[Fact]] = MappingProxyType(
    {
        fact.TYPE: fact
        for fact in (
            task.TaskReceived,
            task.TaskRefused,
            task.TaskQueued,
            task.TaskReleased,
            task.TaskArchived,
            task.CancelRequested,
            task.RetryRequested,
            task.TaskPaused,
            task.TaskResumed,
            attempt.TaskClaimed,
            attempt.TaskInterrupted,
            attempt.LeaseExtended,
            attempt.LeaseExpired,
            attempt.CheckStarted,
            attempt.CheckFinished,
            attempt.RetryScheduled,
            attempt.QuotaWaitStarted,
            attempt.StaleResultRejected,
            attempt.StepStarted,
            attempt.StepFinished,
            turn.TurnStarted,
            turn.AgentStarted,
            turn.ToolUsed,
            attempt.FilesModified,
            turn.PermissionDenied,
            turn.InactivityTimeout,
            turn.TurnFinished,
            attempt.TaskSucceeded,
            attempt.TaskFailed,
            attempt.TaskCancelled,
            executor.QueuePaused,
            executor.QueueResumed,
            executor.CircuitOpened,
            executor.CircuitClosed,
            executor.DailyBudgetReached,
            executor.DailyBudgetLifted,
            files.ArtifactWritten,
            files.ArtifactFailed,
            notice.NoticeQueued,
            notice.NoticeSent,
            notice.NoticeFailed,
            service.HomeCreated,
            service.OrchestratorStarted,
            service.StopRequested,
            service.OrchestratorStopped,
            service.AutomationRestarted,
            service.MirrorRepaired,
            service.ViewsRebuilt,
            service.SecretRedacted,
            disk.DiskLow,
            disk.DiskRestored,
            disk.MirrorLagging,
            disk.MirrorRestored,
            disk.ViewsLagging,
            disk.ViewsRestored,
            record.TreeHeadSigned,
            record.TreeHeadRefused,
            record.SigningKeyChanged,
            record.EventErased,
            record.ErasureFinished,
            moving.LogRecovered,
            moving.BackupMade,
        )
    }
)
