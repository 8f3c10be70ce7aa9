"""The names of event types and of views' words. Imports nothing, so that a reading verb may."""

from typing import Final

# intake
TASK_RECEIVED: Final = "task_received"
TASK_REFUSED: Final = "task_refused"
TASK_QUEUED: Final = "task_queued"
TASK_RELEASED: Final = "task_released"
TASK_ARCHIVED: Final = "task_archived"

# mediation
MEDIATION_STARTED: Final = "mediation_started"
MEDIATION_FINISHED: Final = "mediation_finished"
SUMMARIZED: Final = "summarized"

# an attempt
TASK_CLAIMED: Final = "task_claimed"
TASK_INTERRUPTED: Final = "task_interrupted"
LEASE_EXTENDED: Final = "lease_extended"
LEASE_EXPIRED: Final = "lease_expired"
STEP_STARTED: Final = "step_started"
STEP_FINISHED: Final = "step_finished"
TURN_STARTED: Final = "turn_started"
AGENT_STARTED: Final = "agent_started"
TOOL_USED: Final = "tool_used"
FILES_MODIFIED: Final = "files_modified"
PERMISSION_DENIED: Final = "permission_denied"
TURN_FINISHED: Final = "turn_finished"
INACTIVITY_TIMEOUT: Final = "inactivity_timeout"
CHECK_STARTED: Final = "check_started"
CHECK_FINISHED: Final = "check_finished"
VALIDATED: Final = "validated"
RETRY_SCHEDULED: Final = "retry_scheduled"
QUOTA_WAIT_STARTED: Final = "quota_wait_started"
STALE_RESULT_REJECTED: Final = "stale_result_rejected"

# the end of a task
TASK_SUCCEEDED: Final = "task_succeeded"
TASK_FAILED: Final = "task_failed"
TASK_CANCELLED: Final = "task_cancelled"
CANCEL_REQUESTED: Final = "cancel_requested"
RETRY_REQUESTED: Final = "retry_requested"
TASK_PAUSED: Final = "task_paused"
TASK_RESUMED: Final = "task_resumed"

# what holds tasks up together
QUEUE_PAUSED: Final = "queue_paused"
QUEUE_RESUMED: Final = "queue_resumed"
CIRCUIT_OPENED: Final = "circuit_opened"
CIRCUIT_CLOSED: Final = "circuit_closed"
DAILY_BUDGET_REACHED: Final = "daily_budget_reached"
DAILY_BUDGET_LIFTED: Final = "daily_budget_lifted"

# files and notices
ARTIFACT_WRITTEN: Final = "artifact_written"
ARTIFACT_FAILED: Final = "artifact_failed"
NOTICE_QUEUED: Final = "notice_queued"
NOTICE_SENT: Final = "notice_sent"
NOTICE_FAILED: Final = "notice_failed"

# safety
SECRET_REDACTED: Final = "secret_redacted"

# service
HOME_CREATED: Final = "home_created"
ORCHESTRATOR_STARTED: Final = "orchestrator_started"
STOP_REQUESTED: Final = "stop_requested"
ORCHESTRATOR_STOPPED: Final = "orchestrator_stopped"
AUTOMATION_RESTARTED: Final = "automation_restarted"
MIRROR_REPAIRED: Final = "mirror_repaired"
VIEWS_REBUILT: Final = "views_rebuilt"
WATCH_DEGRADED: Final = "watch_degraded"
WATCH_RESTORED: Final = "watch_restored"

# the disk
DISK_LOW: Final = "disk_low"
DISK_RESTORED: Final = "disk_restored"
MIRROR_LAGGING: Final = "mirror_lagging"
MIRROR_RESTORED: Final = "mirror_restored"
VIEWS_LAGGING: Final = "views_lagging"
VIEWS_RESTORED: Final = "views_restored"

# the record
TREE_HEAD_SIGNED: Final = "tree_head_signed"
TREE_HEAD_REFUSED: Final = "tree_head_refused"
SIGNING_KEY_CHANGED: Final = "signing_key_changed"
EVENT_ERASED: Final = "event_erased"
ERASURE_FINISHED: Final = "erasure_finished"
FIRST_SYSTEM_ADOPTED: Final = "first_system_adopted"
LOG_RECOVERED: Final = "log_recovered"
BACKUP_MADE: Final = "backup_made"

ENDS: Final = frozenset({TASK_SUCCEEDED, TASK_FAILED, TASK_CANCELLED})
"""The event types that end a task."""

STATUS_OF_END: Final = {TASK_SUCCEEDED: "succeeded", TASK_FAILED: "failed", TASK_CANCELLED: "cancelled"}

STATUSES: Final = (
    "received",
    "queued",
    "running",
    "waiting_retry",
    "waiting_quota",
    "waiting_approval",
    "waiting_dependency",
    "paused",
    "succeeded",
    "failed",
    "cancelled",
    "refused",
    "dropped",
)
ENDED: Final = frozenset({"succeeded", "failed", "cancelled", "refused", "dropped"})

EXECUTOR: Final = "claude"
"""The executor of a task that names none."""

CIRCUIT_FAILURES: Final = 3
"""So many attempts in a row that an executor failed open its circuit."""

MODEL_FAILURES: Final = frozenset(
    {"unreachable", "model_missing", "silent", "timeout", "cut_off", "server_error", "not_ollama"}
)
"""Fallbacks that tell of the local model's server, not of what was asked."""

SYSTEM: Final = "system"
"""The stream of what belongs to no task."""

QUARANTINE: Final = "policy:quarantine"
"""Who pauses a task that the service died with too often in a row."""


def task_stream(task_id: str) -> str:
    """Ids are unique ignoring case, so the stream's name is in lower case."""
    return f"task-{task_id.lower()}"


def task_of(stream: str) -> str | None:
    """The task id of a stream in lower case, None where the stream is no task's."""
    return stream[5:] if stream.startswith("task-") else None
