"""What is going on now: what runs, what waits and why, what ended last, and who does the work."""

import argparse
from collections.abc import Mapping
from importlib import import_module
from typing import Any, Final

from adapters.cli.call import Call
from adapters.cli.failure import GOOD
from adapters.cli.holding import holding, holding_in_words, looks_dead, today, today_in_words
from adapters.cli.inbox import inbox, inbox_in_words
from adapters.cli.moments import ago, now, span
from adapters.cli.output import STATUS_STYLE, Output
from adapters.cli.ownership import in_words, service
from adapters.cli.reading_views import Reading, reading_views
from adapters.cli.words.disk import low_in_words
from adapters.cli.words.events import TELLING, words
from adapters.cli.words.mediation import model_in_words
from adapters.cli.words.others import Others
from adapters.cli.words.task import Around, at_work, ended, name_of, since, status_of, waits
from eventstore.log import Log
from handlers.scheduling import low_disk
from projections.costs import PROJECTION as COSTS
from projections.executors import PROJECTION as EXECUTORS
from projections.in_inbox import PROJECTION as IN_INBOX
from projections.mediator import KEY
from projections.mediator import PROJECTION as MEDIATOR
from projections.projection import Row
from projections.queue import PROJECTION as QUEUE
from projections.queue import RANKS
from projections.tasks import PROJECTION as TASKS
from projections.types import PROJECTION as TYPES
from schemas import names
from schemas.shown import shown

LAST_ENDED: Final = 5
WAITING_SHOWN: Final = 20
VIEWS: Final = (TASKS, TYPES, QUEUE, EXECUTORS, COSTS, IN_INBOX, MEDIATOR)
LIVE: Final = tuple(status for status in names.STATUSES if status not in names.ENDED)


def arguments(parser: argparse.ArgumentParser) -> None:
    """It asks for nothing more."""


def run(call: Call) -> int:
    with reading_views(call, VIEWS) as found:
        at = now()
        told = _gathered(found, at) | {"mediator": _model(call, found)}
        if call.output.json:
            call.output.document(told)
        else:
            _say(call.output, told, at)
    return GOOD


def _gathered(found: Reading, at: int) -> dict[str, Any]:
    views = found.views
    # Those that have ended may be many: only the last of them are read.
    counts = views.seek("tasks", lambda tasks: tasks.counts("status", "succeeded"))
    live = views.seek("tasks", lambda tasks: tasks.where("status", LIVE))
    over = views.seek("tasks", lambda tasks: tasks.last("status", names.ENDED, "ended_at", LAST_ENDED))
    waiting = [(key, row) for key, row in live.items() if row["status"] != "running"]
    waiting.sort(key=lambda item: (RANKS.get(item[1]["priority"], 1), item[1]["received_at"], item[0]))
    types = views.rows("types")
    serving = service(found.home, found.log, types)
    # Whoever holds the home, a verb or a service, may bring the work on; None is not known.
    served, executors = serving["owned"] is not False, views.rows("executors")
    others = Others(lambda key: views.row("tasks", key))
    around = Around(others, at, at_work(live.values()), served, executors)
    running = []
    for key, row in live.items():
        if row["status"] == "running":
            dead = looks_dead(views.row("queue", key), at, pid=serving["pid"], served=served)
            running.append(
                {**_running(found.log, key, row, at), "looks_dead": dead, "why": waits(row, around)}
            )
    return {
        "home": str(found.home.root),
        "position": found.views.position,
        "service": serving,
        "inbox": inbox(found.home, found.views.rows("in_inbox").values()),
        "counts": {status: counts[status] for status in names.STATUSES if counts.get(status)},
        "holding": holding(executors, at),
        "disk": _disk(found, executors),
        "today": today(views, at),
        "running": running,
        "waiting": [{**row, "id": name_of(key, row), "why": waits(row, around)} for key, row in waiting],
        "ended": [{**row, "id": name_of(key, row)} for key, row in over.items()],
        "unknown_types": {key: row["events"] for key, row in types.items() if key not in TELLING},
    }


def _model(call: Call, found: Reading) -> Row | None:
    """How the local model has answered; None for one that was never asked, or is switched off by now."""
    row = found.views.row("mediator", KEY)
    if row is None:
        return None
    # Loaded only where a model was asked once: most homes read no settings for a look at them.
    settings = import_module("adapters.config.settings")
    try:
        off = settings.read_settings(found.home.root, call.environ).model is None
    except settings.BadSetting:
        off = False
    return None if off else row


def _disk(found: Reading, executors: Mapping[str, Row]) -> dict[str, Any] | None:
    """What the log says of a disk that is low, with what is free at this moment."""
    low = low_disk(executors)
    if low is None:
        return None
    # Loaded by its name: a disk is seldom low, and what asks for its room is larger than all of this.
    room: Any = import_module("adapters.disk_room")
    return {**low, "free_now": room.free_bytes(found.home.logs)}


def _running(log: Log, key: str, row: Row, at: int) -> dict[str, Any]:
    """The row with what its worker and its agent did last."""
    step = tool = None
    for event in log.stream(names.task_stream(key)):
        if event.type in (names.STEP_STARTED, names.STEP_FINISHED):
            step = event
        elif event.type == names.TASK_CLAIMED:
            step = tool = None
        elif event.type == names.TOOL_USED:
            tool = event
    return {
        **row,
        "id": name_of(key, row),
        "elapsed_ms": max(0, at - row["claimed_at"]) // 1000,
        "last_step": None if step is None else words(step),
        "last_tool": None if tool is None else words(tool),
    }


def _say(output: Output, told: dict[str, Any], at: int) -> None:
    output.labelled("home", f"{shown(told['home'])} (as of event {told['position']})")
    output.labelled("service", in_words(told["service"], at))
    counts = [f"{count} {output.status(status)}" for status, count in told["counts"].items()]
    output.line(f"tasks    {', '.join(counts) or 'none yet'}")
    if told["today"] is not None:
        output.labelled("cost", today_in_words(told["today"]))
    if told["mediator"] is not None:
        output.labelled("model", model_in_words(told["mediator"], at))
    if lying := inbox_in_words(told["inbox"]):
        output.labelled("inbox", lying)
    if told["disk"] is not None:
        output.labelled("disk", low_in_words(told["disk"], at), "red")
    for row in told["holding"]:
        for line in holding_in_words(row, at):
            output.labelled("queue", line, "yellow")
    if told["running"]:
        output.line()
        rows = [
            (
                row["id"],
                span(row["elapsed_ms"] * 1000),
                row["worker"] or "-",
                row["last_step"] or "-",
                row["last_tool"] or "-",
            )
            for row in told["running"]
        ]
        output.table(rows, ("running", "for", "worker", "step", "last tool"), ["cyan"] * len(rows))
        for row in told["running"]:
            for said in filter(None, (row["looks_dead"], row["why"])):
                output.line(f"{shown(row['id'])}: {said}")
    if told["waiting"]:
        output.line()
        few = told["waiting"][:WAITING_SHOWN]
        rows4 = [(row["id"], row["status"], row["priority"], row["why"] or "for a worker") for row in few]
        output.table(
            rows4, ("waiting", "status", "priority", "why"), ["blue"] * len(few), spare=("priority",)
        )
        if len(told["waiting"]) > len(few):
            output.line(f"and {len(told['waiting']) - len(few)} more: `evt list`")
    if told["ended"]:
        output.line()
        rows4 = [(row["id"], status_of(row), ago(since(row), at), ended(row)) for row in told["ended"]]
        styles = [STATUS_STYLE.get(row["status"], "") for row in told["ended"]]
        output.table(rows4, ("ended last", "status", "when", "title, or why"), styles, styled=1)
    if told["unknown_types"]:
        found = ", ".join(f"{shown(name)} ({count})" for name, count in told["unknown_types"].items())
        output.line()
        output.line(f"event types that this version does not know: {found}")
