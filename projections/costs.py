"""costs: tokens and dollars of each task, of each day (UTC) and of all; every turn counted once.

Rows: `all`, `day:YYYY-MM-DD`, `task:<id>`. A turn that came too late to count for its task was paid
for nevertheless: what it says it cost is in the sums too (`rejected_usd` says how much of them).
"""

from typing import Any, Final

from eventstore.event import Recorded
from eventstore.moment import utc_day
from projections.projection import Projection, Row
from schemas import names

TOKENS: Final = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_creation_tokens")
ALL: Final = "all"


def day_key(when: str) -> str:
    """The key of a day; `when` begins with YYYY-MM-DD."""
    return f"day:{when[:10]}"


def _keys(event: Recorded) -> tuple[str, ...]:
    return (ALL, day_key(utc_day(event.time)), f"task:{names.task_of(event.stream)}")


def _apply(key: str, row: Row | None, event: Recorded) -> Row | None:
    new: dict[str, Any] = dict(row or _nothing(key))
    data = event.data
    new["last_at"] = event.time
    if event.type == names.STALE_RESULT_REJECTED:
        usd = data["cost_usd"] or 0.0
        new["rejected_usd"] = round(new["rejected_usd"] + usd, 9)
        return _more(new, data["attempt"], usd, key)
    spent = data["spent"]
    new["turns"] += 1
    for name in TOKENS:
        new[name] += spent[name]
    return _more(new, data["attempt"], spent["usd"], key)


def _more(new: dict[str, Any], attempt: int, usd: float, key: str) -> Row:
    new["usd"] = round(new["usd"] + usd, 9)
    if key.startswith("task:"):
        before = new["by_attempt"].get(str(attempt), 0.0)
        new["by_attempt"] = {**new["by_attempt"], str(attempt): round(before + usd, 9)}
    return new


def _nothing(key: str) -> Row:
    kind, _, subject = key.partition(":")
    row: Row = {"kind": kind, "subject": subject, "usd": 0.0, "turns": 0, **dict.fromkeys(TOKENS, 0)}
    row |= {"rejected_usd": 0.0, "last_at": 0}
    return {**row, "by_attempt": {}} if kind == "task" else row


PROJECTION: Final = Projection(
    name="costs",
    version=1,
    types=frozenset({names.TURN_FINISHED, names.STALE_RESULT_REJECTED}),
    keys=_keys,
    apply=_apply,
)
