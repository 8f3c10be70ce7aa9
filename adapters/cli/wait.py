"""Wait for a task to end; the exit code tells how (0 succeeded, 5 failed, 3 cancelled or not in time)."""

import argparse
import time
from typing import Final

from adapters.cli.call import Call
from adapters.cli.failure import CONFLICT, GOOD, TASK_FAILED, TIMED_OUT, USAGE, Failure
from adapters.cli.finding import find_task
from adapters.cli.moments import now, span
from adapters.cli.ownership import owned
from adapters.cli.progress import Progress
from adapters.cli.reading import reading, reading_log
from adapters.cli.task_words import ended, name_of
from projections import tasks
from projections.live import LiveViews
from projections.projection import Row
from schemas import names
from schemas.shown import shown

LOOK_S: Final = 0.1
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


def _say(call: Call, key: str, row: Row) -> None:
    status = call.output.status(row["status"])
    call.output.line(f"{shown(name_of(key, row))}  {status}  {shown(ended(row))}")


def _ended(call: Call, text: str, timeout_s: float | None) -> tuple[str, Row]:
    """The task and its row once it has ended. Raises Failure."""
    if timeout_s is not None and not 0 <= timeout_s < 1e9:
        raise Failure(USAGE, "usage", "--timeout must be a number of seconds, 0 or more.")
    with reading(call) as found:
        key, row = find_task(found.views, text)
    if row["status"] in names.ENDED:
        return key, row
    return key, _followed(call, key, timeout_s)


def _followed(call: Call, key: str, timeout_s: float | None) -> Row:
    begun, progress = time.monotonic(), Progress(call.output, call.environ)
    live, after, seen = LiveViews((tasks.PROJECTION,)), -1, -1
    stream = names.task_stream(key)
    with reading_log(call) as (home, log):
        if owned(home) is False:
            call.output.note("note: no service owns this home, so nothing moves until `evt run`.")
        try:
            while True:
                version = log.data_version()
                if version != seen:
                    events = list(log.stream(stream, after))
                    live.apply(events)
                    seen, after = version, events[-1].position if events else after
                row = live.row("tasks", key)
                if row is not None and row["status"] in names.ENDED:
                    return row
                status = "unknown" if row is None else row["status"]
                waited = time.monotonic() - begun
                if timeout_s is not None and waited >= timeout_s:
                    sentence = f"{shown(key)} is still {status} after {timeout_s:g} s."
                    raise Failure(
                        TIMED_OUT, "timed_out", sentence, f"Wait again, or look: `evt show {shown(key)}`."
                    )
                progress.show(
                    f"{shown(key)} is {status}{_running_for(row)}, waited {span(round(waited * 1e6))}"
                )
                time.sleep(LOOK_S if timeout_s is None else min(LOOK_S, timeout_s - waited))
        finally:
            progress.clear()


def _running_for(row: Row | None) -> str:
    if row is None or row["claimed_at"] is None:
        return ""
    return f" for {span(now() - row['claimed_at'])}"
