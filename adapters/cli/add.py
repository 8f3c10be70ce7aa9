"""Queue a task, from text or from task files; without a running service it waits in the queue."""

import argparse
import hashlib
import time
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

from adapters.cli.add_check import check
from adapters.cli.call import Call
from adapters.cli.failure import CONFLICT, DISK_FAILED, GOOD, TIMED_OUT, Failure
from adapters.cli.given import (
    Given,
    agents_of,
    check_names,
    check_twice,
    given_by,
    ground_of,
    read_given,
)
from adapters.cli.understood import understood, understood_in_words
from adapters.cli.wait import check_timeout, wait_for
from adapters.cli.words.disk import size
from adapters.cli.writing import at_desk
from adapters.desk import Desk
from adapters.disk_room import free_bytes
from adapters.settling import read_wish
from handlers.decider import Refused
from handlers.disk import is_low
from handlers.naming import free_id, id_from_stem, text_id
from handlers.task import TaskState, decide
from schemas.shown import shown
from schemas.task import ReceiveTask, TaskSpec
from schemas.task_file import TaskFile

KNOWN = "already_known"
"""What the rule says of bytes that are the task of that id already."""
TAKEN = frozenset({KNOWN, "id_conflict"})
MOST_OTHERS = 100
"""So many verbs may take a name before us."""
OPTIONS = {"type": "task_type", "cwd": "cwd", "priority": "priority", "after": "after"}
"""Options of the line, and what of the task they say."""
PRIORITIES = ("high", "medium", "low")
TYPES = ("analyze", "summarize", "code_review", "documentation", "fix", "bug_fix")


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "what", nargs="+", metavar="TEXT|FILE", help="words that say what is wanted, or task files"
    )
    parser.add_argument("--type", choices=TYPES, metavar="TYPE", help="what kind of work it is: %(choices)s")
    parser.add_argument("--cwd", metavar="DIR", help="the working directory (relative to where you are)")
    parser.add_argument("--priority", choices=PRIORITIES, help="default: medium, or what the file says")
    parser.add_argument("--after", metavar="ID[,ID]", help="tasks that must succeed first")
    either = parser.add_mutually_exclusive_group()
    either.add_argument("--wait", action="store_true", help="wait for the end; the exit code tells it")
    either.add_argument(
        "--check",
        action="store_true",
        help="say what would happen and write nothing:\n0 taken in or known, 2 refused, 7 its id is taken",
    )
    parser.add_argument("--timeout", type=float, metavar="S", help="with --wait: at most so many seconds")


def run(call: Call) -> int:
    given = given_by(call.args.what)
    check_timeout(call.args.timeout, wait=call.args.wait)
    if call.args.check:
        return check(call, given)
    received: list[str] = []
    try:
        added, serviced = _taken_in(call, given, received)
    except KeyboardInterrupt:
        # Whoever reads nothing adds it again, and has it twice.
        for name in received:
            call.output.note(f"{name} was received all the same; `evt cancel {name}` takes it back.")
        raise
    _say(call, added, serviced=serviced)
    return _ends(call, [row["task_id"] for row in added]) if call.args.wait else GOOD


def _taken_in(call: Call, given: list[Given], received: list[str]) -> tuple[list[dict[str, Any]], bool]:
    """What came of each, and whether a service runs; `received` grows with each that stands in the log."""
    with at_desk(call) as desk:
        _check_room(desk)
        ground, agents = ground_of(desk.home, desk.settings), agents_of(desk.home, desk.settings)
        if not isinstance(desk.settings.agents_enabled, bool):
            for warning in agents.catalogue().warnings:
                call.output.note(f"note: {warning}")
        # Everything is read and checked before the first is taken in: all or nothing.
        ready = [(one, *read_given(one, call.args, ground, agents, desk.storage.redact)) for one in given]
        for one, task, spec in ready:
            check_names(one, task, spec, desk.storage.redact)
        _check_ids(call, desk, ready)
        added = [_added(call, desk, received, *one) for one in ready]
        for row, (_, _, spec) in zip(added, ready, strict=True):
            # At the end: what one waits for may have come with the same call.
            row["warnings"] += _unknown(desk, spec) if row["added"] else []
        return added, desk.service() is not None


def _ends(call: Call, task_ids: Sequence[str]) -> int:
    """The gravest of their exit codes. All have one time-out together, and the end of each is told."""
    timeout_s: float | None = call.args.timeout
    begun, codes = time.monotonic(), [GOOD]
    for task_id in task_ids:
        left = None if timeout_s is None else max(0.0, timeout_s - (time.monotonic() - begun))
        try:
            codes.append(wait_for(call, task_id, left))
        except Failure as late:
            if late.exit_code != TIMED_OUT or len(task_ids) == 1:
                raise
            call.output.failure(late)
            codes.append(TIMED_OUT)
    return max(codes)


def _check_room(desk: Desk) -> None:
    """Raises Failure: on a disk that is nearly full nothing new is taken in, whoever brings it."""
    free, reserve = free_bytes(desk.home.logs), desk.settings.disk_reserve_bytes
    if is_low(free, reserve):
        sentence = f"{size(free)} are free on {desk.home.logs}, DISK_RESERVE_MB keeps {size(reserve)}"
        raise Failure(
            DISK_FAILED, "disk_low", f"{sentence}: nothing was taken in.", "Make room, then add it."
        )


def _check_ids(call: Call, desk: Desk, ready: list[tuple[Given, TaskFile, TaskSpec]]) -> None:
    """A written id is one task for ever: one that is taken stops all of them. Raises Refused, Failure."""
    seen: set[str] = set()
    for given, task, spec in ready:
        check_twice(given, task, seen)
        if task.id is None:
            continue
        try:
            decide(_received(desk, given, task.id, spec), desk.task(task.id))
        except Refused as no:
            if no.code != KNOWN:
                raise
            _check_options(call, desk.task(task.id), task.id, spec)


def _check_options(call: Call, state: TaskState, task_id: str, spec: TaskSpec) -> None:
    """Raises Failure where the line asks of a task that is there already for something that it is not."""
    there, asked = (state.received or {})["spec"], spec.model_dump(mode="json")
    unlike = [
        option
        for option, field in OPTIONS.items()
        if getattr(call.args, option) is not None and asked[field] != there[field]
    ]
    if unlike:
        options = " and ".join(f"--{option}" for option in unlike)
        sentence = f"task {task_id} is there already with these bytes, and with another {options}."
        hint = f"Give the file another `id`; or leave {options} out, and nothing is changed."
        raise Failure(CONFLICT, "id_conflict", sentence, hint)


def _received(desk: Desk, given: Given, task_id: str, spec: TaskSpec) -> ReceiveTask:
    return ReceiveTask(
        **desk.stamp(desk.actor),
        task_id=task_id,
        origin="cli",
        file_name=None,
        content_sha256=hashlib.sha256(given.content).hexdigest(),
        spec=spec,
    )


def _added(
    call: Call, desk: Desk, received: list[str], given: Given, task: TaskFile, spec: TaskSpec
) -> dict[str, Any]:
    """What came of it. A written id with the bytes that are its task already is that task, and no mistake."""
    try:
        task_id = _dispatched(desk, given, task, spec)
    except Refused as no:
        if no.code != KNOWN or task.id is None:
            raise
        return _row(desk.task(task.id), task.id, [f"{no.sentence} {no.hint}"], added=False)
    received.append(task_id)
    placed = desk.placed(task_id, _reading(call, desk, task_id) if spec.shaped_by == "rules" else None)
    row = _row(placed, task_id, list(spec.warnings), added=True)
    return row | understood(placed) if spec.shaped_by == "rules" else row


def _dispatched(desk: Desk, given: Given, task: TaskFile, spec: TaskSpec) -> str:
    """The id under which it stands in the log now. Raises Refused."""
    for others in count():
        task_id = task.id or _free_id(desk, given, desk.stamp.ids.new())
        try:
            desk.dispatch(_received(desk, given, task_id, spec))
            return task_id
        except Refused as no:
            # A name that another verb took since we looked is not one that somebody wrote: the next is free.
            if task.id is not None or no.code not in TAKEN or others == MOST_OTHERS:
                raise
    raise AssertionError("unreachable")


def _reading(call: Call, desk: Desk, task_id: str) -> Callable[[], None] | None:
    """What gives a wish its place: the local model looks at it first, where there is one.

    In a home that one has neither made nor named nobody is asked: its settings would say who reads the wish.
    """
    model = desk.settings.model
    if model is None:
        return None
    if not desk.trusted:
        call.output.note(
            f"note: the local model was not asked: the home {shown(str(desk.home.root))} was found "
            "by looking upward, and you have not made it. If you trust it, name it with `--home`."
        )
        return None

    def read() -> None:
        if call.output.terminal:
            call.output.note(f"asking {shown(model)} what is meant …")
        read_wish(desk, task_id)

    return read


def _row(state: TaskState, task_id: str, warnings: list[str], *, added: bool) -> dict[str, Any]:
    name = (state.received or {}).get("task_id", task_id)
    return {"task_id": name, "status": state.status, "added": added, "warnings": warnings}


def _unknown(desk: Desk, spec: TaskSpec) -> list[str]:
    """It is no mistake: the task that is waited for may come later."""
    names = [name for name in spec.after if desk.task(name).received is None]
    return [f"`after` names {shown(name)}, which is not known yet." for name in names]


def _free_id(desk: Desk, given: Given, message_id: str) -> str:
    wanted = (id_from_stem(given.name) if given.name else None) or text_id(message_id)
    return free_id(wanted, lambda one: desk.task(one).received is not None)


def _say(call: Call, added: list[dict[str, Any]], *, serviced: bool) -> None:
    if call.output.json:
        call.output.document(added)
        return
    for row in added:
        word = "received, not yet queued" if row["status"] == "received" else row["status"]
        call.output.line(f"{row['task_id']}  {word}")
        for line in understood_in_words(row):
            call.output.note(line)
        for warning in row["warnings"]:
            call.output.note(f"note: {warning}")
    if not serviced:
        call.output.note("No service runs in this home: `evt run` does the work.")
