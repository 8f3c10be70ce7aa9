"""A task: received, given its place, released, paused, done again, cancelled."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from eventstore.event import Recorded
from handlers.decider import Decider, Refused
from schemas import names
from schemas.attempt import TaskCancelled
from schemas.placed import placed
from schemas.standing import UNKNOWN, Standing
from schemas.task import (
    CancelRequested,
    CancelTask,
    PauseTask,
    QueueTask,
    ReceiveTask,
    ReleaseTask,
    ResumeTask,
    RetryRequested,
    RetryTask,
    TaskCommand,
    TaskPaused,
    TaskQueued,
    TaskReceived,
    TaskReleased,
    TaskResumed,
)
from schemas.task_fields import agent_for
from schemas.word import Fact

_READ: Final[Mapping[str, str]] = {
    "title": "title",
    "task_type": "type",
    "target_files": "target_files",
    "cwd": "cwd",
}
"""What a model may have said of a wish, and how that is called where it is told who said it."""


@dataclass(frozen=True, slots=True)
class TaskState:
    """`received` is the payload of task_received, its spec as it holds now; None while the task is unknown.
    `parsed` is the payload of the receipt of the mediator, which looked at its words.

    `waits_for` are the tasks that it waits for still; `not_before` is the moment (µs since 1970) of its
    file that was not reached when it was queued; `archived` is where its file lies, None: nowhere.
    """

    standing: Standing = UNKNOWN
    received: Mapping[str, Any] | None = None
    parsed: Mapping[str, Any] | None = None
    arrived: int = 0
    attempt: int = 0
    claimed: int = 0
    first_claim: int | None = None
    executor: str | None = None
    waits_for: tuple[str, ...] = ()
    not_before: int | None = None
    cancel_requested: bool = False
    archived: str | None = None

    @property
    def status(self) -> str:
        return self.standing.status


def evolve(state: TaskState, event: Recorded) -> TaskState:
    state = replace(state, standing=state.standing.after(event.type, event.data))
    match event.type:
        case names.TASK_RECEIVED:
            waits_for = tuple(event.data["spec"]["after"])
            return replace(state, received=event.data, arrived=event.time, waits_for=waits_for)
        case names.MEDIATION_FINISHED if event.data["purpose"] == "parse":
            return replace(state, parsed=event.data)
        case names.TASK_QUEUED | names.RETRY_REQUESTED:
            received = state.received
            if received is not None:
                received = {**received, "spec": placed(received["spec"], event.data)}
            waits_for = tuple(event.data["waits_for"])
            return replace(
                state,
                received=received,
                waits_for=waits_for,
                not_before=event.data["not_before"],
                claimed=0,
                cancel_requested=False,
            )
        case names.TASK_RELEASED:
            return replace(state, waits_for=())
        case names.TASK_CLAIMED:
            first = event.time if state.first_claim is None else state.first_claim
            data = event.data
            return replace(
                state,
                attempt=data["attempt"],
                executor=data["executor"],
                claimed=event.time,
                first_claim=first,
                not_before=None,
            )
        case names.CANCEL_REQUESTED:
            return replace(state, cancel_requested=True)
        case names.TASK_ARCHIVED:
            return replace(state, archived=event.data["path"])
        case _:
            return state


def decide(command: TaskCommand, state: TaskState) -> Sequence[Fact]:
    match command:
        case ReceiveTask():
            return _receive(command, state)
        case QueueTask():
            return _queue(state)
        case ReleaseTask():
            return _release(command, state)
        case CancelTask():
            return _cancel(command, state)
        case RetryTask():
            return _retry(command, state)
        case PauseTask():
            return _pause(command, state)
        case ResumeTask():
            return _resume(command, state)
        case _:
            raise TypeError(f"no rule for {type(command).__name__}")


def _receive(command: ReceiveTask, state: TaskState) -> Sequence[Fact]:
    if state.received is None:
        return [
            TaskReceived(
                task_id=command.task_id,
                origin=command.origin,
                file_name=command.file_name,
                content_sha256=command.content_sha256,
                spec=command.spec,
            )
        ]
    if state.received["content_sha256"] == command.content_sha256:
        raise Refused(
            "already_known",
            f"task {command.task_id} was taken in before with the same bytes and {_told(state)}.",
            f"Have it done again with `evt retry {command.task_id}`, or give the file another `id`.",
        )
    raise Refused(
        "id_conflict",
        f"the id {command.task_id} belongs to another task, which {_told(state)}.",
        "Give this one another `id`, or leave `id` out.",
    )


def _told(state: TaskState) -> str:
    """Its status as the end of a sentence on it."""
    return f"{'has' if state.status in ('succeeded', 'failed') else 'is'} {state.status}"


def _queue(state: TaskState) -> Sequence[Fact]:
    if state.received is None or state.standing.beneath != "received":
        return []
    spec = state.received["spec"]
    place = _place(state, tuple(spec["after"])) | _understood(spec, (state.parsed or {}).get("reading"))
    queued = TaskQueued(**place, not_before=spec["not_before"])
    # Who looks at the queue alone has not heard of it: there was no place that could be paused.
    return [queued, TaskPaused(reason="paused before it was queued")] if state.standing.paused else [queued]


def _understood(spec: Mapping[str, Any], reading: Mapping[str, Any] | None) -> dict[str, Any]:
    """What the place in the queue says of a wish in plain words, and who said each part of it."""
    decided = dict(spec.get("decided") or {})
    alternatives = tuple(spec.get("alternatives") or ())
    if reading is None:
        return {"decided": decided, "alternatives": alternatives}
    taken = {name: reading[name] for name in _READ if reading[name] is not None}
    decided |= {_READ[name]: "model" for name in taken}
    if "task_type" in taken:
        taken["agent"] = agent_for(taken["task_type"])
    return {**taken, "decided": decided, "alternatives": tuple(reading["alternatives"]) or alternatives}


def _place(state: TaskState, waits_for: tuple[str, ...]) -> dict[str, Any]:
    spec = (state.received or {})["spec"]
    return {
        "priority": spec["priority"],
        "cwd": spec["cwd"],
        "waits_for": waits_for,
        "title": spec["title"],
        "task_type": spec["task_type"],
        "executor": spec["executor"] or names.EXECUTOR,
        "agent": spec["agent"],
    }


def _release(command: ReleaseTask, state: TaskState) -> Sequence[Fact]:
    if state.standing.beneath != "waiting_dependency" or not set(state.waits_for) <= set(command.succeeded):
        return []
    return [TaskReleased(waited_for=state.waits_for)]


def _cancel(command: CancelTask, state: TaskState) -> Sequence[Fact]:
    _refuse_unknown(command, state)
    if state.status == "cancelled":
        return []
    if state.status in names.ENDED:
        raise Refused(
            "conflict",
            f"task {command.task_id} has already {state.status}.",
            f"Nothing is left to cancel; see `evt show {command.task_id}`.",
        )
    if state.status == "running":
        return [] if state.cancel_requested else [CancelRequested(reason=command.reason)]
    spec = (state.received or {})["spec"]
    claimed = state.claimed or command.time
    first = command.time if state.first_claim is None else state.first_claim
    return [
        TaskCancelled(
            attempt=state.attempt,
            executor=state.executor,
            task_type=spec["task_type"],
            agent=spec["agent"],
            priority=spec["priority"],
            elapsed_ms=max(0, (command.time - claimed) // 1000),
            waited_ms=max(0, (first - state.arrived) // 1000),
            reason=command.reason,
            by=command.actor,
        )
    ]


def _refuse_unknown(command: TaskCommand, state: TaskState) -> None:
    if state.received is None:
        raise Refused("not_found", f"there is no task {command.task_id}.", "`evt list` shows all of them.")


def _retry(command: RetryTask, state: TaskState) -> Sequence[Fact]:
    """An ended task gets a new place; one that waits for a moment waits no longer; else nothing."""
    _refuse_unknown(command, state)
    if state.status == "paused":
        raise Refused(
            "conflict",
            f"task {command.task_id} is paused.",
            f"Let it go on with `evt resume {command.task_id}`.",
        )
    if state.status == "running" and state.cancel_requested:
        raise Refused(
            "conflict",
            f"task {command.task_id} was asked to stop, and has not stopped yet.",
            f"`evt wait {command.task_id}` says when it has; then it can be done again.",
        )
    if state.status not in names.ENDED and not _waits_for_a_moment(state, command.time):
        return []
    return [
        RetryRequested(
            task_id=str(state.received["task_id"]) if state.received else command.task_id,
            **_place(state, state.waits_for),
            not_before=None,
            attempt=state.attempt,
            was=state.status,
            reason=command.reason,
            archived=state.archived,
        )
    ]


def _waits_for_a_moment(state: TaskState, now: int) -> bool:
    if state.status == "queued":
        return state.not_before is not None and state.not_before > now
    return state.status in ("waiting_retry", "waiting_quota")


def _pause(command: PauseTask, state: TaskState) -> Sequence[Fact]:
    _refuse_unknown(command, state)
    if state.standing.ended:
        raise Refused(
            "conflict",
            f"task {command.task_id} has already {state.status}.",
            "Only a task that waits or runs can be paused.",
        )
    return [] if state.standing.paused else [TaskPaused(reason=command.reason)]


def _resume(command: ResumeTask, state: TaskState) -> Sequence[Fact]:
    _refuse_unknown(command, state)
    if state.standing.paused:
        return [TaskResumed(reason=command.reason)]
    if state.standing.ended:
        raise Refused(
            "conflict",
            f"task {command.task_id} has already {state.status}.",
            f"Have it done again with `evt retry {command.task_id}`.",
        )
    return []


TASK = Decider("task", TaskState(), decide, evolve)
