"""The service: take in tasks, have them done, write the outcome. Ctrl-C ends it cleanly, twice at once."""

import argparse
from collections.abc import Sequence

import trio

from adapters.app import Service
from adapters.cli.call import Call
from adapters.cli.event_words import event_line
from adapters.cli.failure import CONFLICT, DISK_FAILED, USAGE, Failure
from adapters.cli.writing import at_desk
from adapters.desk import Desk
from adapters.threaded_log import LogFailed
from eventstore.event import Recorded
from projections.all_views import BY_NAME
from projections.view_rows import ViewRows


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--drain", action="store_true", help="end when nothing is left to do")
    parser.add_argument(
        "--drain-wait",
        type=float,
        default=60.0,
        metavar="S",
        help="with --drain: wait for what is due within S seconds",
    )
    parser.add_argument(
        "--workers", type=int, metavar="N", help="tasks at the same time (else MAX_CONCURRENT_TASKS)"
    )
    parser.add_argument("--quiet", action="store_true", help="do not show the events as they come")


def run(call: Call) -> int:
    workers: int | None = call.args.workers
    if workers is not None and not 1 <= workers <= 64:
        raise Failure(USAGE, "usage", f"--workers is {workers}; it must be a whole number from 1 to 64.")
    if not 0 <= call.args.drain_wait < 1e9:
        raise Failure(USAGE, "usage", "--drain-wait must be a number of seconds, 0 or more.")
    with at_desk(call, starts_programs=True) as desk, desk.ownership() as owner:
        if not owner:
            raise Failure(
                CONFLICT,
                "already_running",
                f"the home {desk.home.root} is owned by {desk.owner()}.",
                "One service a home: stop that one first, or leave the work to it.",
            )
        _serve(call, desk, workers or desk.settings.workers)
        if call.args.drain:
            _say_what_waits(call, desk)
    return 0


def _serve(call: Call, desk: Desk, workers: int) -> None:
    def show(events: Sequence[Recorded]) -> None:
        for event in events:
            call.output.line(event_line(call.output, event))
        call.output.out.flush()

    quiet = call.args.quiet or call.output.json
    service = Service(desk.home, desk.settings, desk.storage, desk.environ, workers, None if quiet else show)
    drain = f", until nothing is due within {call.args.drain_wait:g} s" if call.args.drain else ""
    call.output.note(f"evt: serving {desk.home.root} with {workers} workers{drain}; Ctrl-C ends it")
    try:
        reason = trio.run(service.run, call.args.drain_wait if call.args.drain else None)
    except (LogFailed, BaseExceptionGroup) as trouble:
        failed = _log_failure(trouble)
        if failed is None:
            raise
        hint = "What was acknowledged is safe. Make room or mend the disk, then start again."
        raise Failure(DISK_FAILED, "disk_failed", str(failed), hint) from None
    call.output.note(f"evt: ended ({reason})")


def _log_failure(trouble: BaseException) -> LogFailed | None:
    """The failed log inside what the nurseries raised, None where it was something else."""
    if isinstance(trouble, BaseExceptionGroup):
        return next((found for one in trouble.exceptions if (found := _log_failure(one))), None)
    return trouble if isinstance(trouble, LogFailed) else None


def _say_what_waits(call: Call, desk: Desk) -> None:
    """Tasks that wait longer than the drain would: listed, never dropped."""
    projection = BY_NAME["queue"]
    with ViewRows.open(desk.home.views, desk.storage.log, [projection]) as views:
        for key, row in sorted(views.rows("queue").items()):
            why = f"for {', '.join(row['waits_for'])}" if row["waits_for"] else "for its time"
            call.output.note(f"evt: {key} still waits {why}")
