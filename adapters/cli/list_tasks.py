"""Tasks in a line each, the oldest first, refused ones too; of what has ended the newest, unless `--all`."""

import argparse
import difflib
from collections.abc import Collection
from typing import Final, NamedTuple

from adapters.cli.call import Call
from adapters.cli.failure import GOOD, USAGE, Failure
from adapters.cli.moments import ago, now
from adapters.cli.output import STATUS_STYLE
from adapters.cli.ownership import owned
from adapters.cli.reading_views import reading_views
from adapters.cli.words.others import Others
from adapters.cli.words.task import Around, at_work, line_of, name_of, since, status_of
from projections.executors import PROJECTION as EXECUTORS
from projections.projection import Row
from projections.tasks import PROJECTION as TASKS
from projections.view_rows import ViewRows
from schemas import names
from schemas.shown import quoted, shown

HEADS = ("id", "status", "priority", "type", "since", "title, or why")
ENDED_SHOWN: Final = 50
"""Of tasks that have ended so many: a home keeps them for ever."""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--status",
        metavar="S[,S]",
        action="append",
        default=[],
        help=f"only these: {', '.join(names.STATUSES)}",
    )
    many = parser.add_mutually_exclusive_group()
    many.add_argument(
        "-n",
        type=int,
        metavar="N",
        help=f"of what has ended the newest N (default {ENDED_SHOWN}; with --json all)",
    )
    many.add_argument("--all", action="store_true", help="all that has ended")


class Chosen(NamedTuple):
    """The rows by key, the oldest first; `older` counts the ended ones that are left out."""

    rows: dict[str, Row]
    older: int = 0


def run(call: Call) -> int:
    wanted = _wanted(call.args.status)
    most = _most(call)
    with reading_views(call, (TASKS, EXECUTORS)) as found:
        chosen = _chosen(found.views, wanted or names.STATUSES, most)
        if call.output.json:
            call.output.document([{**row, "id": name_of(key, row)} for key, row in chosen.rows.items()])
        elif chosen.rows:
            _say(call, chosen.rows, found.views)
            # Said once, where `status` says it of each: the titles are what a list is for.
            queued = any(row["status"] == "queued" for row in chosen.rows.values())
            if queued and owned(found.home) is False:
                call.output.note("No service runs in this home: `evt run` does the work.")
        elif (
            chosen.older == 0
            and wanted
            and found.views.seek("tasks", lambda tasks: tasks.counts("status", "succeeded"))
        ):
            call.output.note(f"no task is {' or '.join(wanted)}.")
        elif chosen.older == 0:
            inbox = found.home.root / "tasks"
            call.output.note(f"no task yet: drop a file into {shown(str(inbox))}, or `evt add TEXT`.")
    if chosen.older:
        they = "1 more that has ended is" if chosen.older == 1 else f"{chosen.older} more that have ended are"
        call.output.note(f"note: {they} not shown: `--all` shows them, `-n N` the newest N.")
    return GOOD


def _most(call: Call) -> int | None:
    """How many of the ended ones are asked for, None for all. Raises Failure."""
    count: int | None = call.args.n
    if count is not None and count < 0:
        raise Failure(USAGE, "usage", f"-n is {count}; it must be 0 or more.", "--all shows all of them.")
    # A program that looks for one of them must not be given some of them unasked.
    if count is None and not (call.args.all or call.output.json):
        return ENDED_SHOWN
    return count


def _chosen(views: ViewRows, wanted: Collection[str], most: int | None) -> Chosen:
    live = [status for status in wanted if status not in names.ENDED]
    over = [status for status in wanted if status in names.ENDED]
    counts = views.seek("tasks", lambda tasks: tasks.counts("status", "succeeded"))
    ended = sum(counts.get(status, 0) for status in set(over))
    few = ended if most is None else min(most, ended)
    rows = views.seek("tasks", lambda tasks: tasks.where("status", live)) if live else {}
    if few:
        rows |= views.seek("tasks", lambda tasks: tasks.last("status", over, "ended_at", few))
    in_order = sorted(rows.items(), key=lambda item: (item[1]["received_at"], item[0]))
    return Chosen(dict(in_order), ended - few)


def _say(call: Call, chosen: dict[str, Row], views: ViewRows) -> None:
    at = now()
    running = views.seek("tasks", lambda tasks: tasks.where("status", ("running",)))
    around = Around(
        Others(lambda key: views.row("tasks", key)),
        at,
        at_work(running.values()),
        executors=views.rows("executors"),
    )
    rows = [
        (
            name_of(key, row),
            status_of(row),
            row["priority"] or "-",
            row["task_type"] or "-",
            ago(since(row), at),
            line_of(row, around),
        )
        for key, row in chosen.items()
    ]
    styles = [STATUS_STYLE.get(row["status"], "") for row in chosen.values()]
    call.output.table(rows, HEADS, styles, styled=1, spare=("type", "priority", "since"))


def _wanted(options: list[str]) -> list[str]:
    wanted = [name.strip().lower() for option in options for name in option.split(",") if name.strip()]
    for name in wanted:
        if name not in names.STATUSES:
            near = difflib.get_close_matches(name, names.STATUSES, n=1)
            hint = f"Did you mean {near[0]}?" if near else f"The statuses are {', '.join(names.STATUSES)}."
            raise Failure(USAGE, "usage", f"{quoted(name)} is no status of a task.", hint)
    return list(dict.fromkeys(wanted))
