"""Rebuild every view in memory from the first event; with --verify, compare them with what is stored."""

import argparse
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any, Final

import orjson

from adapters.cli.call import Call
from adapters.cli.failure import BAD, GOOD, USAGE, Failure
from adapters.cli.moments import end_of, millisecond, now
from adapters.cli.output import Output
from adapters.cli.progress import Progress
from adapters.cli.watched_log import WatchedLog
from adapters.cli.words.events import TELLING
from adapters.home import Home
from eventstore.event import Recorded
from eventstore.log import Log
from eventstore.unknown_types import unknown_types
from projections.all_views import ALL
from projections.comparison import Comparison, Difference, differences
from projections.fold import Fold, fold_events
from projections.projection import Row
from schemas.shown import shown

ROW_SHOWN: Final = 2000
"""Characters of a row that differs; `--json` has all of it."""
DIFFERENCES_NAMED: Final = 100


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--at", metavar="P|T", help="up to a global position, a time, or 10m for ten minutes ago"
    )
    parser.add_argument(
        "--verify", action="store_true", help="say `identical`, or exit 1 and name the first row that differs"
    )


def run(call: Call) -> int:
    if call.args.verify and call.args.at is not None:
        hint = "Leave --at out; `evt project NAME --at P` shows a view as it was."
        raise Failure(
            USAGE, "usage", "--verify compares with what is stored now, so it does not go with --at.", hint
        )
    home, progress = call.home(), Progress(call.output, call.environ)
    try:
        with closing(WatchedLog(home, progress)) as log:
            return _verify(call, home, log, progress) if call.args.verify else _replay(call, log, progress)
    finally:
        progress.clear()


def _replay(call: Call, log: WatchedLog, progress: Progress) -> int:
    if call.args.at is not None:
        log.upto = end_of(call.args.at, log, now())
    folds, unknown, begun = [Fold(projection) for projection in ALL], dict[str, int](), time.monotonic()

    def counted() -> Iterator[Recorded]:
        for event in log.all(0, log.upto):
            if event.type not in TELLING:
                unknown[event.type] = unknown.get(event.type, 0) + 1
            yield event

    fold_events(folds, counted())
    rows = {fold.projection.name: len(fold) for fold in folds}
    progress.clear()
    told = {
        **_speed(log.upto, time.monotonic() - begun),
        "rows": rows,
        "unknown_types": dict(sorted(unknown.items())),
    }
    if call.output.json:
        call.output.document(told)
        return GOOD
    _say_speed(call.output, told)
    call.output.table([(name, str(count)) for name, count in rows.items()], ("view", "rows"))
    return GOOD


def _verify(call: Call, home: Home, log: WatchedLog, progress: Progress) -> int:
    begun = time.monotonic()
    found = differences(home.views, log, ALL)
    speed = _speed(found.events, time.monotonic() - begun)
    progress.clear()
    told = {**speed, "position": _position(found), "unknown_types": unknown_types(log, TELLING)}
    if call.output.json:
        call.output.document({**told, "verify": _as_document(found, log)})
    else:
        if found.compared:
            _say_speed(call.output, told)
        _say_verdict(call.output, found, log)
    return GOOD if found.identical else BAD


def _position(found: Comparison) -> int:
    """Up to where every compared view was compared."""
    return min(found.compared.values(), default=0)


def _speed(events: int, seconds: float) -> dict[str, Any]:
    rate = round(events / max(seconds, 1e-6))
    return {"position": events, "events": events, "seconds": round(seconds, 3), "events_per_s": rate}


def _say_speed(output: Output, told: dict[str, Any]) -> None:
    rate = f"{told['seconds']:.2f} s: {told['events_per_s']:,} events/s"
    output.line(f"{told['events']} events folded into {len(ALL)} views in {rate}")
    if told["unknown_types"]:
        found = ", ".join(f"{shown(name)} ({count})" for name, count in told["unknown_types"].items())
        output.line(f"event types that this version does not know, kept and passed over: {found}")


def _say_verdict(output: Output, found: Comparison, log: Log) -> None:
    reasons: dict[str, list[str]] = {}
    for name, why in sorted(found.not_compared.items()):
        reasons.setdefault(why, []).append(name)
    for why, of_them in reasons.items():
        named = "all views" if len(of_them) == len(ALL) else ", ".join(of_them)
        output.line(f"{output.paint('not compared', 'yellow')}  {named}: {shown(why)}")
    if found.not_compared:
        output.note(
            "Views are stored by `evt run` and by every verb that writes: let one do so, then verify again."
        )
    if found.differences:
        _say_difference(output, found.differences[0], len(found.differences), log)
    if found.identical:
        views = f"{len(found.compared)} views as of event {_position(found)}"
        output.line(f"{output.paint('identical', 'green')}: {views}")
    behind = log.head() - _position(found)
    if found.compared and behind:
        remedy = "the next verb that writes brings them up"
        output.note(f"note: the stored views are {behind} events behind the log; {remedy}.")


def _say_difference(output: Output, first: Difference, count: int, log: Log) -> None:
    more = "" if count == 1 else f", the first of {count} rows"
    where = f"view {first.view}, key {shown(first.key)}, event {first.global_position}{more}"
    output.line(f"{output.paint('differs', 'red')}: {where}")
    output.line(f"  event      {_named(_event(log, first.global_position))}")
    output.line(f"  stored     {_row(first.stored, first.stored_at, first.fresh_at)}")
    output.line(f"  should be  {_row(first.fresh, first.fresh_at, first.stored_at)}")
    output.note("The log is the truth: delete logs/views.db while nothing runs, and it is made anew.")


def _event(log: Log, position: int) -> Recorded | None:
    """None where the stored row names a position that the log does not have."""
    return next(log.all(position - 1, position), None)


def _named(event: Recorded | None) -> str:
    if event is None:
        return "is not in the log"
    where = f"{event.global_position}  {shown(event.type)}  {shown(event.stream)}"
    return f"{where}  {millisecond(event.time)}"


def _row(row: Row | None, at: int | None, other: int | None) -> str:
    """`at` is the event that wrote it; said where the other row was written by another one."""
    if row is None:
        return "no such row"
    by = "" if other is None or at == other else f"  (by event {at})"
    return shown(orjson.dumps(row, option=orjson.OPT_SORT_KEYS).decode(), ROW_SHOWN) + by


def _as_document(found: Comparison, log: Log) -> dict[str, Any]:
    return {
        "identical": found.identical,
        "compared": found.compared,
        "not_compared": found.not_compared,
        "rows_that_differ": len(found.differences),
        "differences": [_difference(one, log) for one in found.differences[:DIFFERENCES_NAMED]],
    }


def _difference(one: Difference, log: Log) -> dict[str, Any]:
    event = _event(log, one.global_position)
    return {
        "view": one.view,
        "key": one.key,
        "global_position": one.global_position,
        "type": None if event is None else event.type,
        "stream": None if event is None else event.stream,
        "stored": one.stored,
        "stored_position": one.stored_at,
        "fresh": one.fresh,
        "fresh_position": one.fresh_at,
    }
