"""Which task is next: by priority, then by age, and one task at a time in one directory."""

from collections.abc import Iterable, Mapping
from typing import Any

from handlers.path_policy import overlap

Row = Mapping[str, Any]


def order(row: Row) -> tuple[int, int]:
    """High before medium before low, then what was queued first."""
    return int(row["rank"]), int(row["received_position"])


def choose(rows: Iterable[Row], now: int) -> Row | None:
    """The queued task that may start at `now` (µs), None when there is none.

    One that must wait for its directory keeps it: none behind it takes a part of that away.
    """
    rows = list(rows)
    taken = [str(row["cwd"]) for row in rows if row["status"] == "running"]
    due = [row for row in rows if row["status"] == "queued" and (row["not_before"] or 0) <= now]
    for row in sorted(due, key=order):
        if not any(overlap(str(row["cwd"]), place) for place in taken):
            return row
        taken.append(str(row["cwd"]))
    return None
