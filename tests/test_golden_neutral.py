"""What is neutral in a golden task's outcome is named, has the right shape, and nothing else is."""

import copy
import dataclasses
import sys
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from schemas import names
from tools.golden.case import CASES, Case
from tools.golden.neutral import CHANCE, IDS, PLACES, RECEIPTS, SERVICES_LIFE, neutral, ordered
from tools.golden.stage import Run, replayed

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the agent's stand-in is a shell script")

LONGEST = Case(CASES / "bug_fix" / "check-fails-then-mended")
"""It has nearly all that there is: checks, files, a retry, two sessions' turns."""

Way = tuple[str | int, ...]
REPEATED = {*RECEIPTS, names.FILES_MODIFIED}
"""Of these the last one counts."""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return replayed(LONGEST, tmp_path_factory.mktemp("neutral"))


def leaves(value: Any, way: Way = ()) -> Iterator[tuple[Way, Any]]:
    """Each value that holds no other, and each that could hold one."""
    if isinstance(value, dict) and value:
        for name, one in value.items():
            yield from leaves(one, (*way, name))
    elif isinstance(value, list) and value:
        for at, one in enumerate(value):
            yield from leaves(one, (*way, at))
    else:
        yield way, value


def changed(value: Any) -> Any:
    """Another value of the same kind."""
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case str():
            return f"{value}x"
        case list():
            return ["x"]
        case dict():
            return {"x": "x"}
        case _:
            return "x"


def with_value(value: Any, way: Way, new: Any) -> Any:
    found = copy.deepcopy(value)
    holder = found
    for step in way[:-1]:
        holder = holder[step]
    holder[way[-1]] = new
    return found


def with_event(run: Run, at: int, event: dict[str, Any]) -> Run:
    return dataclasses.replace(run, events=(*run.events[:at], event, *run.events[at + 1 :]))


def looked_at(run: Run) -> Iterator[tuple[int, dict[str, Any]]]:
    """The events that an expected file holds, the first of each type and attempt."""
    last = {event["type"]: at for at, event in enumerate(run.events)}
    seen = set()
    for at, event in enumerate(run.events):
        kind = event["type"]
        key = (kind, event["data"].get("phase"))
        if kind in SERVICES_LIFE or key in seen or (kind in REPEATED and at != last[kind]):
            continue
        seen.add(key)
        yield at, event


def events_alone(run: Run) -> Run:
    """The same log; what else is looked at is quickly done."""
    return dataclasses.replace(run, artifact=b"{}", summary=b"", prompts=())


def seen(run: Run, before: dict[str, str], at: int, event: dict[str, Any]) -> bool:
    return neutral(with_event(run, at, event)) != before


def test_a_change_of_any_field_of_an_event_is_seen_unless_it_is_chance(run: Run) -> None:
    run = events_alone(run)
    before, hidden, compared = neutral(run), set(), 0
    for at, event in looked_at(run):
        for way, value in leaves(event):
            compared += 1
            if not seen(run, before, at, with_value(event, way, changed(value))):
                hidden.add("process" if "process" in way else way[-1])
    assert compared > 300
    # Another moment, another duration, another process: each in the shape that it should have.
    assert hidden <= {"process", *CHANCE}


def test_a_change_of_any_field_of_the_artifact_is_seen_unless_it_is_chance(run: Run) -> None:
    artifact, before, hidden = orjson.loads(run.artifact), neutral(run), set()
    for way, value in leaves(artifact):
        spoilt = orjson.dumps(with_value(artifact, way, changed(value)))
        if neutral(dataclasses.replace(run, artifact=spoilt))["artifact.json"] == before["artifact.json"]:
            hidden.add(way[-1])
    assert hidden <= {*CHANCE}


def test_a_field_that_is_gone_and_one_that_is_new_are_seen(run: Run) -> None:
    run = events_alone(run)
    before = neutral(run)
    for at, event in looked_at(run):
        for name in event["data"]:
            less = {key: value for key, value in event["data"].items() if key != name}
            assert seen(run, before, at, {**event, "data": less}), name
        assert seen(run, before, at, {**event, "data": {**event["data"], "elapsed_s": 1}})


def test_chance_in_its_right_shape_is_not_seen_and_in_any_other_it_is(run: Run) -> None:
    run = events_alone(run)
    right = {str: "2027-01-02T03:04:05.000006Z", int: 1_800_000_000_000_000, float: 0.75, bool: False}
    before, keys = neutral(run), set()
    for at, event in looked_at(run):
        for way, value in leaves(event):
            if way[-1] in CHANCE:
                keys.add(way[-1])
                assert not seen(run, before, at, with_value(event, way, right[type(value)])), way
                for wrong in (None, "soon", -1, [value]):
                    assert seen(run, before, at, with_value(event, way, wrong)), (way, wrong)
    # What else there is stands in the artifact alone.
    assert {*CHANCE} - keys == {"timestamp", "execution_time", "file_watcher_running"}


def test_a_link_that_leads_elsewhere_is_seen(run: Run) -> None:
    before = neutral(run)
    first, second = (event["id"] for at, event in [*looked_at(run)][:2])
    for at, event in looked_at(run):
        for way, value in leaves(event):
            if way[-1] in IDS:
                assert seen(run, before, at, with_value(event, way, second if value == first else first)), way
            if way[-1] in PLACES:
                assert seen(run, before, at, with_value(event, way, 1 if value != 1 else 2)), way
            if way[-1] == "pid" and event["type"] == names.TASK_CLAIMED:
                again = [one for one in run.events if one["type"] == names.TASK_CLAIMED]
                assert len(again) == 2, "the service's process stands in each claim"
                assert seen(run, before, at, with_value(event, way, value + 1))


def test_an_event_that_is_missing_and_one_that_comes_too_soon_are_seen(run: Run) -> None:
    before, kinds = neutral(run), [event["type"] for event in run.events]
    for at, event in looked_at(run):
        left = (*run.events[:at], *run.events[at + 1 :])
        assert neutral(dataclasses.replace(run, events=left)) != before, event["type"]
        beside = at + 1 < len(kinds) and not {kinds[at], kinds[at + 1]} & (REPEATED | SERVICES_LIFE)
        if beside:
            swapped = [*run.events]
            swapped[at], swapped[at + 1] = _places_of(swapped[at + 1], swapped[at])
            assert neutral(dataclasses.replace(run, events=tuple(swapped))) != before, event["type"]


def _places_of(later: dict[str, Any], sooner: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Both, each in the other's place in log and stream."""
    places = ("global_position", "position", "stream")
    first = {**later, **{name: sooner[name] for name in places}}
    return first, {**sooner, **{name: later[name] for name in places}}


def test_two_runs_of_the_same_task_are_the_same(run: Run, tmp_path: Path) -> None:
    longer = tmp_path / "a folder with a name that is longer than the first"
    longer.mkdir()
    assert neutral(replayed(LONGEST, longer)) == neutral(run)


def test_how_often_files_are_told_while_the_agent_works_is_chance(run: Run) -> None:
    last = max(at for at, event in enumerate(run.events) if event["type"] == names.FILES_MODIFIED)
    event = run.events[last]
    sooner = {**event, "id": str(uuid.UUID(int=7)), "data": {**event["data"], "files": []}}
    between = [*run.events[:last], sooner, *run.events[last:]]
    assert facts(ordered(between)) == facts(ordered(run.events))


def facts(events: Iterable[dict[str, Any]]) -> list[Any]:
    return [(event["type"], event["id"], event["data"]) for event in events]
