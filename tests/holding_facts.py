"""Facts of what holds tasks up, for tests: a retry, a wait for quota, a wish for one more time, checks."""

import datetime
from typing import Final

from schemas import names
from schemas.attempt import CheckResult, QuotaWaitStarted, RetryScheduled
from schemas.task import RetryRequested

SECOND: Final = 1_000_000
LATER: Final = int(datetime.datetime(2090, 1, 2, 14, 5, tzinfo=datetime.UTC).timestamp()) * SECOND
PASSED = CheckResult(index=0, command="pytest -q", ended="exited", exit_code=0, passed=True, elapsed_ms=1200)
FAILED = CheckResult(index=1, command="ruff", ended="exited", exit_code=2, passed=False, elapsed_ms=300)
LATE = CheckResult(index=2, command="sleep", ended="timeout", exit_code=-9, passed=False, elapsed_ms=99_000)
ABSENT = CheckResult(
    index=3, command="x", ended="not_started", exit_code=None, passed=False, elapsed_ms=0, note="no shell"
)


def retried(wake_at: int = LATER, sentence: str = "no answer from the model.") -> RetryScheduled:
    return RetryScheduled(
        attempt=1,
        executor=names.EXECUTOR,
        error_class="network",
        reason="overloaded",
        sentence=sentence,
        retry=1,
        delay_s=2.25,
        wake_at=wake_at,
        resume=True,
    )


def quota(wake_at: int = LATER) -> QuotaWaitStarted:
    return QuotaWaitStarted(
        attempt=1,
        executor=names.EXECUTOR,
        resets_at=wake_at,
        wake_at=wake_at,
        sentence="You've hit your limit.",
        resume=True,
    )


def again(task_id: str, was: str) -> RetryRequested:
    return RetryRequested(
        task_id=task_id,
        priority="medium",
        cwd="/srv/shop",
        waits_for=(),
        not_before=None,
        title="Fix the total",
        task_type="bug_fix",
        attempt=1,
        was=was,
        reason="asked on the command line",
    )
