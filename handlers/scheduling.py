"""Which task is next: by priority, then by age, one task at a time in one directory, if its executor may."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from handlers.path_policy import overlap
from schemas import names

Row = Mapping[str, Any]

SUSPECT_DEATHS: Final = 3
"""A task that the service died with so often in a row is done alone: then it is seen whose doing that is."""
MOST_SERVICE_DEATHS: Final = 5
"""A task that the service died with so often in a row is not begun again before a person lets it."""

CLAIMABLE: Final = frozenset({"queued", "waiting_retry", "waiting_quota"})
EVERY: Final = "*"
"""The row of the view `executors` that concerns them all."""


def order(row: Row) -> tuple[int, int]:
    """High before medium before low, then what was queued first."""
    return int(row["rank"]), int(row["received_position"])


def due(row: Row, now: int) -> bool:
    """Whether a task waits for nothing but a worker."""
    return row["status"] in CLAIMABLE and (row["not_before"] or 0) <= now


def suspect(row: Row) -> bool:
    """Whether the service died with a task so often that nothing else may be at work beside it."""
    return bool(row["service_deaths"] >= SUSPECT_DEATHS)


def choose(rows: Iterable[Row], now: int, executors: Mapping[str, Row]) -> Row | None:
    """The task that may start at `now` (µs), None when there is none: while the disk is low, too.

    One that must wait for its directory keeps it: none behind it takes a part of that away. One that the
    service died with often is begun when nothing else is at work, and nothing else beside it.
    """
    if executors.get(EVERY, {}).get("paused") or low_disk(executors):
        return None
    rows = list(rows)
    running = [row for row in rows if row["status"] == "running"]
    if any(suspect(row) for row in running):
        return None
    taken = [str(row["cwd"]) for row in running]
    waiting: set[str] = set()  # directories that must wait: hundreds of tasks may share one
    busy = {str(row["executor"]) for row in running}
    for row in sorted((row for row in rows if due(row, now)), key=order):
        if row["service_deaths"] >= MOST_SERVICE_DEATHS:
            continue  # a policy is about to pause it
        if not _may(executors.get(str(row["executor"])), str(row["executor"]) in busy, now):
            continue
        cwd = str(row["cwd"])
        if cwd in waiting:
            continue
        if not any(overlap(cwd, place) for place in taken):
            return None if suspect(row) and running else row
        waiting.add(cwd)
        taken.append(cwd)
    return None


def low_disk(executors: Mapping[str, Row]) -> Row | None:
    """What the log says of a disk that is low: its path, what is free, since when; None where it is not."""
    found: Row | None = executors.get(EVERY, {}).get("disk")
    return found


def _may(executor: Row | None, busy: bool, now: int) -> bool:
    """Whether an executor takes a task: not while it waits, and one at a time until it has answered."""
    if executor is None:
        return True
    if (executor["wait_until"] or 0) > now or executor["due"] == "open":
        return False
    return executor["failures"] < names.CIRCUIT_FAILURES or not busy


def open_until(row: Row, executors: Mapping[str, Row]) -> int:
    """The moment (µs) from which a waiting task may start, as far as moments go."""
    executor = executors.get(str(row["executor"]), {})
    return max(int(row["not_before"] or 0), int(executor.get("wait_until") or 0))
