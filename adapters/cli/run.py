"""The service: take in tasks, have them done, write the outcome. Ctrl-C ends it cleanly, twice at once.

It exits with 0 also when tasks failed: `evt list` names those, and `evt wait ID` tells how one ended.
"""

import argparse
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import trio

from adapters.app import AgentMissing, Service
from adapters.automations.attempt import Fenced
from adapters.cli.call import Call
from adapters.cli.failure import BAD, CONFLICT, DISK_FAILED, UNAVAILABLE, USAGE, Failure
from adapters.cli.given import agents_of
from adapters.cli.moments import now
from adapters.cli.ownership import stopping_in_words
from adapters.cli.words.events import event_line
from adapters.cli.words.others import Others
from adapters.cli.words.task import Around, name_of, waits
from adapters.cli.writing import at_desk
from adapters.desk import BRIEFLY_S, Desk
from adapters.erasing import Unerased, carry_out, pending
from adapters.supervisor import DiskIsLow, Unwritten
from adapters.threaded_log import LogFailed
from adapters.volume import warning
from eventstore.event import Recorded
from eventstore.log import LogUnreadable
from eventstore.text.mirror import MirrorAhead
from handlers.ports.log import NotNow
from projections.all_views import BY_NAME
from projections.view_rows import ViewRows
from schemas import names
from schemas.shown import shown

VERBS_TAKE_S = 30.0
DRAIN_WAIT_S = 60.0
STOPS: Final = frozenset({names.STOP_REQUESTED})


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--drain", action="store_true", help="end when nothing is left to do")
    parser.add_argument(
        "--drain-wait",
        type=float,
        metavar="S",
        help=f"with --drain: wait for what is due within S seconds (default {DRAIN_WAIT_S:g})",
    )
    parser.add_argument(
        "--workers", type=int, metavar="N", help="tasks at the same time (else MAX_CONCURRENT_TASKS)"
    )
    parser.add_argument("--quiet", action="store_true", help="do not show the events as they come")


def run(call: Call) -> int:
    workers: int | None = call.args.workers
    if workers is not None and not 1 <= workers <= 64:
        sentence = f"--workers is {workers}; it must be a whole number from 1 to 64."
        raise Failure(USAGE, "usage", sentence, "Without it MAX_CONCURRENT_TASKS says how many.")
    if call.args.drain_wait is not None and not call.args.drain:
        raise Failure(USAGE, "usage", "--drain-wait means nothing without --drain.", "Add --drain.")
    wait_s = DRAIN_WAIT_S if call.args.drain_wait is None else call.args.drain_wait
    if not 0 <= wait_s < 1e9:
        sentence = "--drain-wait must be a number of seconds, 0 or more."
        raise Failure(USAGE, "usage", sentence, f"Without it that is {DRAIN_WAIT_S:g}.")
    with at_desk(call, starts_programs=True) as desk, desk.ownership(_Patience(desk)) as owner:
        if not owner:
            raise already_running(desk)
        agents = agents_of(desk.home, desk.settings).catalogue()
        for warning in (*agents.warnings, *agents.broken()):
            call.output.note(f"note: {warning}")
        _finish_erasures(call, desk)
        before = desk.storage.log.head()
        _serve(call, desk, workers or desk.settings.workers, wait_s if call.args.drain else None)
        if call.args.drain:
            _say_what_waits(call, desk)
            if ended := ended_in_words(desk.storage.log.all(before, types=names.ENDS | {names.TASK_REFUSED})):
                call.output.note(f"evt: {ended}")
    return 0


def _finish_erasures(call: Call, desk: Desk) -> None:
    """What was ordered and cut short is done before anything else is. Raises Failure."""
    for row in pending(desk):
        try:
            carry_out(desk, row)
        except Unerased as stuck:
            raise Failure(BAD, "unfinished", str(stuck), "Then `evt erase --finish`.") from None
        call.output.note(f"evt: the erasure of event {row['position']} was cut short and is done now")


class _Patience:
    """A service is there to stay; a verb that holds the home is gone in a moment.

    One that starts together with this one says so in the log a moment after it has the home.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._upto = desk.storage.log.head()
        self._served = desk.service() is not None

    def __call__(self) -> float:
        if not self._served:
            news = self._desk.storage.log.all(self._upto, types=frozenset({names.ORCHESTRATOR_STARTED}))
            self._served = any(True for _ in news)
        return BRIEFLY_S if self._served else VERBS_TAKE_S


def already_running(desk: Desk) -> Failure:
    """Who owns the home, and of one that was told to stop what it waits for."""
    service = desk.service()
    who = (
        f"the service with pid {service.data['process']['pid']}, started {service.when}"
        if service
        else "another process"
    )
    hint = "One service a home: stop that one first, or leave the work to it."
    asked = desk.storage.log.all(service.global_position, types=STOPS) if service else ()
    for stop in asked:
        told = stopping_in_words({"at": stop.time, **stop.data}, now())
        hint = f"It was {told}. Wait until it has ended, then start again."
    return Failure(CONFLICT, "already_running", f"the home {desk.home.root} is owned by {who}.", hint)


def _serve(call: Call, desk: Desk, workers: int, drain_wait_s: float | None) -> None:
    showing = True

    def show(events: Sequence[Recorded]) -> None:
        nonlocal showing
        if not showing:
            return
        try:
            for event in events:
                call.output.line(
                    event.line.decode()
                    if call.output.json
                    else event_line(
                        call.output, event, dated=not (call.output.terminal or call.output.colored)
                    )
                )
            call.output.flush()
        except OSError as trouble:
            # Whoever read along has gone: the work goes on.
            showing = False
            call.output.abandon()
            call.output.note(f"evt: events are not shown any more ({trouble.strerror}); the service goes on")

    listener = None if call.args.quiet else show
    service = Service(
        desk.home,
        desk.settings,
        desk.storage,
        desk.environ,
        workers,
        listener,
        say=lambda text: call.output.note(f"evt: {text}"),
    )
    if (copied := warning(desk.home.root, desk.environ)) is not None:
        call.output.note(f"note: {copied}")
    until = "Ctrl-C ends it" if drain_wait_s is None else "until nothing is left to do"
    call.output.note(f"evt: serving {shown(str(desk.home.root))} with {workers} workers; {until}")
    try:
        reason = trio.run(service.run, drain_wait_s)
    except AgentMissing as missing:
        hint = "Set CLAUDE_EXECUTABLE in the home's .env to its full path; no task was touched."
        raise Failure(UNAVAILABLE, "agent_missing", str(missing), hint) from None
    except (LogFailed, NotNow, LogUnreadable, MirrorAhead, Fenced, OSError, BaseExceptionGroup) as trouble:
        failed = _fatal(trouble)
        if failed is None:
            raise
        raise _as_failure(desk, failed) from None
    call.output.note(f"evt: ended ({reason})")


def _taken_over(desk: Desk, fenced: Fenced) -> Failure:
    sentence = f"another service has taken over the home {desk.home.root}: {fenced}"
    hint = (
        "One service a home: `evt status` tells who works. What this one still wanted to write was not taken."
    )
    return Failure(CONFLICT, "taken_over", sentence, hint)


def _as_failure(desk: Desk, failed: Exception) -> Exception:
    match failed:
        case Fenced():
            return _taken_over(desk, failed)
        case Unwritten():
            hint = "The log has all of it: mend what stands in the way, then `evt run --drain` writes it."
            return Failure(DISK_FAILED, "unwritten", str(failed), hint)
        case DiskIsLow():
            hint = "Make room, or set DISK_RESERVE_MB lower, then run it again: `evt list` names what waits."
            return Failure(DISK_FAILED, "disk_low", str(failed), hint)
        case LogFailed() | NotNow():
            hint = "What was acknowledged is safe. Make room or mend the disk, then start again."
            return Failure(DISK_FAILED, "disk_failed", str(failed), hint)
        case _:
            return failed


ENDS: Final = (LogFailed, NotNow, LogUnreadable, MirrorAhead, Fenced)
"""In the order in which they are looked for: the others may have followed from it."""


def _fatal(trouble: BaseException) -> Exception | None:
    """What ended the service inside what the nurseries raised, None where it was a bug."""
    leaves = list(_leaves(trouble))
    for kind in ENDS:
        for leaf in leaves:
            if isinstance(leaf, kind):
                return leaf
    return leaves[0] if leaves and all(isinstance(leaf, OSError) for leaf in leaves) else None


def _leaves(trouble: BaseException) -> Iterator[Exception]:
    if isinstance(trouble, BaseExceptionGroup):
        for one in trouble.exceptions:
            yield from _leaves(one)
    elif isinstance(trouble, Exception):
        yield trouble


def ended_in_words(events: Iterable[Recorded]) -> str:
    """How many tasks came to which end, each counted as it ended last; empty where none did."""
    last = {
        event.stream if event.type in names.ENDS else str(event.global_position): event.type
        for event in events
    }
    counts = Counter(names.STATUS_OF_END.get(type, "refused") for type in last.values())
    told = [f"{counts[status]} {status}" for status in names.STATUSES if counts[status]]
    bad = counts.keys() - {"succeeded"}
    return ", ".join(told) + (f": `evt list --status {','.join(sorted(bad))}` says why" if bad else "")


def _say_what_waits(call: Call, desk: Desk) -> None:
    """Tasks that wait longer than the drain would: listed, never dropped."""
    projections = [BY_NAME[name] for name in ("queue", "tasks", "executors")]
    with ViewRows.open(desk.home.views, desk.storage.log, projections) as views:
        around = Around(
            Others(lambda key: views.row("tasks", key)), now(), executors=views.rows("executors")
        )
        for key in sorted(views.rows("queue")):
            row = views.row("tasks", key)
            if row is not None:
                why = waits(row, around) or "for a worker"
                call.output.note(f"evt: {name_of(key, row)} stays {row['status']}: {shown(why)}")
