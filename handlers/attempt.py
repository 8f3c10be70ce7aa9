"""An attempt: who holds the task and what the agent did; how it ends stands in `ending`."""

from collections.abc import Sequence
from dataclasses import replace

from eventstore.line import ERASED
from handlers.attempt_state import AttemptState, evolve
from handlers.decider import Decider, Refused
from handlers.ending import end, failed, interrupt
from handlers.outcome import Verdict
from handlers.path_policy import refusal
from handlers.scheduling import CLAIMABLE
from handlers.spending import own_share
from schemas.attempt import (
    CheckFinished,
    CheckStarted,
    ClaimTask,
    EndAttempt,
    ExtendLease,
    FilesModified,
    FinishStep,
    InterruptAttempt,
    LeaseExtended,
    NoteCheck,
    NoteFiles,
    RejectStale,
    StaleResultRejected,
    StartCheck,
    StartStep,
    StepFinished,
    StepStarted,
    TaskClaimed,
)
from schemas.task import TaskCommand
from schemas.turn import (
    AgentStarted,
    AttemptCommand,
    FinishTurn,
    InactivityTimeout,
    NoteAgent,
    NoteTool,
    PermissionDenied,
    StartTurn,
    ToolUsed,
    TurnFinished,
    TurnStarted,
)
from schemas.word import Command, Fact

_ENVELOPE = frozenset({*Command.model_fields, "task_id"})


def decide(command: TaskCommand, state: AttemptState) -> Sequence[Fact]:
    match command:
        case ClaimTask():
            return _claim(command, state)
        case InterruptAttempt():
            return interrupt(command, state)
        case RejectStale():
            return _reject(command, state)
        case AttemptCommand():
            if not state.open or command.attempt != state.attempt:
                raise Refused("stale", f"attempt {command.attempt} of task {command.task_id} is over.")
            return _record(command, state)
        case _:
            raise TypeError(f"no rule for {type(command).__name__}")


def _claim(command: ClaimTask, state: AttemptState) -> Sequence[Fact]:
    # A task that ends here has begun no attempt: its executor has no part in that.
    idle = replace(state, executor=None)
    if state.status not in CLAIMABLE or state.spec is None:
        raise Refused("conflict", f"task {command.task_id} is {state.status}, not queued.")
    if state.not_before is not None and command.time < state.not_before:
        raise Refused("conflict", f"task {command.task_id} is not due yet.")
    if command.cwd is None:
        sentence = f"the working directory {state.spec['cwd']} is not there any more."
        return [failed(command, idle, Verdict("failed", "fatal", "cwd_missing", sentence))]
    if state.spec["prompt"] == ERASED:
        sentence = "its prompt was erased from the log: there is nothing that an agent could be told."
        remedy = "Add a new task that says what is wanted."
        verdict = Verdict("failed", "fatal", "prompt_erased", sentence, suggested=(remedy,))
        return [failed(command, idle, verdict)]
    if (trouble := command.agent_trouble) is not None:
        mend = (trouble.remedy, "When it is mended: `evt retry --failed`.")
        verdict = Verdict("failed", "fatal", trouble.code, trouble.sentence, suggested=mend)
        return [failed(command, idle, verdict)]
    found = refusal(
        command.cwd,
        command.allowed_root,
        command.home,
        str(state.spec["task_type"]),
        command.windows,
        command.private,
    )
    if found is not None:
        verdict = Verdict("failed", "security", found.code, found.sentence, suggested=(found.remedy,))
        return [failed(command, idle, verdict)]
    if command.cwd != state.spec["cwd"]:
        # What was taken in was a real path. It leads elsewhere now: somebody put a link in its way,
        # and the rule of one task at a time in a directory was kept for the other place.
        sentence = f"the working directory {state.spec['cwd']} now leads to {command.cwd}."
        remedy = "Look who put a link there; add the task again with the folder that is meant."
        verdict = Verdict("failed", "security", "cwd_moved", sentence, suggested=(remedy,))
        return [failed(command, idle, verdict)]
    cap = command.conditions.max_budget_usd
    if cap is not None and state.money.usd >= cap:
        sentence = f"its budget of {cap:.2f} USD is spent: {state.money.usd:.2f} USD."
        advice = ("Raise `max_budget_usd`, then add the task again.",)
        return [failed(command, idle, Verdict("failed", "budget", "max_budget", sentence, suggested=advice))]
    return [
        TaskClaimed(
            attempt=state.attempt + 1,
            worker=command.worker,
            lease_until=command.lease_until,
            process=command.process,
            cwd=command.cwd,
            conditions=command.conditions,
            executor=command.executor,
        )
    ]


_PLAIN: dict[type[AttemptCommand], type[Fact]] = {
    StartStep: StepStarted,
    FinishStep: StepFinished,
    NoteTool: ToolUsed,
    StartCheck: CheckStarted,
    NoteCheck: CheckFinished,
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
        case ExtendLease():
            later = command.lease_until > state.lease_until
            return [LeaseExtended(attempt=command.attempt, lease_until=command.lease_until)] if later else []
        case EndAttempt():
            return end(command, state)
        case _:
            raise TypeError(f"no rule for {type(command).__name__}")


def _payload(command: Command) -> list[str]:
    return [name for name in type(command).model_fields if name not in _ENVELOPE]


def _note_files(command: NoteFiles, state: AttemptState) -> Sequence[Fact]:
    """Said once: a comparison that found what the one before it found is no news."""
    if not state.measured:
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
        spent=own_share(command.report, state.money.totals if state.resumed else None),
    )
    denied = [
        PermissionDenied(attempt=state.attempt, tool=d.tool, tool_use_id=d.tool_use_id, detail=d.detail)
        for d in command.report.denials
    ]
    if command.report.ended != "inactivity":
        return [*denied, finished]
    silent = InactivityTimeout(attempt=state.attempt, turn_index=state.turns - 1, silent_s=command.silent_s)
    return [*denied, silent, finished]


def _refuse_without_turn(command: AttemptCommand, state: AttemptState) -> str:
    """The session of the attempt's turn."""
    if state.session_id is None:
        raise Refused("conflict", f"no turn of task {command.task_id} was started.")
    return state.session_id


def _reject(command: RejectStale, state: AttemptState) -> Sequence[Fact]:
    holds = state.open and command.attempt == state.attempt
    if holds or command.attempt > state.attempt or command.attempt in state.rejected:
        return []
    return [
        StaleResultRejected(
            attempt=command.attempt,
            current_attempt=state.attempt,
            command=command.command,
            cost_usd=command.cost_usd,
        )
    ]


ATTEMPT = Decider("attempt", AttemptState(), decide, evolve)
