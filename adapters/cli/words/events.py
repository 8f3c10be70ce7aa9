"""Each event in a few telling words, and in one line of a terminal."""

from collections.abc import Mapping
from typing import Final

import orjson

from adapters.cli.columns import cut, padded
from adapters.cli.moments import clock, millisecond, minute, span
from adapters.cli.output import Output
from adapters.cli.words.disk import DISK
from adapters.cli.words.holding import HOLDING
from adapters.cli.words.mediation import MEDIATION
from adapters.cli.words.moving import MOVING
from adapters.cli.words.record import RECORD
from adapters.cli.words.telling import Data, Telling, after
from adapters.cli.words.validation import VALIDATION
from eventstore.event import Recorded
from schemas import names
from schemas.shown import shown

LONGEST: Final = 300
"""Characters; a line that nobody's terminal cuts ends there."""
STREAM_WIDTH: Final = 26
NARROW: Final = 14
TYPE_WIDTH: Final = 20
DATED_WIDTH: Final = 60
"""Columns; a narrower terminal has no room for a date in each line."""
WORDS_WIDTH: Final = 20
"""So many columns of what is said are worth more than the place, and most of the stream's name."""


def _received(data: Data) -> str:
    spec = data["spec"]
    origin = data["file_name"] or data["origin"]
    return f"{spec['title']} ({spec['task_type']}, {spec['priority']}) from {origin}{_warnings(spec)}"


def _warnings(spec: Data) -> str:
    """How many there are, and the first one of them; `evt show` has all."""
    warnings = spec.get("warnings") or ()
    if not warnings:
        return ""
    return f", {len(warnings)} warning{'s' if len(warnings) > 1 else ''}: {warnings[0]}"


def _refused(data: Data) -> str:
    return f"{data['file_name'] or data['refused_id']}: {data['reason']}"


def _queued(data: Data) -> str:
    said = [f"priority {data['priority']}"]
    if data["waits_for"]:
        said.append(f"waits for {', '.join(data['waits_for'])}")
    if data["not_before"] is not None:
        said.append(f"not before {minute(data['not_before'])}")
    return ", ".join(said)


def _archived(data: Data) -> str:
    return f"{data['path'] or 'its file was gone'}{after(data['note'])}"


def _interrupted(data: Data) -> str:
    alive = ", its agent was still alive" if data["agent_was_alive"] else ""
    died = [who for who, dead in (("agent", data["agent_died"]), ("worker", data["worker_died"])) if dead]
    dead = f" (its {' and '.join(died)} died)" if died else ""
    return f"attempt {data['attempt']}{dead}: {data['reason']}{alive}"


def _step_finished(data: Data) -> str:
    took = span(data["elapsed_ms"] * 1000)
    note = after(data["note"] or data.get("unseen"))
    return f"{data['phase']} after {took}, {data['percent_complete']} %{note}"


def _turn_started(data: Data) -> str:
    resumed = " resumed" if data["resumed"] else ""
    tools = ", ".join(data["tools"])
    return f"turn {data['turn_index'] + 1}, session {data['session_id']}{resumed}, tools {tools}"


def _files(data: Data) -> str:
    changed = ", ".join(f"{change['change']} {change['path']}" for change in data["files"])
    return changed or "no file was changed"


def _turn_finished(data: Data) -> str:
    report = data["report"]
    code = "" if report["exit_code"] is None else f" with code {report['exit_code']}"
    cost = f", {data['spent']['usd']:.4f} USD" if data["spent"]["usd"] else ""
    took = span(report["elapsed_ms"] * 1000)
    return f"{report['ended'].replace('_', ' ')}{code} after {took}{cost}{after(report['note'])}"


def _redacted(data: Data) -> str:
    found = ", ".join(f"{count} × {pattern}" for pattern, count in sorted(data["patterns"].items()))
    return f"{found} taken out of {data['event_type']}"


def _restarted(data: Data) -> str:
    return f"{data['automation']} died ({data['error']}); again in {data['delay_s']:g} s"


def _stopping(data: Data) -> str:
    if not data["running"]:
        return f"{data['reason']}; nothing is running"
    if not data["grace_s"]:
        return f"{data['reason']}; {', '.join(data['running'])} is ended now"
    waits = f"waits up to {data['grace_s']:g} s for {', '.join(data['running'])}"
    return f"{data['reason']}; {waits}; a second one stops it now"


def _unwatched(data: Data) -> str:
    return f"{data['reason']}: what is dropped there is found by looking, every second"


def _mended(data: Data) -> str:
    return f"{data['problem']}; {data['bytes_cut']} bytes cut, {data['lines_written']} lines written"


def _tool(data: Data) -> str:
    return f"{data['tool']} {data['detail']}"


TELLING: Final[Mapping[str, Telling]] = {
    names.TASK_RECEIVED: Telling("blue", _received),
    names.TASK_REFUSED: Telling("red", _refused),
    names.TASK_QUEUED: Telling("blue", _queued),
    names.TASK_RELEASED: Telling("blue", lambda data: f"{', '.join(data['waited_for'])} succeeded"),
    names.TASK_ARCHIVED: Telling("blue", _archived),
    names.TASK_CLAIMED: Telling(
        "cyan", lambda data: f"attempt {data['attempt']} by {data['worker']} in {data['cwd']}"
    ),
    names.TASK_INTERRUPTED: Telling("yellow", _interrupted),
    names.STEP_STARTED: Telling("cyan", lambda data: str(data["phase"])),
    names.STEP_FINISHED: Telling("cyan", _step_finished),
    names.TURN_STARTED: Telling("cyan", _turn_started),
    names.AGENT_STARTED: Telling("cyan", lambda data: f"pid {data['process']['pid']}"),
    names.TOOL_USED: Telling("cyan", _tool),
    names.FILES_MODIFIED: Telling("magenta", _files),
    names.PERMISSION_DENIED: Telling("yellow", _tool),
    names.TURN_FINISHED: Telling("cyan", _turn_finished),
    names.TASK_SUCCEEDED: Telling(
        "green", lambda data: f"after {span(data['elapsed_ms'] * 1000)}, {data['verified']}"
    ),
    names.TASK_FAILED: Telling(
        "red", lambda data: f"{data['sentence']} ({data['error_class']}, {data['reason']})"
    ),
    names.TASK_CANCELLED: Telling("yellow", lambda data: f"by {data['by']}: {data['reason']}"),
    names.CANCEL_REQUESTED: Telling("yellow", lambda data: str(data["reason"])),
    names.ARTIFACT_WRITTEN: Telling("magenta", lambda data: str(data["path"])),
    names.NOTICE_QUEUED: Telling(
        "magenta", lambda data: f"{data['channel']} to {data['recipient']}: {data['text']}"
    ),
    names.NOTICE_SENT: Telling("magenta", lambda data: str(data["receipt"])),
    names.NOTICE_FAILED: Telling(
        "red", lambda data: f"{data['reason']}{', given up' if data['final'] else ', tried again'}"
    ),
    names.SECRET_REDACTED: Telling("yellow", _redacted),
    names.HOME_CREATED: Telling("dim", lambda data: f"{data['home_id']}, by version {data['version']}"),
    names.ORCHESTRATOR_STARTED: Telling(
        "dim",
        lambda data: f"pid {data['process']['pid']}, {data['workers']} workers, version {data['version']}",
    ),
    names.STOP_REQUESTED: Telling("yellow", _stopping),
    names.ORCHESTRATOR_STOPPED: Telling(
        "dim", lambda data: f"pid {data['process']['pid']}: {data['reason']}"
    ),
    names.AUTOMATION_RESTARTED: Telling("red", _restarted),
    names.MIRROR_REPAIRED: Telling("yellow", _mended),
    names.WATCH_DEGRADED: Telling("yellow", _unwatched),
    names.WATCH_RESTORED: Telling(
        "green", lambda data: f"tasks/ is watched again, after {span(round(data['degraded_s'] * 1e6))}"
    ),
    names.VIEWS_REBUILT: Telling("yellow", lambda data: str(data["problem"])),
    **HOLDING,
    **MEDIATION,
    **DISK,
    **MOVING,
    **RECORD,
    **VALIDATION,
}
"""Every type that this version knows."""


def words(event: Recorded) -> str:
    """What the event says, short and safe to show. Never fails: what is not understood is shown as JSON."""
    telling = TELLING.get(event.type)
    if telling is None:
        return f"(unknown type) {_as_json(event)}"
    try:
        return shown(telling.words(event.data), LONGEST)
    except (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError):
        return f"(unknown shape) {_as_json(event)}"


def event_line(output: Output, event: Recorded, *, stream: bool = True, dated: bool = False) -> str:
    """Time (UTC), place, stream, type and words; as wide as the terminal, where there is one.

    `dated` gives the whole time, for whoever reads the line alone. A narrow terminal gets less of the
    stream's name, then no place.
    """
    telling = TELLING.get(event.type)
    if output.terminal and output.width < DATED_WIDTH:
        dated = False
    time = f"{millisecond(event.time) if dated else clock(event.time)}  "
    place = f"{event.global_position:>6}  "
    # Off a terminal nothing is cut: somebody may search for the whole name.
    name, columns = shown(event.stream), STREAM_WIDTH
    kind, said = padded(shown(event.type), TYPE_WIDTH), words(event)
    if output.terminal:
        lacking = len(time) + len(place) + len(kind) + 2 + WORDS_WIDTH - output.width
        if stream:
            lacking += STREAM_WIDTH + 2
            columns = max(NARROW, STREAM_WIDTH - max(0, lacking))
            lacking -= STREAM_WIDTH - columns
        place = place if lacking <= 0 else ""
    if output.terminal or output.colored:
        name = cut(name, columns)
    before = f"{time}{place}{f'{padded(name, columns)}  ' if stream else ''}"
    if output.terminal:
        kind = cut(kind, max(1, output.width - len(before)))
        room = output.width - len(before) - len(kind) - 2
        said = cut(said, room) if room > 1 else ""
    style = "yellow" if telling is None else telling.style
    return f"{output.paint(before, 'dim')}{output.paint(kind, style)}  {said}".rstrip()


def _as_json(event: Recorded) -> str:
    return shown(orjson.dumps(event.data, option=orjson.OPT_SORT_KEYS).decode(), LONGEST)
