"""Stop a task: one that waits is cancelled at once, one that runs is stopped with all its processes."""

import argparse

from adapters.cli.call import Call
from adapters.cli.writing import at_desk
from adapters.desk import actor
from adapters.settling import settle
from schemas.task import CancelTask


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="the task")
    parser.add_argument("--reason", default="asked on the command line", help="kept in the log")


def run(call: Call) -> int:
    task_id: str = call.args.id
    with at_desk(call) as desk:
        command = CancelTask(**desk.stamp(actor()), task_id=task_id, reason=call.args.reason)
        with desk.ownership() as owner:
            desk.dispatch(command)
            if owner:
                settle(desk)
        state = desk.answered(task_id, frozenset({"running"}) if not owner else frozenset())
    if call.output.json:
        call.output.document({"task_id": task_id, "status": state.status})
    elif state.status == "cancelled":
        call.output.line(f"{task_id} is cancelled")
    else:
        call.output.line(f"{task_id} is {state.status}; the service was asked to stop it")
    return 0
