"""How an attempt ends, and whether its task ends with it: judged, tried again, waiting, lost, cancelled."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from handlers.attempt_state import AttemptState, without_session
from handlers.decider import Refused
from handlers.outcome import DEATHS, Verdict, judge
from handlers.retry import BLIND_WAIT_S, LONGEST_QUOTA_S, QUOTA_WAITS, delay, retries_for
from handlers.tools import edits
from handlers.validation import Worked, validated
from handlers.validation_files import first_of, numbered
from handlers.verification import due_checks, evidence, failures, verified
from schemas.attempt import (
    InterruptAttempt,
    LeaseExpired,
    QuotaWaitStarted,
    RetryScheduled,
    TaskCancelled,
    TaskFailed,
    TaskInterrupted,
    TaskSucceeded,
)
from schemas.process import ProcessIdentity
from schemas.task import TaskCommand
from schemas.turn import AttemptCommand, TurnReport
from schemas.validation import Validated
from schemas.word import Fact

MOST_DEATHS = 3
"""So many deaths of its agent or worker, while the service lived, end a task."""


def end(command: AttemptCommand, state: AttemptState) -> Sequence[Fact]:
    if state.report is None or state.spec is None:
        raise Refused("conflict", f"no turn of task {command.task_id} has ended yet.")
    if state.cancel_requested:
        # Even after a good answer: whoever asked was told that it stops, and so nothing must follow from it.
        return [_cancelled(command, state)]
    verdict = full_verdict(state)
    if verdict.reason in DEATHS:
        return _died(command, state, verdict)
    found = [] if state.report["ended"] == "not_started" else [_validated(state, verdict)]
    if verdict.kind == "failed":
        return [*found, *_failed_or_again(command, state, verdict)]
    return [
        *found,
        TaskSucceeded(
            **_common(command, state),
            claimed=verdict.claimed,
            verified=verdict.verified,
            evidence=verdict.evidence,
        ),
    ]


def full_verdict(state: AttemptState) -> Verdict:
    """How the attempt went, its checks as far as they were run included. Needs a report.

    Nothing that is only a signal is asked here: what is measured of an answer changes no end.
    """
    report, spec = TurnReport.model_validate(state.report), state.spec or {}
    verdict = _unless_edited(judge(report, state.files), state)
    proofs = evidence(spec, state.checks, verdict.claimed, _touched(state)) if report.has_result else ()
    notes = tuple(note for note in (state.uncompared, state.unseen) if note is not None)
    proved = verified(spec, state.checks)
    verdict = replace(verdict, verified=proved, evidence=(*verdict.evidence, *proofs, *notes))
    if verdict.kind == "failed" or proved != "failed":
        return verdict
    advice = ("Read what the checks said, then `evt retry` the task.",)
    return replace(
        verdict,
        kind="failed",
        error_class="validation",
        reason="check_failed",
        sentence=failures(state.checks),
        suggested=advice,
    )


def _ended(sentence: str) -> str:
    """With a mark at its end, so that another may follow."""
    return sentence if sentence.endswith((".", "!", "?", "…")) else f"{sentence}."


def _unless_edited(verdict: Verdict, state: AttemptState) -> Verdict:
    """Failed where files changed while this attempt of a task worked that may only read.

    Only what this attempt's own snapshot was compared with counts, not what earlier attempts left:
    the agent has no tool to take that back, so a second attempt could never come out well. Told why,
    it answers from the files as they are now; when nothing changes under it, its answer stands. Who
    changed them is not known (a person may have, in the same folder), and the files of all attempts
    stand in the artifact.
    """
    changed = _changed_now(state)
    if verdict.kind == "failed" or not changed or edits(str((state.spec or {})["task_type"])):
        return verdict
    advice = (
        "Look who changed these files.",
        "If the task is meant to change files, add it again as `bug_fix` or `documentation`.",
    )
    return replace(
        verdict,
        kind="failed",
        error_class="validation",
        reason="edit_in_readonly_task",
        sentence=f"{numbered(changed)} changed during a task that may only read: {first_of(changed)}.",
        suggested=advice,
    )


def _changed_now(state: AttemptState) -> tuple[str, ...]:
    """The paths that changed since this attempt's own snapshot, sorted."""
    # Without a snapshot of its own, what was found last is an earlier attempt's.
    return tuple(change["path"] for change in state.changes.latest) if state.measured else ()


def _validated(state: AttemptState, verdict: Verdict) -> Validated:
    return validated(
        Worked(
            attempt=state.attempt,
            spec=state.spec or {},
            report=TurnReport.model_validate(state.report),
            verdict=verdict,
            shaped=state.shaped,
            changed_now=_changed_now(state),
            changed=_touched(state) if state.uncompared is None else None,
            checks=state.checks,
            conditions=state.conditions,
        )
    )


def owes_checks(state: AttemptState) -> bool:
    """Whether the agent answered well, and checks that would prove it are still to be run."""
    if state.report is None or state.spec is None or state.cancel_requested:
        return False
    done = {result["index"] for result in state.checks}
    left = [index for index, _ in due_checks(state.spec) if index not in done]
    return bool(left) and full_verdict(state).kind == "succeeded"


def _touched(state: AttemptState) -> tuple[str, ...]:
    """Every path that a change tells of: a file that was renamed under both its names."""
    moved_from = (change["moved_from"] for change in state.changes.current)
    return (*state.files, *(path for path in moved_from if path is not None))


def _failed_or_again(command: AttemptCommand, state: AttemptState, verdict: Verdict) -> Sequence[Fact]:
    facts, left = _by_its_class(command, state, verdict), state.money.left
    if left is None or left > 0 or any(isinstance(fact, TaskFailed) for fact in facts):
        return facts
    spent = f"{_ended(verdict.sentence)} It is not tried again: its budget is spent."
    return [failed(command, state, replace(verdict, sentence=spent))]


def _by_its_class(command: AttemptCommand, state: AttemptState, verdict: Verdict) -> Sequence[Fact]:
    """What would follow if money were no matter."""
    report = TurnReport.model_validate(state.report)
    if verdict.error_class == "rate_limit" and (report.resets_at is not None or report.rate_limit_rejected):
        guess = command.time + BLIND_WAIT_S * 1_000_000
        resets_at = guess if report.resets_at is None else report.resets_at
        absurd = resets_at - command.time > LONGEST_QUOTA_S * 1_000_000
        return _wait_for_quota(command, state, verdict, guess if absurd else resets_at)
    return _try_again(command, state, verdict)


def _wait_for_quota(
    command: AttemptCommand, state: AttemptState, verdict: Verdict, resets_at: int
) -> Sequence[Fact]:
    if state.tries.quota_waits >= QUOTA_WAITS:
        sentence = f"its quota was used up {QUOTA_WAITS + 1} times in a row: {verdict.sentence}"
        spent = replace(verdict, error_class="quota", reason="quota", sentence=sentence)
        return [failed(command, state, spent)]
    # A little after the reset: clocks differ, and a moment that has passed is no reason to hurry.
    after_s = delay(retries_for("rate_limit", ""), 1, command.command_id)
    return [
        QuotaWaitStarted(
            attempt=state.attempt,
            executor=state.executor or "",
            resets_at=resets_at,
            wake_at=max(resets_at, command.time) + int(after_s * 1_000_000),
            sentence=verdict.sentence,
            resume=state.goes_on is not None,
        )
    ]


def _try_again(command: AttemptCommand, state: AttemptState, verdict: Verdict) -> Sequence[Fact]:
    retries = retries_for(verdict.error_class, verdict.reason, state.conditions)
    retry = state.tries.by_class.get(verdict.error_class, 0) + 1
    if retry > retries.most:
        if retries.most:
            tried = f"{_ended(verdict.sentence)} It was tried {retry} times."
            verdict = replace(verdict, sentence=tried)
        return [failed(command, state, verdict)]
    delay_s = delay(retries, retry, command.command_id)
    return [
        RetryScheduled(
            attempt=state.attempt,
            executor=state.executor or "",
            error_class=verdict.error_class,
            reason=verdict.reason,
            sentence=verdict.sentence,
            retry=retry,
            delay_s=delay_s,
            wake_at=command.time + int(delay_s * 1_000_000),
            resume=retries.resume and state.goes_on is not None,
        )
    ]


def _died(command: AttemptCommand, state: AttemptState, verdict: Verdict) -> Sequence[Fact]:
    interrupted = TaskInterrupted(attempt=state.attempt, reason=verdict.sentence, agent_died=True)
    return [interrupted, *_enough_deaths(command, state, verdict.sentence)]


def _enough_deaths(command: TaskCommand, state: AttemptState, reason: str) -> Sequence[Fact]:
    """The end of a task whose agent or worker has now died too often; nothing before that."""
    if state.tries.deaths + 1 < MOST_DEATHS:
        return []
    sentence = f"its agent or worker died {MOST_DEATHS} times while it held this task: {reason}"
    return [failed(command, state, Verdict("failed", "worker_lost", "worker_lost", sentence))]


def interrupt(command: InterruptAttempt, state: AttemptState) -> Sequence[Fact]:
    if not state.open or command.attempt != state.attempt:
        return []
    expired = _expired(state) if command.lease_expired else []
    if expired:
        state = without_session(state)
    owes = owes_checks(state)
    if _has_answered(state) and not owes:
        return [*expired, *end(command, state)]
    interrupted = TaskInterrupted(
        attempt=command.attempt,
        reason=command.reason,
        agent_was_alive=command.agent_was_alive,
        worker_died=command.worker_died,
        owes_checks=owes,
        service_died=command.service_died,
    )
    if state.cancel_requested:
        return [*expired, interrupted, _cancelled(command, state)]
    ended = _enough_deaths(command, state, command.reason) if command.worker_died else []
    return [*expired, interrupted, *ended]


def _expired(state: AttemptState) -> list[Fact]:
    return [
        LeaseExpired(
            attempt=state.attempt,
            worker=state.worker,
            process=ProcessIdentity.model_validate(state.process),
            lease_until=state.lease_until,
        )
    ]


def _has_answered(state: AttemptState) -> bool:
    """Whether the agent was done before the interruption: what was paid for is judged, not done again."""
    report = state.report
    if report is None:
        return False
    return report["ended"] in ("timeout", "inactivity") or (
        report["ended"] == "exited" and bool(report["has_result"])
    )


def _common(command: TaskCommand, state: AttemptState) -> dict[str, Any]:
    spec = state.spec or {}
    claimed = state.claimed if state.attempt else command.time
    first = command.time if state.first_claim is None else state.first_claim
    return {
        "attempt": state.attempt,
        "executor": state.executor if state.attempt else None,
        "task_type": spec["task_type"],
        "agent": spec["agent"],
        "priority": spec["priority"],
        "elapsed_ms": max(0, (command.time - claimed) // 1000),
        "waited_ms": max(0, (first - state.arrived) // 1000),
    }


def failed(command: TaskCommand, state: AttemptState, verdict: Verdict) -> TaskFailed:
    return TaskFailed(
        **_common(command, state),
        error_class=verdict.error_class,
        reason=verdict.reason,
        sentence=verdict.sentence,
        claimed=verdict.claimed,
        verified=verdict.verified,
        evidence=verdict.evidence,
        suggested_actions=verdict.suggested,
    )


def _cancelled(command: TaskCommand, state: AttemptState) -> TaskCancelled:
    by, reason = state.cancelled_by
    return TaskCancelled(**_common(command, state), reason=reason, by=by)
