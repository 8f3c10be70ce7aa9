"""metrics: counts and durations, in all, by type, by agent, by error class and by day.

Rows: `all`, `type:T`, `agent:A`, `error:CLASS`, `day:YYYY-MM-DD` (UTC). Events of an
attempt do not name type and agent, so attempts, interruptions and cost are counted in
`all` and `day` alone; a row has only the numbers that were counted in it. Everything
is an integer, so that a rebuilt row equals one that grew event by event.
"""

from bisect import bisect_right
from collections.abc import Mapping
from typing import Any, Final

from eventstore.event import Recorded
from eventstore.moment import utc_day
from projections.projection import Projection, Row
from schemas import names


def _bounds() -> tuple[int, ...]:
    """Lower bounds of the buckets: each 4 % above the one before, up to the largest integer."""
    bounds = [0, 1]
    while bounds[-1] < 2**63:
        bounds.append(max(bounds[-1] + 1, bounds[-1] * 104 // 100))
    return tuple(bounds)


BOUNDS: Final = _bounds()
BUCKETS: Final = tuple(map(str, range(len(BOUNDS))))


def bucket(value: int) -> str:
    """The bucket of a value (0 or more): any value in it is within 2 % of its middle."""
    return BUCKETS[bisect_right(BOUNDS, value) - 1]


def quantile(row: Row, q: float) -> int | None:
    """The duration in milliseconds that the part `q` (0 to 1) of the ended attempts kept to.

    Within 2 % of the exact figure (nearest rank); None where nothing was timed.
    """
    counts = sorted((int(name), count) for name, count in row.get("durations", {}).items())
    rank = int(q * (sum(count for _, count in counts) - 1))
    for index, count in counts:
        if rank < count:
            low, high = BOUNDS[index], BOUNDS[index + 1] - 1
            return low if low == high else round(2 * low * high / (low + high))
        rank -= count
    return None


def _keys(event: Recorded) -> tuple[str, ...]:
    day = f"day:{utc_day(event.time)}"
    if event.type == names.TASK_RECEIVED:
        told = event.data["spec"]
    elif event.type in names.ENDS:
        told = event.data
    else:
        return "all", day
    keys = "all", day, f"type:{told['task_type']}", f"agent:{told['agent']}"
    return (*keys, f"error:{told['error_class']}") if event.type == names.TASK_FAILED else keys


COUNTED_AS: Final = {
    names.TASK_RECEIVED: "received",
    names.TASK_REFUSED: "refused",
    names.TASK_CLAIMED: "attempts",
    names.TASK_INTERRUPTED: "interrupted",
    names.TURN_FINISHED: "turns",
    names.RETRY_SCHEDULED: "retries",
    names.QUOTA_WAIT_STARTED: "quota_waits",
    names.STALE_RESULT_REJECTED: "stale_results",
    names.RETRY_REQUESTED: "retry_requests",
    **names.STATUS_OF_END,
}

SUMS: Final = tuple(
    (field, f"{field}_sum")
    for field in ("input_tokens", "output_tokens", "cache_read_tokens", "cache_creation_tokens")
)


def _apply(key: str, row: Row | None, event: Recorded) -> Row | None:
    new = {} if row is None else row.copy()
    counted = COUNTED_AS[event.type]
    new[counted] = new.get(counted, 0) + 1
    if event.type in names.ENDS:
        _time(new, event.data)
    elif event.type == names.TURN_FINISHED:
        spent = event.data["spent"]
        _add(new, "cost_micro_usd_sum", round(spent["usd"] * 1_000_000))
        for field, total in SUMS:
            new[total] = new.get(total, 0) + spent[field]
    elif event.type == names.STALE_RESULT_REJECTED:
        _add(new, "cost_micro_usd_sum", round((event.data["cost_usd"] or 0.0) * 1_000_000))
    return new


def _time(new: Row, end: Mapping[str, Any]) -> None:
    """Count the durations of an end; a task that ended outside an attempt has waited, not worked."""
    _add(new, "waited_ms_sum", end["waited_ms"])
    elapsed = end["elapsed_ms"]
    if not elapsed:
        return
    _add(new, "elapsed_ms_sum", elapsed)
    if elapsed > new.get("elapsed_ms_max", 0):
        new["elapsed_ms_max"] = elapsed
    length = bucket(elapsed)
    new["durations"] = durations = new.get("durations", {}).copy()
    durations[length] = durations.get(length, 0) + 1


def _add(new: Row, name: str, amount: int) -> None:
    new[name] = new.get(name, 0) + amount


PROJECTION: Final = Projection(
    name="metrics",
    version=2,
    types=frozenset(COUNTED_AS),
    keys=_keys,
    apply=_apply,
)
