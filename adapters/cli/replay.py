"""Rebuild every view in memory from the first event; with --verify, compare them with what is stored."""

import argparse
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any, Final

import orjson

from adapters.cli.call import Call
from adapters.cli.event_words import TELLING
from adapters.cli.failure import BAD, GOOD, USAGE, Failure
from adapters.cli.moments import end_of, now, span
from adapters.cli.output import Output
from adapters.cli.progress import Progress
from adapters.home import Home
from eventstore.event import Recorded
from eventstore.sqlite_log import SqliteLog
from eventstore.unknown_types import unknown_types
from projections.all_views import ALL
from projections.comparison import Comparison, Difference, differences
from projections.live import LiveViews
from projections.projection import Row
from schemas.shown import shown

ROW_SHOWN: Final = 2000
"""Characters of a row that differs; `--json` has all of it."""
DIFFERENCES_NAMED: Final = 100
BETWEEN_LOOKS: Final = 256


class WatchedLog(SqliteLog):
    """Opened for reading; a person sees how far the reading is."""

    def __init__(self, home: Home, progress: Progress) -> None:
        super().__init__(home.log, read_only=True)
        self.upto = self.head()
        self._progress = progress
        self._begun = time.monotonic()

    def all(
        self, after: int = 0, upto: int | None = None, types: frozenset[str] | None = None
    ) -> Iterator[Recorded]:
        """See Log.all."""
        for event in super().all(after, upto, types):
            if not event.global_position % BETWEEN_LOOKS and self._progress.due():
                self._show(event.global_position)
            yield event

    def _show(self, at: int) -> None:
        rate = at / max(time.monotonic() - self._begun, 1e-6)
        bar = ("#" * (20 * at // max(self.upto, 1))).ljust(20, ".")
        left = span(round((self.upto - at) / rate * 1e6))
        self._progress.show(f"[{bar}] {at} of {self.upto} events, {rate:,.0f}/s, {left} left")


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
    live, unknown, begun = LiveViews(ALL), dict[str, int](), time.monotonic()

    def counted() -> Iterator[Recorded]:
        for event in log.all(0, log.upto):
            if event.type not in TELLING:
                unknown[event.type] = unknown.get(event.type, 0) + 1
            yield event

    live.apply(counted())
    rows = {projection.name: len(live.rows(projection.name)) for projection in ALL}
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
        call.output.document({**told, "verify": _as_document(found)})
    else:
        _say_speed(call.output, told)
        _say_verdict(call.output, found, log.head())
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


def _say_verdict(output: Output, found: Comparison, head: int) -> None:
    for name, why in sorted(found.not_compared.items()):
        output.line(f"{output.paint('not compared', 'yellow')}  {name}: {shown(why)}")
    if found.not_compared:
        output.note(
            "Views are stored by `evt run` and by every verb that writes: let one do so, then verify again."
        )
    if found.differences:
        _say_difference(output, found.differences[0], len(found.differences))
    if found.identical:
        views = f"{len(found.compared)} views as of event {_position(found)}"
        output.line(f"{output.paint('identical', 'green')}: {views}")
    behind = head - _position(found)
    if found.compared and behind:
        remedy = "the next verb that writes brings them up"
        output.note(f"note: the stored views are {behind} events behind the log; {remedy}.")


def _say_difference(output: Output, first: Difference, count: int) -> None:
    more = "" if count == 1 else f", the first of {count} rows"
    where = f"view {first.view}, key {shown(first.key)}, event {first.global_position}{more}"
    output.line(f"{output.paint('differs', 'red')}: {where}")
    output.line(f"  stored     {_row(first.stored)}")
    output.line(f"  should be  {_row(first.fresh)}")
    output.note("The log is the truth: delete logs/views.db while nothing runs, and it is made anew.")


def _row(row: Row | None) -> str:
    if row is None:
        return "no such row"
    return shown(orjson.dumps(row, option=orjson.OPT_SORT_KEYS).decode(), ROW_SHOWN)


def _as_document(found: Comparison) -> dict[str, Any]:
    return {
        "identical": found.identical,
        "compared": found.compared,
        "not_compared": found.not_compared,
        "rows_that_differ": len(found.differences),
        "differences": [
            {
                "view": one.view,
                "key": one.key,
                "global_position": one.global_position,
                "stored": one.stored,
                "fresh": one.fresh,
            }
            for one in found.differences[:DIFFERENCES_NAMED]
        ],
    }
