"""Every task in a line, the oldest first; refused ones too."""

import argparse
import difflib

from adapters.cli.call import Call
from adapters.cli.failure import GOOD, USAGE, Failure
from adapters.cli.moments import ago, now
from adapters.cli.output import STATUS_STYLE
from adapters.cli.ownership import owned
from adapters.cli.reading import reading
from adapters.cli.words.task import Around, at_work, line_of, name_of, since, status_of
from schemas import names
from schemas.shown import quoted, shown

HEADS = ("id", "status", "priority", "type", "since", "title, or why")


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--status",
        metavar="S[,S]",
        action="append",
        default=[],
        help=f"only these: {', '.join(names.STATUSES)}",
    )


def run(call: Call) -> int:
    wanted = _wanted(call.args.status)
    with reading(call) as found:
        tasks = found.views.rows("tasks")
        chosen = [(key, row) for key, row in tasks.items() if not wanted or row["status"] in wanted]
        chosen.sort(key=lambda item: (item[1]["received_at"], item[0]))
        if call.output.json:
            call.output.document([{**row, "id": name_of(key, row)} for key, row in chosen])
            return GOOD
        at = now()
        around = Around(tasks.get, at, at_work(tasks.values()), executors=found.views.rows("executors"))
        rows = [
            (
                name_of(key, row),
                status_of(row),
                row["priority"] or "-",
                row["task_type"] or "-",
                ago(since(row), at),
                line_of(row, around),
            )
            for key, row in chosen
        ]
        if rows:
            styles = [STATUS_STYLE.get(row["status"], "") for _, row in chosen]
            call.output.table(rows, HEADS, styles, styled=1, spare=("type", "priority"))
            # Said once, where `status` says it of each: the titles are what a list is for.
            if any(row["status"] == "queued" for _, row in chosen) and owned(found.home) is False:
                call.output.note("No service runs in this home: `evt run` does the work.")
        elif tasks:
            call.output.note(f"no task is {' or '.join(wanted)}.")
        else:
            inbox = found.home.root / "tasks"
            call.output.note(f"no task yet: drop a file into {shown(str(inbox))}, or `evt add TEXT`.")
    return GOOD


def _wanted(options: list[str]) -> list[str]:
    wanted = [name.strip().lower() for option in options for name in option.split(",") if name.strip()]
    for name in wanted:
        if name not in names.STATUSES:
            near = difflib.get_close_matches(name, names.STATUSES, n=1)
            hint = f"Did you mean {near[0]}?" if near else f"The statuses are {', '.join(names.STATUSES)}."
            raise Failure(USAGE, "usage", f"{quoted(name)} is no status of a task.", hint)
    return wanted
