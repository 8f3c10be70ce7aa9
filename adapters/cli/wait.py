"""Wait for a task to end; the exit code tells how (0 succeeded, 5 failed, 3 cancelled or not in time)."""

import argparse
import math
import time
from collections.abc import Collection
from typing import Final

from adapters.cli.call import Call
from adapters.cli.failure import CONFLICT, GOOD, NOT_FOUND, TASK_FAILED, TIMED_OUT, USAGE, Failure
from adapters.cli.finding import find_task
from adapters.cli.following import Follower
from adapters.cli.inbox import SUFFIX, lies_as
from adapters.cli.moments import now, span
from adapters.cli.output import STATUS_STYLE
from adapters.cli.ownership import owned
from adapters.cli.progress import Progress
from adapters.cli.reading import Reading, reading
from adapters.cli.reading_log import reading_log
from adapters.cli.words.others import Others
from adapters.cli.words.task import Around, again_at, ended, name_of, status_of, to_go_on, waits
from handlers.scheduling import CLAIMABLE, EVERY
from projections import tasks
from projections.live import LiveViews
from projections.projection import Row
from schemas import names
from schemas.shown import shown

SHOWN_S: Final = 0.1
"""So often the line on a terminal says how long it has been."""

NOBODY: Final = "note: no service owns this home, so nothing moves until `evt run`."
EXIT_OF_STATUS: Final = {
    "succeeded": GOOD,
    "failed": TASK_FAILED,
    "cancelled": TIMED_OUT,
    "refused": USAGE,
    "dropped": CONFLICT,
}


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="the task's id or its beginning, in any case")
    parser.add_argument(
        "--timeout", type=float, metavar="S", help="wait at most so many seconds, then exit 3"
    )


def run(call: Call) -> int:
    key, row = _ended(call, call.args.id, call.args.timeout)
    if call.output.json:
        call.output.document({**row, "id": name_of(key, row)})
    else:
        _say(call, key, row)
    return EXIT_OF_STATUS[row["status"]]


def wait_for(call: Call, task_id: str, timeout_s: float | None) -> int:
    """For verbs that wait at their end: says the outcome, but for `--json`, and gives the exit code.

    Raises Failure (3) when the time is over, (6) when there is no such task.
    """
    key, row = _ended(call, task_id, timeout_s)
    if not call.output.json:
        _say(call, key, row)
    return EXIT_OF_STATUS[row["status"]]


def check_timeout(timeout_s: float | None, *, wait: bool = True) -> None:
    """Before anything is done: a time-out that is none would be noticed too late. Raises Failure."""
    if timeout_s is not None and not wait:
        raise Failure(USAGE, "usage", "--timeout means nothing without --wait.", "Add --wait.")
    if timeout_s is not None and not 0 <= timeout_s < 1e9:
        sentence = "--timeout must be a number of seconds, 0 or more."
        raise Failure(USAGE, "usage", sentence, "Without it the end is waited for, whenever it comes.")


def _say(call: Call, key: str, row: Row) -> None:
    status = call.output.paint(status_of(row), STATUS_STYLE.get(row["status"], ""))
    call.output.line(f"{shown(name_of(key, row))}  {status}  {shown(ended(row))}")


def _ended(call: Call, text: str, timeout_s: float | None) -> tuple[str, Row]:
    """The task and its row once it has ended. Raises Failure."""
    check_timeout(timeout_s)
    begun = time.monotonic()
    key, row = _found(call, text, timeout_s)
    if row["status"] in names.ENDED:
        return key, row
    return key, _followed(call, key, timeout_s, begun)


def _found(call: Call, text: str, timeout_s: float | None) -> tuple[str, Row]:
    """The task, once there is one, where a file in the inbox bears its name. Raises Failure."""
    # Before the log: a file that is taken in meanwhile is a task there.
    lying = lies_as(call.home(), text.strip())
    with reading(call) as seen:
        try:
            key, row = find_task(seen.views, text)
            _say_what_keeps_it(call, key, row, seen)
            return key, row
        except Failure as unknown:
            if unknown.exit_code != NOT_FOUND or lying is None:
                raise
        before = frozenset(_made_of(lying, seen))
    return _taken_in(call, lying, before, timeout_s)


def _say_what_keeps_it(call: Call, key: str, row: Row, seen: Reading) -> None:
    """Whoever waits for what nobody works on is told so at once."""
    every = seen.views.row("executors", EVERY)
    if row["status"] == "paused":
        call.output.note(f"note: it is paused, so nothing moves until `evt resume {shown(key)}`.")
    elif row["status"] == "waiting_dependency":
        around = Around(Others(lambda other: seen.views.row("tasks", other)), now())
        said = "; ".join([waits(row, around), *to_go_on(row, around.others)])
        call.output.note(f"note: it {shown(said)}.")
    elif row["status"] in CLAIMABLE and every is not None and every["paused"]:
        call.output.note("note: the queue is paused, so nothing is begun until `evt resume`.")
    elif row["status"] in CLAIMABLE and every is not None and every["disk"]:
        call.output.note("note: the disk is low, so nothing is begun until there is room: see `evt status`.")


def _made_of(name: str, seen: Reading) -> dict[str, Row]:
    """The tasks and refusals that files of that name in the inbox have become, by key."""
    return {key: row for key, row in seen.views.rows("tasks").items() if row["file_name"] == name}


def _taken_in(call: Call, name: str, before: Collection[str], timeout_s: float | None) -> tuple[str, Row]:
    """What the file in the inbox becomes, whatever id stands in it. Raises Failure (3, or 6 if it goes)."""
    begun = time.monotonic()
    call.output.note(f"note: {shown(name)} lies in the inbox and is not taken in yet.")
    with reading_log(call) as (home, log), Follower(log) as follower:
        if owned(home) is False:
            call.output.note(NOBODY)
        while True:
            # Asked before the log: what is moved in between has been written down.
            lies = lies_as(home, name.removesuffix(SUFFIX)) is not None
            if follower.news() or not lies:
                with reading(call) as seen:
                    made = {key: row for key, row in _made_of(name, seen).items() if key not in before}
                if made:
                    return next(iter(made.items()))
            if not lies:
                sentence = f"{shown(name)} was taken out of the inbox and became no task."
                raise Failure(NOT_FOUND, "not_found", sentence, "`evt list` shows all tasks.")
            left = math.inf if timeout_s is None else timeout_s - (time.monotonic() - begun)
            if left <= 0:
                sentence = f"{shown(name)} still lies in the inbox after {timeout_s:g} s."
                raise Failure(TIMED_OUT, "timed_out", sentence, "`evt run` takes it in.")
            follower.wait(left)


def _followed(call: Call, key: str, timeout_s: float | None, begun: float) -> Row:
    progress = Progress(call.output, call.environ)
    live, after = LiveViews((tasks.PROJECTION,)), -1
    stream = names.task_stream(key)
    with reading_log(call) as (home, log), Follower(log) as follower:
        if owned(home) is False:
            call.output.note(NOBODY)
        try:
            while True:
                if follower.news():
                    events = list(log.stream(stream, after))
                    live.apply(events)
                    after = events[-1].position if events else after
                row = live.row("tasks", key)
                if row is not None and row["status"] in names.ENDED:
                    return row
                waited = time.monotonic() - begun
                if timeout_s is not None and waited >= timeout_s:
                    raise _too_long(key, row, timeout_s)
                progress.show(f"{shown(key)} is {_state(row)}, waited {span(round(waited * 1e6))}")
                left = math.inf if timeout_s is None else timeout_s - waited
                follower.wait(min(left, SHOWN_S) if progress.visible else left)
        finally:
            progress.clear()


def _too_long(key: str, row: Row | None, timeout_s: float) -> Failure:
    status = _state(row) if row is None or row["claimed_at"] is None else row["status"]
    sentence = f"{shown(key)} is still {status} after {timeout_s:g} s."
    hint = f"Wait again, or look: `evt show {shown(key)}`."
    if row is not None and row["status"] == "paused":
        hint = f"`evt resume {shown(key)}` lets it go on."
    return Failure(TIMED_OUT, "timed_out", sentence, hint)


def _state(row: Row | None) -> str:
    """The status of one that has not ended, and for how long or until when."""
    if row is None:
        return "unknown"
    if row["status"] in ("waiting_retry", "waiting_quota"):
        return f"{row['status']} ({again_at(row, now())})"
    running = row["status"] == "running" and row["claimed_at"] is not None
    return f"running for {span(now() - row['claimed_at'])}" if running else str(row["status"])
