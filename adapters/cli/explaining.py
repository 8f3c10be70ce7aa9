"""`evt project NAME --explain`: for rows, or for one number, the events that made them, newest last."""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from adapters.cli.failure import NOT_FOUND, Failure
from adapters.cli.moments import millisecond
from adapters.cli.output import Output
from adapters.cli.view_table import COUNTS
from projections.explain import Change, Histories, History, Touch, found
from projections.projection import Projection, Row
from schemas.shown import quoted, shown

OF_EACH: Final = 10
"""Events named for a row where all rows are explained."""
OF_ONE: Final = 100
"""Events named for the one row or number that was asked about."""
VALUE_SHOWN: Final = 40
BEHIND: Final[Mapping[tuple[str, str], str]] = {
    ("metrics", "usd"): "cost_micro_usd_sum",
    ("metrics", "p50"): "durations",
    ("metrics", "p95"): "durations",
    ("metrics", "longest"): "elapsed_ms_max",
}
"""What stands in the row for a column of a view's table that bears another name."""


@dataclass(frozen=True)
class Explained:
    """`field` is the number that was asked about, None: whole rows."""

    view: str
    rows: dict[str, History]
    field: str | None


def begin(projection: Projection, asked: str) -> Histories:
    """`asked` is a row's key, a key with a field behind it (`all.succeeded`), or nothing for every row."""
    if not asked:
        return Histories(projection, OF_EACH)
    return Histories(projection, OF_ONE, _readings(projection.name, asked))


def end(histories: Histories, asked: str, position: int) -> Explained:
    """What the log said. Raises Failure where there is no such row or number."""
    view = histories.projection.name
    if not asked:
        return Explained(view, dict(sorted(histories.rows.items())), None)
    where = f"as of event {position}"
    readings = _readings(view, asked)
    there = [key for key in readings if (row := histories.rows.get(key)) is not None and row.row is not None]
    for key in sorted(there, key=len, reverse=True):
        history, field = histories.rows[key], readings[key]
        if field is None or found(history.row or {}, field):
            return Explained(view, {key: history}, field)
    if there:
        key = max(there, key=len)
        if view == "metrics" and readings[key] in (*COUNTS, *BEHIND.values()):
            # A row has only the numbers that were counted in it: this one is 0, and no event says so.
            return Explained(view, {key: histories.rows[key]}, readings[key])
        raise _no_field(view, key, readings[key] or "", histories.rows[key].row or {}, where)
    gone = [(key, history) for key, history in histories.rows.items() if history.touches]
    hint = f"`evt project {view}` shows the keys there are."
    if gone:
        key, history = max(gone, key=lambda item: len(item[0]))
        last = history.touches[-1]
        hint = f"Event {last.global_position} ({shown(last.type)}) took it away; `--at` looks back."
    raise Failure(NOT_FOUND, "not_found", f"{view} has no row {quoted(asked)} {where}.", hint)


def _no_field(view: str, key: str, field: str, row: Row, where: str) -> Failure:
    near = difflib.get_close_matches(field, row, n=1)
    hint = f"Did you mean {shown(key)}.{near[0]}?" if near else f"It has {shown(', '.join(row))}."
    sentence = f"the row {shown(key)} of {view} has no {quoted(field)} {where}."
    return Failure(NOT_FOUND, "not_found", sentence, hint)


def document(explained: Explained) -> dict[str, Any]:
    return {
        key: {
            "row": history.row,
            "field": explained.field,
            "events": history.count,
            "earlier": history.earlier,
            "touched_by": [_touch(touch) for touch in history.touches],
        }
        for key, history in explained.rows.items()
    }


def table(output: Output, explained: Explained) -> None:
    """One line an event, under the key of its row."""
    lines = [line for key, history in explained.rows.items() for line in _lines(key, history)]
    output.table(lines, ("row", "event", "time", "type", "stream", "changed"))


def _lines(key: str, history: History) -> Iterator[tuple[str, ...]]:
    if history.earlier:
        yield key, "", "", f"({history.earlier} earlier events)", "", ""
    if not history.touches:
        yield key, "", "", "(no event has changed it)", "", ""
    for touch in history.touches:
        said = ", ".join(map(_words, touch.changed)) or "nothing"
        yield key, str(touch.global_position), millisecond(touch.time), touch.type, touch.stream, said


def _words(change: Change) -> str:
    before = "" if change.before is None else f"{_value(change.before)} → "
    return f"{change.field} {before}{_value(change.after)}"


def _value(value: Any) -> str:
    return "-" if value is None else shown(orjson.dumps(value).decode(), VALUE_SHOWN)


def _touch(touch: Touch) -> dict[str, Any]:
    return {
        "global_position": touch.global_position,
        "time": touch.time,
        "type": touch.type,
        "stream": touch.stream,
        "changed": {change.field: [change.before, change.after] for change in touch.changed},
    }


def _readings(view: str, asked: str) -> dict[str, str | None]:
    """What it may mean: a key, or a key and a field at each dot; keys of tasks are in lower case."""
    readings: dict[str, str | None] = {}
    for text in (asked.lower(), asked):
        dots = [number for number, letter in enumerate(asked) if letter == "."]
        readings |= {text[:dot]: _field(view, asked[dot + 1 :]) for dot in dots if dot}
        readings[text] = None
    return readings


def _field(view: str, column: str) -> str:
    return BEHIND.get((view, column.lower()), column)
