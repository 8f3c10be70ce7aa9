"""A task's row in the words of a list: why it waits, how it ended, since when."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from adapters.cli.moments import minute, span
from handlers.path_policy import overlap
from projections.projection import Row

RowOf = Callable[[str], Row | None]
"""Looks up the row of another task by its key."""


@dataclass(frozen=True)
class Around:
    """What a task's own row does not say.

    `now` is in µs since 1970, `at_work` are rows of tasks that run. `served` is False where it
    is known that no service runs, and that shall be told of each task.
    """

    row_of: RowOf
    now: int
    at_work: tuple[Row, ...] = ()
    served: bool = True


def at_work(rows: Iterable[Row]) -> tuple[Row, ...]:
    """Those of them that run."""
    return tuple(row for row in rows if row["status"] == "running")


def name_of(key: str, row: Row) -> str:
    """The id as its author wrote it; of a refusal, which has none, the key."""
    return str(row["task_id"] or key)


def line_of(row: Row, around: Around) -> str:
    """The title, or what is more telling: why it waits, why it ended as it did."""
    match row["status"]:
        case "failed" | "refused" | "cancelled" | "dropped":
            return ended(row)
        case _:
            why = waits(row, around)
            return f"{row['title']}: {why}" if why else str(row["title"])


def ended(row: Row) -> str:
    """Why it ended as it did; the title where it succeeded."""
    match row["status"]:
        case "refused":
            return f"{row['file_name'] or row['refused_id']}: {row['sentence']}"
        case "failed" | "cancelled" | "dropped":
            return f"{row['title']}: {row['sentence'] or row['reason'] or row['status']}"
        case _:
            return str(row["title"])


def waits(row: Row, around: Around) -> str:
    """What keeps a task from being begun; empty where nothing does."""
    said: list[str] = []
    if row["status"] == "received":
        said.append("has no place in the queue yet")
    if row["waits_for"] and row["status"] == "waiting_dependency":
        said.append(f"waits for {', '.join(_other(name, around.row_of) for name in row['waits_for'])}")
    if row["not_before"] is not None and row["not_before"] > around.now and row["status"] != "running":
        said.append(f"not before {minute(row['not_before'])} (in {span(row['not_before'] - around.now)})")
    elif row["status"] == "queued":
        said += _queued(row, around)
    if row["status"] == "running" and row["cancel_requested"]:
        said.append("is asked to stop")
    return ", ".join(said)


def _queued(row: Row, around: Around) -> list[str]:
    """Why one that is due has not been begun."""
    said = ["was interrupted and starts again"] if row["attempt"] else []
    if not around.served:
        return [*said, "no service runs: `evt run`"]
    for other in around.at_work:
        if overlap(str(row["cwd"]), str(other["cwd"])):
            same = row["cwd"] == other["cwd"]
            place = "in the same directory" if same else f"in {other['cwd']}, which overlaps with its own"
            return [*said, f"{other['task_id']} works {place}"]
    return said


def since(row: Row) -> int:
    """When it came to be what it is now (µs since 1970)."""
    for name in ("ended_at", "claimed_at", "queued_at", "received_at"):
        if row[name] is not None:
            return int(row[name])
    return 0


def spent(cost: Mapping[str, Any]) -> str:
    """Cost and tokens, from the artifact's words for them."""
    return (
        f"{cost['usd']:.4f} USD; {cost['input_tokens']} tokens in, {cost['output_tokens']} out, "
        f"{cost['cache_read_tokens']} from the cache"
    )


def _other(name: str, row_of: RowOf) -> str:
    row = row_of(name.lower())
    return f"{name} ({'unknown' if row is None else row['status']})"
