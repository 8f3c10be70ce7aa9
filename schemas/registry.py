"""Every word of the log: the name of an event type and the model of its payload."""

from collections.abc import Mapping
from types import MappingProxyType

from schemas import attempt, files, notice, service, task
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
            attempt.TaskClaimed,
            attempt.TaskInterrupted,
            attempt.StepStarted,
            attempt.StepFinished,
            attempt.TurnStarted,
            attempt.AgentStarted,
            attempt.ToolUsed,
            attempt.FilesModified,
            attempt.PermissionDenied,
            attempt.TurnFinished,
            attempt.TaskSucceeded,
            attempt.TaskFailed,
            attempt.TaskCancelled,
            files.ArtifactWritten,
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
        )
    }
)
