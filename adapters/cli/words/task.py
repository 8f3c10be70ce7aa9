"""A task's row in the words of a list: why it waits, how it ended, since when."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from adapters.cli.moments import UNITS, minute, span
from adapters.cli.words.others import Others, some_of
from handlers.path_policy import overlap
from handlers.scheduling import EVERY, low_disk
from projections.projection import Row
from projections.tasks import HELD_BACK
from schemas import names

SOON: Final = UNITS["h"] * 1_000_000
"""A moment that is nearer (µs) is told by how far away it is."""
WHY: Final = {"quota": "its quota is used up", "circuit": "it failed too often"}


class Around(NamedTuple):
    """What a task's own row does not say.

    `now` is in µs since 1970, `at_work` are rows of tasks that run, `executors` the rows of that view.
    `served` is False where it is known that no service runs, and that shall be told of each task.
    """

    others: Others
    now: int
    at_work: tuple[Row, ...] = ()
    served: bool = True
    executors: Mapping[str, Row] = MappingProxyType({})


def at_work(rows: Iterable[Row]) -> tuple[Row, ...]:
    """Those of them that run."""
    return tuple(row for row in rows if row["status"] == "running")


def name_of(key: str, row: Row) -> str:
    """The id as its author wrote it; of a refusal, which has none, the key."""
    return str(row["task_id"] or key)


def status_of(row: Row) -> str:
    """The status; of a success also whether a check has proved it, and how much of it nobody proved."""
    if row["status"] != "succeeded":
        return str(row["status"])
    said = ["checked" if row["verified"] == "passed" else "unchecked"]
    if row["unproved"]:
        said.append(f"{row['unproved']} unproved")
    return f"succeeded ({', '.join(said)})"


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
    later = row["not_before"] is not None and row["not_before"] > around.now
    match row["status"]:
        case "paused":
            until = f"until `evt resume {row['task_id']}`"
            return f"{until}: {row['sentence']}" if row["reason"] == HELD_BACK else until
        case "running":
            return _called_off(row)
        case "waiting_retry" | "waiting_quota":
            again = again_at(row, around.now)
            if _held_longer(row, around) and (held := _held_up(row, around)):
                return f"{held[0]}: {row['sentence']}"
            return f"{again}: {row['sentence']}" if later else ", ".join([again, *_due(row, around)])
    said: list[str] = []
    if row["status"] == "received":
        said.append("has no place in the queue yet")
    if row["waits_for"] and row["status"] == "waiting_dependency":
        said.append(_waits_for(row, around.others))
    if later:
        said.append(f"not before {minute(row['not_before'])} (in {span(row['not_before'] - around.now)})")
    elif row["status"] == "queued":
        said += [*_again(row), *_due(row, around)]
    return ", ".join(said)


def to_go_on(row: Row, others: Others) -> list[str]:
    """What a person can do for one that waits for others, where nothing goes on by itself."""
    if row["status"] != "waiting_dependency":
        return []
    said: list[str] = []
    for name in row["waits_for"]:
        other = others.row(name)
        if other is None:
            said.append(f"add a task of the id {name}")
        elif other["status"] in ("failed", "cancelled"):
            said.append(f"`evt retry {name}` has that done again, and this one follows")
        elif other["status"] == "paused":
            said.append(f"`evt resume {name}` lets that go on, and this one follows")
    if circle := others.circle(row):
        all_of_them = ", ".join(some_of(circle[1:]))
        said.append(f"none of {all_of_them} ever begins: cancel them, and add them anew with other ids")
    return [*said, f"`evt cancel {row['task_id']}` takes it back"] if said else []


def again_at(row: Row, now: int) -> str:
    """When one that waits for a moment is tried again."""
    left = (row["not_before"] or 0) - now
    if left <= 0:
        return "due now"
    return f"again in {span(left)}" if left < SOON else f"again at {minute(row['not_before'])}"


def executor_waits(row: Row, now: int) -> str:
    """Why nothing of an executor is begun now, and until when; empty where that is not so."""
    if (row["wait_until"] or 0) <= now:
        return ""
    until = f"until {minute(row['wait_until'])} (in {span(row['wait_until'] - now)})"
    why = WHY.get(row["why"], "")
    if row["executor"] == EVERY:
        return f"nothing is begun {until}"
    return f"{row['executor']} waits {until}" + (f", for {why}" if why else "")


def _called_off(row: Row) -> str:
    if row["cancel_requested"]:
        return "is asked to stop"
    return "is asked to pause" if row["paused"] else ""


def _again(row: Row) -> list[str]:
    """One that was begun before: its attempt was interrupted, or somebody wants it done again."""
    if not row["attempt"]:
        return []
    return ["was interrupted and starts again" if row["sentence"] else "is to be done again"]


def _held_up(row: Row, around: Around) -> list[str]:
    """What holds it up together with others: a paused queue, a wait of its executor."""
    every = around.executors.get(EVERY)
    if every is not None and every["paused"]:
        return ["the queue is paused"]
    if low_disk(around.executors) is not None:
        return ["the disk is low"]
    for held in (every, around.executors.get(row["executor"] or names.EXECUTOR)):
        if held is not None and (why := executor_waits(held, around.now)):
            return [why]
    return []


def _held_longer(row: Row, around: Around) -> bool:
    """Whether what holds others up too lasts longer than its own wait."""
    own, rows = row["not_before"] or 0, around.executors
    held = [rows[name] for name in (EVERY, row["executor"] or names.EXECUTOR) if name in rows]
    if low_disk(rows) is not None:
        return True
    return any(one["paused"] or (one["wait_until"] or 0) > own for one in held)


def _due(row: Row, around: Around) -> list[str]:
    """Why one that is due has not been begun."""
    if held := _held_up(row, around):
        return held
    if not around.served:
        return ["no service runs: `evt run`"]
    for other in around.at_work:
        if overlap(str(row["cwd"]), str(other["cwd"])):
            same = row["cwd"] == other["cwd"]
            place = "in the same directory" if same else f"in {other['cwd']}, which overlaps with its own"
            return [f"{other['task_id']} works {place}"]
    return []


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


def _waits_for(row: Row, others: Others) -> str:
    if circle := others.circle(row):
        return f"waits for itself: {' after '.join(some_of(circle))}"
    left = [name for name in row["waits_for"] if _status_of(name, others) != "succeeded"]
    names_of = ", ".join(f"{name} ({_status_of(name, others)})" for name in left or row["waits_for"])
    # Where all have succeeded it came when these had ended, and no service has looked since.
    return f"waits for {names_of}" if left else f"waited for {names_of}: a service lets it go on"


def _status_of(name: str, others: Others) -> str:
    row = others.row(name)
    return "unknown" if row is None else str(row["status"])
