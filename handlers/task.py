"""A task: received, given its place, released, cancelled."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from eventstore.event import Recorded
from handlers.decider import Decider, Refused
from schemas import names
from schemas.attempt import TaskCancelled
from schemas.task import (
    CancelRequested,
    CancelTask,
    QueueTask,
    ReceiveTask,
    ReleaseTask,
    TaskCommand,
    TaskQueued,
    TaskReceived,
    TaskReleased,
)
from schemas.word import Fact


@dataclass(frozen=True, slots=True)
class TaskState:
    """`received` is the payload of task_received; None while the task is unknown."""

    status: str = "unknown"
    received: Mapping[str, Any] | None = None
    arrived: int = 0
    attempt: int = 0
    claimed: int = 0
    first_claim: int | None = None
    waits_for: tuple[str, ...] = ()
    cancel_requested: bool = False


def evolve(state: TaskState, event: Recorded) -> TaskState:
    match event.type:
        case names.TASK_RECEIVED:
            return replace(state, status="received", received=event.data, arrived=event.time)
        case names.TASK_QUEUED:
            waits_for = tuple(event.data["waits_for"])
            return replace(state, status="waiting_dependency" if waits_for else "queued", waits_for=waits_for)
        case names.TASK_RELEASED | names.TASK_INTERRUPTED:
            return replace(state, status="queued")
        case names.TASK_CLAIMED:
            first = event.time if state.first_claim is None else state.first_claim
            attempt = event.data["attempt"]
            return replace(state, status="running", attempt=attempt, claimed=event.time, first_claim=first)
        case names.CANCEL_REQUESTED:
            return replace(state, cancel_requested=True)
        case names.TASK_SUCCEEDED | names.TASK_FAILED | names.TASK_CANCELLED:
            return replace(state, status=names.STATUS_OF_END[event.type])
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
            f"task {command.task_id} was taken in before with the same bytes and is {state.status}.",
            f"See it with `evt show {command.task_id}`; give the file another `id` to have it done again.",
        )
    raise Refused(
        "id_conflict",
        f"the id {command.task_id} belongs to another task, which is {state.status}.",
        "Give this one another `id`, or leave `id` out.",
    )


def _queue(state: TaskState) -> Sequence[Fact]:
    if state.received is None or state.status != "received":
        return []
    spec = state.received["spec"]
    return [
        TaskQueued(
            priority=spec["priority"],
            cwd=spec["cwd"],
            waits_for=tuple(spec["after"]),
            not_before=spec["not_before"],
            title=spec["title"],
            task_type=spec["task_type"],
        )
    ]


def _release(command: ReleaseTask, state: TaskState) -> Sequence[Fact]:
    if state.status != "waiting_dependency" or not set(state.waits_for) <= set(command.succeeded):
        return []
    return [TaskReleased(waited_for=state.waits_for)]


def _cancel(command: CancelTask, state: TaskState) -> Sequence[Fact]:
    if state.received is None:
        raise Refused("not_found", f"there is no task {command.task_id}.", "`evt list` shows all of them.")
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
    spec = state.received["spec"]
    claimed = state.claimed if state.attempt else command.time
    first = command.time if state.first_claim is None else state.first_claim
    return [
        TaskCancelled(
            attempt=state.attempt,
            task_type=spec["task_type"],
            agent=spec["agent"],
            priority=spec["priority"],
            elapsed_ms=max(0, (command.time - claimed) // 1000),
            waited_ms=max(0, (first - state.arrived) // 1000),
            reason=command.reason,
            by=command.actor,
        )
    ]


TASK = Decider("task", TaskState(), decide, evolve)
