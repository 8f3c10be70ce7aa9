"""What is known of a task's attempts: the fold that the attempt's rules decide over."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from eventstore.event import Recorded
from handlers.spending import totals_after
from schemas import names
from schemas.answering import together
from schemas.file_changes import NO_CHANGES, FileChanges, measured_from
from schemas.placed import placed
from schemas.standing import UNKNOWN, Standing


@dataclass(frozen=True, slots=True)
class Money:
    """`usd` is spent in all, `cap` what the task may cost; `totals` is what its session last reported."""

    usd: float = 0.0
    cap: float | None = None
    totals: Mapping[str, Any] | None = None

    @property
    def left(self) -> float | None:
        """What may still be spent; None: anything."""
        return None if self.cap is None else max(0.0, round(self.cap - self.usd, 9))


@dataclass(frozen=True, slots=True)
class Tries:
    """Counted since the task was last asked for. `deaths` are those of its agents and workers."""

    by_class: Mapping[str, int] = field(default_factory=dict)
    quota_waits: int = 0
    deaths: int = 0


@dataclass(frozen=True, slots=True)
class AttemptState:
    """`spec` is what was received; `report` the last turn's, as it stands in the log.

    `snapshot` is the blob of the state that the attempt began with, `measured` whether that state is
    known at all. `carry` is the session that the next attempt goes on with; `uncompared` says why the last
    comparison of the attempt failed, `unseen` what it could not look at; `owed` is a good report whose
    checks were not all run: the next attempt runs nothing but them. `check_session` marks the check at
    work; `rejected` are attempts whose late words were refused. `shaped` is the wish as the mediator put it
    in order, `answer` what it said to this attempt's agent in the person's place. `correcting` says that
    `why` is what was wrong with an answer that the next agent is to mend; `conditions` are those of the
    last claim.
    """

    standing: Standing = UNKNOWN
    spec: Mapping[str, Any] | None = None
    arrived: int = 0
    first_claim: int | None = None
    attempt: int = 0
    open: bool = False
    claimed: int = 0
    worker: str = ""
    executor: str | None = None
    process: Mapping[str, Any] | None = None
    lease_until: int = 0
    not_before: int | None = None
    turns: int = 0
    session_id: str | None = None
    resumed: bool = False
    carry: str | None = None
    agent: Mapping[str, Any] | None = None
    snapshot: str | None = None
    measured: bool = False
    report: Mapping[str, Any] | None = None
    why: str = ""
    correcting: bool = False
    conditions: Mapping[str, Any] = field(default_factory=dict)
    shaped: str = ""
    shape_sought: bool = False
    answer: str = ""
    answers: int = 0
    answering: bool = False
    changes: FileChanges = NO_CHANGES
    uncompared: str | None = None
    unseen: str | None = None
    compared: bool = False
    checks: tuple[Mapping[str, Any], ...] = ()
    check_session: str | None = None
    owed: Mapping[str, Any] | None = None
    money: Money = Money()
    tries: Tries = Tries()
    cancel_requested: bool = False
    cancelled_by: tuple[str, str] = ("", "")
    rejected: frozenset[int] = frozenset()

    @property
    def status(self) -> str:
        return self.standing.status

    @property
    def goes_on(self) -> str | None:
        """The session that would go on, should the attempt be over now: its own, if its agent ever lived."""
        return self.session_id if self.agent is not None else self.carry

    @property
    def files(self) -> tuple[str, ...]:
        """The paths that all attempts together changed, as the latest comparison of each found them."""
        return tuple(change["path"] for change in self.changes.current)


def evolve(state: AttemptState, event: Recorded) -> AttemptState:
    state = replace(state, standing=state.standing.after(event.type, event.data))
    data = event.data
    match event.type:
        case names.TASK_RECEIVED:
            return replace(state, spec=data["spec"], arrived=event.time)
        case names.TASK_QUEUED:
            return replace(state, spec=placed(state.spec or {}, data), not_before=data["not_before"])
        case names.MEDIATION_FINISHED:
            return _mediated(state, data)
        case names.RETRY_REQUESTED:
            return _asked_again(state, data)
        case names.CANCEL_REQUESTED:
            return replace(state, cancel_requested=True, cancelled_by=(event.actor, data["reason"]))
        case names.TASK_CLAIMED:
            return _claimed(state, event)
        case names.LEASE_EXTENDED:
            return replace(state, lease_until=data["lease_until"])
        case names.LEASE_EXPIRED:
            return without_session(state)
        case names.TASK_INTERRUPTED | names.RETRY_SCHEDULED | names.QUOTA_WAIT_STARTED:
            return _put_back(state, event)
        case names.STALE_RESULT_REJECTED:
            return replace(state, rejected=state.rejected | {data["attempt"]})
        case _ if event.type in names.ENDS:
            return replace(state, open=False, owed=None)
        case _:
            return _evolve_turn(state, event)


def without_session(state: AttemptState) -> AttemptState:
    """No attempt goes on where this one was: whoever held it may live still, or on another machine.

    When he wakes he ends all that bears his session's id; and the other machine has the session alone.
    """
    return replace(state, agent=None, carry=None)


def _mediated(state: AttemptState, data: Mapping[str, Any]) -> AttemptState:
    match data["purpose"]:
        case "shape":
            return replace(state, shaped=data["text"], shape_sought=True)
        case "answer":
            return replace(state, answer=data["text"], answers=state.answers + 1)
        case _:
            return state


def _asked_again(state: AttemptState, data: Mapping[str, Any]) -> AttemptState:
    # What only waited goes on where it was; what had ended begins anew.
    carry = state.carry if data["was"] in ("waiting_retry", "waiting_quota") else None
    untold = state.correcting and carry is not None
    return replace(
        state,
        not_before=None,
        tries=Tries(),
        carry=carry,
        owed=None,
        cancel_requested=False,
        why=state.why if untold else "",
        correcting=untold,
    )


def _claimed(state: AttemptState, event: Recorded) -> AttemptState:
    data = event.data
    return replace(
        state,
        open=True,
        attempt=data["attempt"],
        worker=data["worker"],
        executor=data["executor"],
        process=data["process"],
        lease_until=data["lease_until"],
        money=replace(state.money, cap=data["conditions"]["max_budget_usd"]),
        conditions=data["conditions"],
        claimed=event.time,
        first_claim=event.time if state.first_claim is None else state.first_claim,
        session_id=None,
        resumed=False,
        agent=None,
        snapshot=None,
        measured=False,
        report=state.owed,
        uncompared=None,
        unseen=None,
        compared=False,
        check_session=None,
        checks=(),
        answer="",
        answers=0,
    )


def _put_back(state: AttemptState, event: Recorded) -> AttemptState:
    """The attempt is over, the task is not."""
    data, tries = event.data, state.tries
    if event.type == names.TASK_INTERRUPTED:
        died = bool(data["worker_died"] or data["agent_died"])
        tries = replace(tries, deaths=tries.deaths + died)
        # Whatever killed the process may be what its session holds: that one begins anew.
        carry = None if died else state.goes_on
        untold = _untold(state) and carry is not None
        return replace(
            state,
            open=False,
            owed=state.report if data["owes_checks"] else None,
            not_before=None,
            tries=tries,
            carry=carry,
            why=state.why if untold else data["reason"],
            correcting=untold,
        )
    if event.type == names.QUOTA_WAIT_STARTED:
        tries = replace(tries, quota_waits=tries.quota_waits + 1)
    else:
        tries = replace(tries, by_class={**tries.by_class, data["error_class"]: data["retry"]})
    carry = state.goes_on if data["resume"] else None
    wrong = event.type == names.RETRY_SCHEDULED and data["error_class"] == "validation"
    untold = not wrong and _untold(state) and carry is not None
    return replace(
        state,
        open=False,
        # An answer that is tried again is given anew: what its checks said is no news after that.
        owed=None,
        not_before=data["wake_at"],
        tries=tries,
        carry=carry,
        why=state.why if untold else data["sentence"],
        correcting=wrong or untold,
    )


def _untold(state: AttemptState) -> bool:
    """Whether what was wrong with an answer has reached no agent: none of this attempt has lived."""
    return state.correcting and state.agent is None


def _evolve_turn(state: AttemptState, event: Recorded) -> AttemptState:
    data = event.data
    match event.type:
        case names.STEP_FINISHED if (measured := measured_from(data)) is not None:
            changes = state.changes.measured_from(measured)
            return replace(state, snapshot=data["blob"], measured=True, changes=changes)
        case names.STEP_FINISHED if data["phase"] == "compare":
            return replace(state, uncompared=data["note"], unseen=data.get("unseen"), compared=True)
        case names.TURN_STARTED:
            money = state.money if data["resumed"] else replace(state.money, totals=None)
            return replace(
                state,
                turns=state.turns + 1,
                session_id=data["session_id"],
                resumed=data["resumed"],
                agent=None,
                report=state.report if _answering(data) else None,
                answering=_answering(data),
                owed=None,
                money=money,
            )
        case names.AGENT_STARTED:
            return replace(state, agent=data["process"])
        case names.TURN_FINISHED:
            told = data["report"]
            if state.answering and state.report is not None:
                told = together(state.report, told)
            return replace(state, report=told, money=_paid(state.money, data))
        case names.FILES_MODIFIED:
            return replace(state, changes=state.changes.found(data["files"]))
        case names.CHECK_FINISHED:
            return replace(state, checks=(*state.checks, data["result"]), check_session=None)
        case names.CHECK_STARTED:
            return replace(state, check_session=data["session_id"])
        case _:
            return state


def _answering(data: Mapping[str, Any]) -> bool:
    return bool(data.get("answering"))  # an older log knows of no such turn


def _paid(money: Money, turn: Mapping[str, Any]) -> Money:
    report = turn["report"]
    usd = round(money.usd + turn["spent"]["usd"], 9)
    if not report["has_result"]:
        return replace(money, usd=usd)  # a killed process tells of no cost: the next one of its session may
    return replace(money, usd=usd, totals=totals_after(report, money.totals))
