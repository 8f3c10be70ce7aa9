"""Have tasks done again: those that have ended, whatever came of them, and at once those that wait.

A task that had ended begins anew, in a new session; one that only waited for its next try or for its
quota goes on in its old one. A `not_before` of its file is passed over: whoever asks means now. What it
has cost is counted on.
"""

import argparse

from adapters.cli.call import Call
from adapters.cli.failure import USAGE, Failure
from adapters.cli.wishes import Asked, Wish, add_ids, ask
from adapters.desk import Desk
from projections import tasks
from projections.view_rows import ViewRows
from schemas.task import RetryTask


def arguments(parser: argparse.ArgumentParser) -> None:
    add_ids(parser, "none with --failed")
    parser.add_argument("--failed", action="store_true", help="every task that is failed now")


def run(call: Call) -> int:
    if bool(call.args.id) == bool(call.args.failed):
        wrong = "both ids and --failed were given." if call.args.id else "no task was named."
        raise Failure(USAGE, "usage", wrong, "Name tasks by their ids, or all that failed with --failed.")
    wish = Wish("retry", RetryTask, _words)
    if not call.args.failed:
        return ask(call, wish)
    return ask(call, wish, _failed, "no task is failed: there is nothing to do again")


def _failed(desk: Desk) -> list[str]:
    """All of them, those that came first in front."""
    with ViewRows.open(desk.home.views, desk.storage.log, [tasks.PROJECTION]) as views:
        failed = [row for row in views.rows("tasks").values() if row["status"] == "failed"]
    return [str(row["task_id"]) for row in sorted(failed, key=lambda row: int(row["received_at"]))]


def _words(asked: Asked) -> str:
    if not asked.changed:
        return f"is {asked.status} already"
    if asked.was == "queued":
        return f"is {asked.status} to begin at once: the moment of its `not_before` is passed over"
    return f"is {asked.status} again; it was {asked.was}"
