"""Every task in a line, the oldest first; refused ones too."""

import argparse
import difflib

from adapters.cli.call import Call
from adapters.cli.failure import GOOD, USAGE, Failure
from adapters.cli.moments import ago, now
from adapters.cli.output import STATUS_STYLE
from adapters.cli.reading import reading
from adapters.cli.task_words import line_of, name_of, since
from schemas import names
from schemas.shown import quoted

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
        rows = [
            (
                name_of(key, row),
                row["status"],
                row["priority"] or "-",
                row["task_type"] or "-",
                ago(since(row), at),
                line_of(row, tasks.get, at),
            )
            for key, row in chosen
        ]
        if rows:
            styles = [STATUS_STYLE.get(row["status"], "") for _, row in chosen]
            call.output.table(rows, HEADS, styles, styled=1)
        elif tasks:
            call.output.note(f"no task is {' or '.join(wanted)}.")
        else:
            inbox = found.home.root / "tasks"
            call.output.note(f"no task yet: drop a file into {inbox}, or `evt add TEXT`.")
    return GOOD


def _wanted(options: list[str]) -> list[str]:
    wanted = [name.strip().lower() for option in options for name in option.split(",") if name.strip()]
    for name in wanted:
        if name not in names.STATUSES:
            near = difflib.get_close_matches(name, names.STATUSES, n=1)
            hint = f"Did you mean {near[0]}?" if near else f"The statuses are {', '.join(names.STATUSES)}."
            raise Failure(USAGE, "usage", f"{quoted(name)} is no status of a task.", hint)
    return wanted
