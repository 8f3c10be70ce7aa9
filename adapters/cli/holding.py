"""What holds tasks up together, and what a day has cost: as `evt status` tells it."""

from collections.abc import Mapping
from typing import Any

from adapters.cli.moments import ago, day, span
from adapters.cli.words.task import executor_waits
from handlers.scheduling import EVERY
from projections.costs import day_key
from projections.projection import Row
from projections.view_rows import ViewRows
from schemas.names import CIRCUIT_FAILURES
from schemas.shown import shown


def holding(executors: Mapping[str, Row], now: int) -> list[dict[str, Any]]:
    """The rows of the view `executors` of which something is held up at `now` (µs), the queue's first."""
    held = [dict(row) for row in executors.values() if _holds(row, now)]
    return sorted(held, key=lambda row: (row["executor"] != EVERY, row["executor"]))


def holding_in_words(row: Row, now: int) -> list[str]:
    """The answer of `holding` for people, a line each."""
    said = []
    if row["paused"]:
        reason = f": {shown(row['pause_reason'], 100)}" if row["pause_reason"] else ""
        said.append(f"paused by {shown(row['paused_by'])}{reason}; `evt resume` lets it go on")
    if waiting := executor_waits(row, now):
        said.append(waiting + (f": {shown(row['sentence'])}" if row["sentence"] else ""))
    elif _on_trial(row):
        said.append(f"{row['executor']} failed {row['failures']} times in a row: it gets one task at a time")
    return said


def today(views: ViewRows, now: int) -> dict[str, Any] | None:
    """What the day (UTC) has cost; None where nothing was done."""
    row = views.row("costs", day_key(day(now)))
    return None if row is None else {"day": day(now), **row}


def today_in_words(row: Mapping[str, Any]) -> str:
    turns = "1 turn" if row["turns"] == 1 else f"{row['turns']} turns"
    late = f", {row['rejected_usd']:.4f} of them came too late to count" if row["rejected_usd"] else ""
    return f"{row['usd']:.4f} USD in {turns} today ({row['day']}, UTC){late}"


def looks_dead(queued: Row | None, now: int, *, pid: int | None, served: bool) -> str:
    """Why nobody seems to work on a claimed task; empty where somebody may.

    `queued` is its row in the view `queue`, `pid` the service's as the log has it.
    """
    if queued is None or queued["process"] is None:
        return ""
    if not served:
        return "no service runs: `evt run` takes it up again"
    if queued["lease_until"] < now:
        return f"nothing was heard of its worker in time: its lease ended {ago(queued['lease_until'], now)}"
    if pid is not None and queued["process"]["pid"] != pid:
        left = span(queued["lease_until"] - now)
        return f"another service has it (pid {queued['process']['pid']}); its lease ends in {left}"
    return ""


def _holds(row: Row, now: int) -> bool:
    return bool(row["paused"] or (row["wait_until"] or 0) > now or _on_trial(row))


def _on_trial(row: Row) -> bool:
    return bool(row["failures"] >= CIRCUIT_FAILURES)
