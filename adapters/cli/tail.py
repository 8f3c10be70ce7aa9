"""Read the log's last events, and follow it with -f. Times are in UTC; --json gives the stored lines."""

import argparse
import importlib
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

from adapters.cli.call import Call
from adapters.cli.failure import GOOD, NOT_FOUND, USAGE, Failure
from adapters.cli.following import Follower
from adapters.cli.lines_out import NDJSON, add_format, render_as
from adapters.cli.moments import day, now, start_of
from adapters.cli.reading_log import reading_log
from adapters.cli.words.events import TELLING, event_line
from eventstore.event import Recorded
from eventstore.sqlite.log import SqliteLog
from eventstore.subscription import Subscription
from schemas import names
from schemas.shown import quoted

LAST: Final = 20
FIRST_LOOK: Final = 1000
"""Events that are looked through at first for the last ones of a type or task; then four times as many."""


class Wanted(NamedTuple):
    """Which events are asked for. `stream` None and `types` None: all; `subject` is a refusal's file."""

    types: frozenset[str] | None
    stream: str | None = None
    refusal: int | None = None
    subject: str | None = None

    def of(self, events: Iterable[Recorded]) -> Iterator[Recorded]:
        for event in events:
            if self.refusal is not None:
                moved = event.type == names.TASK_ARCHIVED and event.data["subject"] == self.subject
                if moved or event.global_position == self.refusal:
                    yield event
            elif self.stream is None or event.stream == self.stream:
                yield event


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-f", "--follow", action="store_true", help="go on with what comes, until Ctrl-C")
    parser.add_argument(
        "-n", type=int, metavar="N", help=f"the last N events (default {LAST}; all with --since)"
    )
    parser.add_argument("--since", metavar="T", help="10m, 2026-11-22T12:00:00Z, or @P for a global position")
    parser.add_argument("--task", metavar="ID", help="only this task's events")
    parser.add_argument(
        "--type", metavar="T[,T]", action="append", default=[], help="only events of this type"
    )
    add_format(parser, "for programs: the stored lines, as with --json, or CloudEvents 1.0")


def run(call: Call) -> int:
    count: int | None = call.args.n
    if count is not None and count < 0:
        raise Failure(USAGE, "usage", f"-n is {count}; it must be 0 or more.", "See `evt tail --help`.")
    stays = Stays(call)
    with reading_log(call) as (_, log):
        wanted = _wanted(call, log)
        head = log.head()
        if call.args.since is not None:
            start = start_of(call.args.since, log, now())
            if start > head:
                # No mistake: with --follow it is what comes.
                call.output.note(f"note: there is no event {start + 1} yet: the log ends at {head}.")
            stays.say(
                wanted.of(log.all(start, head, wanted.types))
                if count is None
                else _last(log, wanted, count, start)
            )
            head = max(head, start)
        else:
            stays.say(_last(log, wanted, LAST if count is None else count, 0))
        if call.args.follow:
            _follow(log, wanted, head, stays)
    return GOOD


class StartingAt:
    """The checkpoint of a reader that begins at a position and is forgotten with it."""

    def __init__(self, position: int) -> None:
        self._position = position

    def load(self, name: str) -> int:
        return self._position

    def save(self, name: str, position: int) -> None:
        self._position = position


class Stays:
    """Says events as they come, on a terminal with the day where it changes, else each with its own."""

    def __init__(self, call: Call) -> None:
        self._output = call.output
        named: str | None = call.args.format
        self._render = render_as(named or NDJSON) if named or call.output.json else None
        self._day = ""

    def say(self, events: Iterable[Recorded]) -> None:
        for event in events:
            if self._render is not None:
                self._output.line(self._render(event).decode())
                continue
            if self._output.terminal and day(event.time) != self._day:
                self._day = day(event.time)
                self._output.line(self._output.paint(f"{self._day} (UTC)", "dim"))
            self._output.line(event_line(self._output, event, dated=not self._output.terminal))
        self._output.flush()


def _last(log: SqliteLog, wanted: Wanted, count: int, start: int) -> list[Recorded]:
    """The last `count` of the wanted events after `start`, sought from the end."""
    found: list[Recorded] = []
    upto, look = log.head(), max(FIRST_LOOK, count)
    if wanted.types is None and wanted.stream is None and wanted.refusal is None:
        look = max(count, 1)
    while len(found) < count and upto > start:
        after = max(start, upto - look)
        found = [*wanted.of(log.all(after, upto, wanted.types)), *found]
        upto, look = after, look * 4
    return found[max(0, len(found) - count) :]


def _follow(log: SqliteLog, wanted: Wanted, after: int, stays: Stays) -> None:
    """Until Ctrl-C, or until nobody reads any more."""
    subscription = Subscription(log, "tail", StartingAt(after), wanted.types)
    with Follower(log) as follower:
        while True:
            if follower.news():
                subscription.catch_up(lambda events: stays.say(wanted.of(events)))
            follower.wait()


def _wanted(call: Call, log: SqliteLog) -> Wanted:
    types = _types(call.args.type, log)
    if call.args.task is None:
        return Wanted(types)
    # Loaded by its name: nothing else here needs the views.
    views: Any = importlib.import_module("adapters.cli.task_events")
    return Wanted(types, *views.events_of(call, call.args.task))


def _types(options: list[str], log: SqliteLog) -> frozenset[str] | None:
    """The types that were asked for; one that neither we nor the log know is a slip. Raises Failure."""
    wanted = {name.strip() for option in options for name in option.split(",") if name.strip()}
    if not wanted:
        return None
    strange = sorted(wanted - TELLING.keys())
    if strange and (missing := [name for name in strange if name not in log.count_types()]):
        # Loaded by its name, as in `main`: a right word waits for nothing.
        near = importlib.import_module("adapters.cli.nearest").nearest(missing[0], TELLING)
        hint = f"Did you mean {near}?" if near else f"This version knows {', '.join(sorted(TELLING))}."
        raise Failure(NOT_FOUND, "not_found", f"there is no event type {quoted(missing[0])}.", hint)
    return frozenset(wanted)
