"""An attempt: who holds the task, what the agent did, and how the task ends."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from eventstore.event import Recorded
from handlers.decider import Decider, Refused
from handlers.outcome import Verdict, judge
from handlers.path_policy import refusal
from schemas import names
from schemas.attempt import (
    ClaimTask,
    EndAttempt,
    FilesModified,
    FinishStep,
    InterruptAttempt,
    NoteFiles,
    StartStep,
    StepFinished,
    StepStarted,
    TaskCancelled,
    TaskClaimed,
    TaskFailed,
    TaskInterrupted,
    TaskSucceeded,
)
from schemas.file_changes import NO_CHANGES, FileChanges
from schemas.task import TaskCommand
from schemas.turn import (
    AgentStarted,
    AttemptCommand,
    FinishTurn,
    NoteAgent,
    NoteTool,
    PermissionDenied,
    StartTurn,
    ToolUsed,
    TurnFinished,
    TurnReport,
    TurnStarted,
)
from schemas.word import Command, Fact

WORKER_DEATHS = 3
"""So many deaths of its worker, while the service lived, end a task."""

_ENVELOPE = frozenset({*Command.model_fields, "task_id"})


@dataclass(frozen=True, slots=True)
class AttemptState:
    """`spec` is what was received; `report` the last turn's, as it stands in the log.

    `uncompared` says why the last comparison of the attempt failed.
    """

    status: str = "unknown"
    spec: Mapping[str, Any] | None = None
    arrived: int = 0
    first_claim: int | None = None
    attempt: int = 0
    open: bool = False
    claimed: int = 0
    worker: str = ""
    not_before: int | None = None
    turns: int = 0
    session_id: str | None = None
    agent: Mapping[str, Any] | None = None
    snapshot: str | None = None
    report: Mapping[str, Any] | None = None
    changes: FileChanges = NO_CHANGES
    uncompared: str | None = None
    cancel_requested: bool = False
    cancelled_by: tuple[str, str] = ("", "")
    worker_deaths: int = 0

    @property
    def files(self) -> tuple[str, ...]:
        """The paths that all attempts together changed, as the latest comparison of each found them."""
        return tuple(change["path"] for change in self.changes.current)


def evolve(state: AttemptState, event: Recorded) -> AttemptState:
    match event.type:
        case names.TASK_RECEIVED:
            return replace(state, status="received", spec=event.data["spec"], arrived=event.time)
        case names.TASK_QUEUED:
            waits = bool(event.data["waits_for"])
            status = "waiting_dependency" if waits else "queued"
            return replace(state, status=status, not_before=event.data["not_before"])
        case names.TASK_RELEASED:
            return replace(state, status="queued")
        case names.CANCEL_REQUESTED:
            return replace(state, cancel_requested=True, cancelled_by=(event.actor, event.data["reason"]))
        case names.TASK_INTERRUPTED:
            deaths = state.worker_deaths + bool(event.data["worker_died"])
            return replace(state, status="queued", open=False, worker_deaths=deaths)
        case names.TASK_SUCCEEDED | names.TASK_FAILED | names.TASK_CANCELLED:
            return replace(state, status=names.STATUS_OF_END[event.type], open=False)
        case _:
            return _evolve_attempt(state, event)


def _evolve_attempt(state: AttemptState, event: Recorded) -> AttemptState:
    match event.type:
        case names.TASK_CLAIMED:
            first = event.time if state.first_claim is None else state.first_claim
            return replace(
                state,
                status="running",
                open=True,
                attempt=event.data["attempt"],
                worker=event.data["worker"],
                claimed=event.time,
                first_claim=first,
                session_id=None,
                agent=None,
                snapshot=None,
                report=None,
                uncompared=None,
            )
        case names.STEP_FINISHED if event.data["phase"] == "snapshot" and event.data["blob"] is not None:
            blob = event.data["blob"]
            return replace(state, snapshot=blob, changes=state.changes.measured_from(blob))
        case names.STEP_FINISHED if event.data["phase"] == "compare":
            return replace(state, uncompared=event.data["note"])
        case names.TURN_STARTED:
            return replace(state, turns=state.turns + 1, session_id=event.data["session_id"])
        case names.AGENT_STARTED:
            return replace(state, agent=event.data["process"])
        case names.TURN_FINISHED:
            return replace(state, report=event.data["report"])
        case names.FILES_MODIFIED:
            return replace(state, changes=state.changes.found(event.data["files"]))
        case _:
            return state


def decide(command: TaskCommand, state: AttemptState) -> Sequence[Fact]:
    match command:
        case ClaimTask():
            return _claim(command, state)
        case InterruptAttempt():
            return _interrupt(command, state)
        case AttemptCommand():
            if not state.open or command.attempt != state.attempt:
                raise Refused("stale", f"attempt {command.attempt} of task {command.task_id} is over.")
            return _record(command, state)
        case _:
            raise TypeError(f"no rule for {type(command).__name__}")


def _claim(command: ClaimTask, state: AttemptState) -> Sequence[Fact]:
    if state.status != "queued" or state.spec is None:
        raise Refused("conflict", f"task {command.task_id} is {state.status}, not queued.")
    if state.not_before is not None and command.time < state.not_before:
        raise Refused("conflict", f"task {command.task_id} is not due yet.")
    if command.cwd is None:
        sentence = f"the working directory {state.spec['cwd']} is not there any more."
        return [_failed(command, state, Verdict("failed", "fatal", "cwd_missing", sentence))]
    found = refusal(
        command.cwd, command.allowed_root, command.home, str(state.spec["task_type"]), command.windows
    )
    if found is not None:
        verdict = Verdict("failed", "security", found.code, found.sentence, suggested=(found.remedy,))
        return [_failed(command, state, verdict)]
    if command.cwd != state.spec["cwd"]:
        # What was taken in was a real path. It leads elsewhere now: somebody put a link in its way,
        # and the rule of one task at a time in a directory was kept for the other place.
        sentence = f"the working directory {state.spec['cwd']} now leads to {command.cwd}."
        remedy = "Look who put a link there; add the task again with the folder that is meant."
        verdict = Verdict("failed", "security", "cwd_moved", sentence, suggested=(remedy,))
        return [_failed(command, state, verdict)]
    return [
        TaskClaimed(
            attempt=state.attempt + 1,
            worker=command.worker,
            lease_until=command.lease_until,
            process=command.process,
            cwd=command.cwd,
            conditions=command.conditions,
        )
    ]


_PLAIN: dict[type[AttemptCommand], type[Fact]] = {
    StartStep: StepStarted,
    FinishStep: StepFinished,
    NoteTool: ToolUsed,
}


def _record(command: AttemptCommand, state: AttemptState) -> Sequence[Fact]:
    """What the worker of the open attempt reports."""
    if fact := _PLAIN.get(type(command)):
        return [fact(**{name: getattr(command, name) for name in _payload(command)})]
    match command:
        case StartTurn():
            return [
                TurnStarted(turn_index=state.turns, **{n: getattr(command, n) for n in _payload(command)})
            ]
        case NoteAgent():
            _refuse_without_turn(command, state)
            return [AgentStarted(attempt=state.attempt, turn_index=state.turns - 1, process=command.process)]
        case NoteFiles():
            return _note_files(command, state)
        case FinishTurn():
            return _finish_turn(command, state)
        case EndAttempt():
            return _end(command, state)
        case _:
            raise TypeError(f"no rule for {type(command).__name__}")


def _payload(command: Command) -> list[str]:
    return [name for name in type(command).model_fields if name not in _ENVELOPE]


def _note_files(command: NoteFiles, state: AttemptState) -> Sequence[Fact]:
    """Said once: a comparison that found what the one before it found is no news."""
    if state.snapshot is None:
        return []  # its snapshot never came into the log: nobody could tell what this is a difference from
    if [change.model_dump(mode="json") for change in command.files] == list(state.changes.latest):
        return []
    return [FilesModified(attempt=command.attempt, files=command.files)]


def _finish_turn(command: FinishTurn, state: AttemptState) -> Sequence[Fact]:
    finished = TurnFinished(
        attempt=state.attempt,
        turn_index=state.turns - 1,
        session_id=_refuse_without_turn(command, state),
        report=command.report,
    )
    denied = [
        PermissionDenied(attempt=state.attempt, tool=d.tool, tool_use_id=d.tool_use_id, detail=d.detail)
        for d in command.report.denials
    ]
    return [*denied, finished]


def _refuse_without_turn(command: AttemptCommand, state: AttemptState) -> str:
    """The session of the attempt's turn."""
    if state.session_id is None:
        raise Refused("conflict", f"no turn of task {command.task_id} was started.")
    return state.session_id


def _end(command: AttemptCommand, state: AttemptState) -> Sequence[Fact]:
    if state.report is None:
        raise Refused("conflict", f"no turn of task {command.task_id} has ended yet.")
    if state.cancel_requested:
        # Even after a good answer: whoever asked was told that it stops, and so nothing must follow from it.
        return [_cancelled(command, state)]
    verdict = judge(TurnReport.model_validate(state.report), state.files)
    if state.uncompared is not None:
        verdict = replace(verdict, evidence=(*verdict.evidence, state.uncompared))
    if verdict.kind == "failed":
        return [_failed(command, state, verdict)]
    return [
        TaskSucceeded(
            **_common(command, state),
            claimed=verdict.claimed,
            verified="unchecked",
            evidence=verdict.evidence,
        )
    ]


def _interrupt(command: InterruptAttempt, state: AttemptState) -> Sequence[Fact]:
    if not state.open or command.attempt != state.attempt:
        return []
    if _has_answered(state.report):
        return _end(command, state)
    interrupted = TaskInterrupted(
        attempt=command.attempt,
        reason=command.reason,
        agent_was_alive=command.agent_was_alive,
        worker_died=command.worker_died,
    )
    if state.cancel_requested:
        return [interrupted, _cancelled(command, state)]
    if command.worker_died and state.worker_deaths + 1 >= WORKER_DEATHS:
        sentence = f"its worker died {WORKER_DEATHS} times while it held this task: {command.reason}"
        return [
            interrupted,
            _failed(command, state, Verdict("failed", "worker_lost", "worker_lost", sentence)),
        ]
    return [interrupted]


def _has_answered(report: Mapping[str, Any] | None) -> bool:
    """Whether the agent was done before the interruption: what was paid for is judged, not done again."""
    if report is None:
        return False
    return report["ended"] == "timeout" or (report["ended"] == "exited" and bool(report["has_result"]))


def _common(command: TaskCommand, state: AttemptState) -> dict[str, Any]:
    spec = state.spec or {}
    claimed = state.claimed if state.attempt else command.time
    first = command.time if state.first_claim is None else state.first_claim
    return {
        "attempt": state.attempt,
        "task_type": spec["task_type"],
        "agent": spec["agent"],
        "priority": spec["priority"],
        "elapsed_ms": max(0, (command.time - claimed) // 1000),
        "waited_ms": max(0, (first - state.arrived) // 1000),
    }


def _failed(command: TaskCommand, state: AttemptState, verdict: Verdict) -> TaskFailed:
    return TaskFailed(
        **_common(command, state),
        error_class=verdict.error_class,
        reason=verdict.reason,
        sentence=verdict.sentence,
        claimed=verdict.claimed,
        evidence=verdict.evidence,
        suggested_actions=verdict.suggested,
    )


def _cancelled(command: TaskCommand, state: AttemptState) -> TaskCancelled:
    by, reason = state.cancelled_by
    return TaskCancelled(**_common(command, state), reason=reason, by=by)


ATTEMPT = Decider("attempt", AttemptState(), decide, evolve)
