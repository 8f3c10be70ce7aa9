"""Stop a task: one that waits is cancelled at once, one that runs is stopped with all its processes."""

import argparse

from adapters.cli.call import Call
from adapters.cli.failure import CONFLICT, Failure
from adapters.cli.finding import find_task
from adapters.cli.writing import at_desk
from adapters.desk import Desk
from adapters.settling import settle
from projections import tasks
from projections.view_rows import ViewRows
from schemas.shown import shown
from schemas.task import CancelTask


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="the task's id or its beginning, in any case")
    parser.add_argument("--reason", default="asked on the command line", help="kept in the log")


def run(call: Call) -> int:
    # Where no service runs, a dead one's agents are ended here: only in a home that one trusts.
    with at_desk(call, starts_programs=True) as desk:
        task_id = _meant(desk, call.args.id)
        command = CancelTask(**desk.stamp(desk.actor), task_id=task_id, reason=call.args.reason)
        before = desk.task(task_id).status
        with desk.ownership() as owner:
            desk.dispatch(command)
            if owner:
                settle(desk)
        state = desk.answered(task_id, frozenset({"running"}) if not owner else frozenset())
    if call.output.json:
        call.output.document({"task_id": task_id, "status": state.status})
    elif before == "cancelled":
        call.output.line(f"{shown(task_id)} was cancelled already")
    elif state.status == "cancelled":
        call.output.line(f"{shown(task_id)} is cancelled")
    else:
        call.output.line(f"{shown(task_id)} is {state.status}; the service was asked to stop it")
    return 0


def _meant(desk: Desk, text: str) -> str:
    with ViewRows.open(desk.home.views, desk.storage.log, [tasks.PROJECTION]) as views:
        key, row = find_task(views, text)
    if row["status"] == "refused":
        raise Failure(CONFLICT, "conflict", f"{key} was refused: there is nothing to cancel.")
    return str(row["task_id"] or key)
