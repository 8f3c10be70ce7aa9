"""What cancel, retry, pause and resume have in common: each asks one thing of several tasks."""

import argparse
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from adapters.cli.call import Call
from adapters.cli.failure import CONFLICT, GOOD, Failure
from adapters.cli.finding import find_task
from adapters.cli.writing import at_desk
from adapters.desk import Desk
from adapters.settling import settle
from handlers.scheduling import CLAIMABLE, EVERY
from handlers.task import decide
from projections import executors, tasks
from projections.projection import Row
from projections.view_rows import ViewRows
from schemas.executor import PauseQueue, ResumeQueue
from schemas.shown import shown
from schemas.task import TaskCommand

REASON: Final = "asked on the command line"


@dataclass(frozen=True)
class Asked:
    """What came of it for one task: its status before and after, and whether anything was written."""

    task_id: str
    was: str
    status: str
    changed: bool


@dataclass(frozen=True)
class Wish:
    """`command` is what is asked of one task. With a service, an answer is waited for up to 2 s
    while the task's status is one of `waits_while`. `words` tell what came of it.
    """

    name: str
    command: Callable[..., TaskCommand]
    words: Callable[[Asked], str]
    waits_while: frozenset[str] = frozenset()


def add_ids(parser: argparse.ArgumentParser, without: str | None = None) -> None:
    """The ids and the reason; `without` says what is meant where no id is given, None: one is needed."""
    named = "ids of tasks or their beginnings"
    parser.add_argument(
        "id",
        nargs="+" if without is None else "*",
        metavar="ID",
        help=named if without is None else f"{named}; {without}",
    )
    parser.add_argument("--reason", default=REASON, help="kept in the log")


def ask(call: Call, wish: Wish, chosen: Callable[[Desk], Iterable[str]] | None = None, none: str = "") -> int:
    """Ask it of the tasks on the line, or of those that are `chosen`; all of them or none. Raises Failure.

    How many were chosen is said at the end; `none` is said where there are none.
    """
    # Where no service runs, a dead one's agents are ended here: only in a home that one trusts.
    with at_desk(call, starts_programs=True) as desk:
        ids = meant(desk, call.args.id, wish.name) if chosen is None else list(chosen(desk))
        commands = [_command(desk, wish, task_id, call.args.reason) for task_id in ids]
        before = [desk.task(task_id).status for task_id in ids]
        for command in commands:
            # Judged before the first is asked. Raises Refused.
            decide(command, desk.task(command.task_id))
        with desk.ownership() as owner:
            changed = [bool(desk.dispatch(command)) for command in commands]
            if owner and commands:
                settle(desk)
        after = desk.answered(ids, frozenset() if owner else wish.waits_while)
        asked = list(map(Asked, ids, before, (state.status for state in after), changed))
        paused = _queue_is_paused(desk)
    _say(call, wish, asked, queue_paused=paused)
    if chosen is not None and not call.output.json:
        count = "1 task" if len(asked) == 1 else f"{len(asked)} tasks"
        call.output.line(f"{count} in all" if asked else none)
    return GOOD


def queue_only(call: Call, command: type[PauseQueue | ResumeQueue], words: Callable[[bool], str]) -> int:
    """Ask it of the queue itself; `words` are told whether it changed anything."""
    with at_desk(call) as desk:
        changed = bool(desk.dispatch(command(**desk.stamp(desk.actor), reason=call.args.reason)))
        paused = _queue_is_paused(desk)
    if call.output.json:
        call.output.document({"queue": "paused" if paused else "open", "changed": changed})
    else:
        call.output.line(f"the queue {words(changed)}")
    return GOOD


def meant(desk: Desk, texts: Sequence[str], wish: str) -> list[str]:
    """The tasks that are named, each once. Raises Failure (2, 6, and 7 for what was refused)."""
    found: dict[str, None] = {}
    with ViewRows.open(desk.home.views, desk.storage.log, [tasks.PROJECTION]) as views:
        for text in texts:
            key, row = find_task(views, text)
            if row["status"] == "refused":
                raise _refused(key, row, wish)
            found[str(row["task_id"] or key)] = None
    return list(found)


def _refused(key: str, row: Row, wish: str) -> Failure:
    sentence = f"{shown(key)} was refused: no task came of it, so there is nothing to {wish}."
    return Failure(CONFLICT, "conflict", sentence, f"Mend the file and add it again: {shown(row['remedy'])}")


def _command(desk: Desk, wish: Wish, task_id: str, reason: str) -> TaskCommand:
    return wish.command(**desk.stamp(desk.actor), task_id=task_id, reason=reason)


def _queue_is_paused(desk: Desk) -> bool:
    with ViewRows.open(desk.home.views, desk.storage.log, [executors.PROJECTION]) as views:
        row = views.row("executors", EVERY)
    return row is not None and bool(row["paused"])


def _say(call: Call, wish: Wish, asked: Sequence[Asked], *, queue_paused: bool) -> None:
    if call.output.json:
        call.output.document([_document(one) for one in asked])
        return
    for one in asked:
        call.output.line(f"{shown(one.task_id)} {wish.words(one)}")
    if queue_paused and any(one.status in CLAIMABLE for one in asked):
        call.output.note("The queue is paused: nothing is begun before `evt resume`.")


def _document(asked: Asked) -> dict[str, Any]:
    return {
        "task_id": asked.task_id,
        "was": asked.was,
        "status": asked.status,
        "changed": asked.changed,
    }
