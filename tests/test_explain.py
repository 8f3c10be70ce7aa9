"""`--explain`: the events that are named for a row are those that made it, by the view's own rules."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.cli import explaining
from eventstore.event import Recorded
from eventstore.memory_log import MemoryLog
from projections.all_views import ALL, BY_NAME
from projections.explain import Histories, changes, found
from projections.projection import Projection, Row
from projections.view_rows import fold_at
from schemas import names
from tests.grown_lives import Grown
from tests.homes import BuiltHome
from tests.life_cycles import Lives, cancelled, queued, received
from tests.reading_evt import Evt

LIVES = st.lists(st.integers(0, 5000), max_size=120)
EVERY = 10_000


@pytest.fixture
def home(tmp_path: Path) -> Iterator[BuiltHome]:
    with BuiltHome(tmp_path / "home") as built:
        yield built


@pytest.fixture
def evt(home: BuiltHome, capsys: pytest.CaptureFixture[str]) -> Evt:
    return Evt(home.root, capsys)


def explained(log: Lives, projection: Projection, most: int = EVERY, **how: Any) -> Histories:
    histories = Histories(projection, most, **how)
    histories.read(log.log.all(0, None, projection.types))
    return histories


def flat(row: Row, inside: str = "") -> dict[str, Any]:
    """Each field by its whole path, as `changes` names it; None and an empty object are nothing."""
    told: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, dict):
            told |= flat(value, f"{inside}{name}.")
        elif value is not None:
            told[f"{inside}{name}"] = value
    return told


@given(LIVES)
def test_the_changes_that_are_named_make_the_row_that_the_view_has(numbers: list[int]) -> None:
    lives = Grown(MemoryLog())
    lives.grow(numbers)
    for projection in ALL:
        rows = fold_at(lives.log, projection, lives.log.head()).written(projection.name)
        histories = explained(lives, projection).rows
        assert histories.keys() == rows.keys()
        for key, history in histories.items():
            told: dict[str, Any] = {}
            for touch in history.touches:
                told |= {change.field: change.after for change in touch.changed}
            left = {name: value for name, value in told.items() if value is not None and value != {}}
            assert left == flat(rows[key].row)
            assert history.row == rows[key].row
            assert history.touches[-1].global_position == rows[key].global_position


@given(LIVES, st.integers(1, 5))
def test_of_many_events_the_last_ones_are_named_and_the_others_counted(numbers: list[int], most: int) -> None:
    lives = Grown(MemoryLog())
    lives.grow(numbers)
    for projection in (BY_NAME["metrics"], BY_NAME["queue"]):
        whole = explained(lives, projection).rows
        for key, few in explained(lives, projection, most).rows.items():
            assert list(few.touches) == list(whole[key].touches)[-most:]
            assert few.count == whole[key].count == few.earlier + len(few.touches)


@given(LIVES)
def test_a_row_that_is_asked_for_alone_has_the_same_history_as_among_all(numbers: list[int]) -> None:
    lives = Grown(MemoryLog())
    lives.grow(numbers)
    for projection in ALL:
        for key, history in explained(lives, projection).rows.items():
            alone = explained(lives, projection, wanted={key: None}).rows
            assert alone == {key: history}


@given(LIVES)
def test_a_counted_number_is_the_count_of_the_events_that_are_named_for_it(numbers: list[int]) -> None:
    lives = Grown(MemoryLog())
    lives.grow(numbers)
    rows = fold_at(lives.log, BY_NAME["metrics"], lives.log.head()).rows("metrics")
    counts = {
        "received": names.TASK_RECEIVED,
        "succeeded": names.TASK_SUCCEEDED,
        "turns": names.TURN_FINISHED,
    }
    for key, row in rows.items():
        for field, event_type in counts.items():
            history = explained(lives, BY_NAME["metrics"], wanted={key: field}).rows[key]
            assert history.count == row.get(field, 0)
            assert {touch.type for touch in history.touches} <= {event_type}


def test_what_a_row_was_before_it_was_gone_explains_nothing_of_the_next_one() -> None:
    lives = Lives(MemoryLog())
    lives.tell("a", received("a"), queued(), cancelled())
    assert explained(lives, BY_NAME["queue"]).rows == {}
    asked = explained(lives, BY_NAME["queue"], wanted={"a": None}).rows["a"]
    assert (asked.row, [touch.type for touch in asked.touches]) == (None, ["task_queued", "task_cancelled"])
    again = lives.tell("a", queued())
    (touch,) = explained(lives, BY_NAME["queue"]).rows["a"].touches
    assert touch.global_position == again.global_position


def test_another_rule_of_the_view_gives_another_explanation() -> None:
    def every_third(key: str, row: Row | None, event: Recorded) -> Row:
        return {"thirds": event.global_position // 3}

    lives = Lives(MemoryLog())
    lives.tell("a", received("a"), queued(), cancelled())
    lives.tell("b", received("b"), queued(), cancelled())
    made_up = Projection("thirds", 1, None, lambda event: ("all",), every_third)
    history = explained(lives, made_up, wanted={"all": "thirds"}).rows["all"]
    assert [touch.global_position for touch in history.touches] == [1, 3, 6]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": 2, "b": None}, [("a", 1, 2)]),
        ({"a": 1}, {}, [("a", 1, None)]),
        ({}, {"a": {"b": 1, "c": {"d": 2}}}, [("a.b", None, 1), ("a.c.d", None, 2)]),
        ({"a": {"b": 1}}, {"a": None}, [("a.b", 1, None)]),
        ({}, {"a": {}}, [("a", None, {})]),
        ({"a": [1]}, {"a": [1, 2]}, [("a", [1], [1, 2])]),
    ],
)
def test_changes_name_each_field_that_differs(old: Row, new: Row, told: list[tuple[str, Any, Any]]) -> None:
    assert [tuple(change) for change in changes(old, new)] == told


def test_a_field_is_found_by_its_path() -> None:
    row = {"a": {"b": {"c": 1}}, "d": None}
    assert [path for path in ("a", "a.b", "a.b.c", "d", "e", "a.c", "d.e", "") if found(row, path)] == [
        "a",
        "a.b",
        "a.b.c",
        "d",
    ]


# the verb


def touched(evt: Evt, *words: str) -> dict[str, list[int]]:
    """Row → the positions that are named."""
    rows = evt("project", *words, "--json").document["rows"]
    return {key: [touch["global_position"] for touch in row["touched_by"]] for key, row in rows.items()}


def test_a_number_of_the_metrics_names_the_events_that_were_counted_in_it(home: BuiltHome, evt: Evt) -> None:
    home.succeed("one")
    first = home.log.head()
    home.fail("two")
    home.succeed("three")
    assert touched(evt, "metrics", "--explain", "all.succeeded") == {"all": [first, home.log.head()]}
    assert touched(evt, "metrics", "--explain", "error:interactive.failed").keys() == {"error:interactive"}
    said = evt("project", "metrics", "--explain", "all.succeeded")
    assert said.err == f"metrics as of event {home.log.head()}, 1 row explained\n"
    assert [line.split()[0] for line in said.lines] == ["row", "all", "all"]
    assert said.lines[1].split()[1:] == [
        str(first), "2026-01-02T03:04:14.000Z", "task_succeeded", "task-one", "succeeded", "1",
    ]  # fmt: skip
    assert said.lines[2].endswith("succeeded 1 → 2")


def test_the_queue_names_for_each_task_what_touched_it(home: BuiltHome, evt: Evt) -> None:
    home.queue("one")
    queued_at = home.log.head()
    home.claim("one")
    home.queue("Two.Nights")
    assert touched(evt, "queue", "--explain") == {
        "one": [queued_at, queued_at + 1, queued_at + 2, queued_at + 3],
        "two.nights": [home.log.head()],
    }
    (row,) = evt("project", "queue", "--explain", "one.status", "--json").document["rows"].values()
    assert [touch["changed"] for touch in row["touched_by"]] == [
        {"status": [None, "queued"]},
        {"status": ["queued", "running"]},
    ]
    assert (row["events"], row["earlier"], row["row"]["status"]) == (2, 0, "running")
    # A task's id as it was written; the dot in it is none before a field.
    assert touched(evt, "queue", "--explain", "Two.Nights").keys() == {"two.nights"}
    assert touched(evt, "queue", "--explain", "Two.Nights.worker") == {"two.nights": []}
    assert "(no event has changed it)" in evt("project", "queue", "--explain", "Two.Nights.worker").out


def test_what_made_a_row_is_told_as_of_any_moment(home: BuiltHome, evt: Evt) -> None:
    home.queue("one")
    queued_at = home.log.head()
    home.claim("one")
    assert touched(evt, "queue", "--explain", "one", "--at", str(queued_at)) == {"one": [queued_at]}
    assert touched(evt, "queue", "--explain", "--at", "1") == {}
    assert evt("project", "queue", "--explain", "--at", "1").out == ""


@pytest.mark.parametrize("view", sorted(BY_NAME))
def test_every_view_can_be_explained(home: BuiltHome, evt: Evt, view: str) -> None:
    home.succeed("one")
    home.write_artifact("one")
    home.refuse()
    home.queue("two", after=("one", "three"))
    rows = evt("project", view, "--json").document["rows"]
    assert touched(evt, view, "--explain").keys() == rows.keys()
    assert evt("project", view, "--explain").code == 0


def test_earlier_events_are_counted_where_there_are_more_than_are_named(home: BuiltHome, evt: Evt) -> None:
    for number in range(explaining.OF_EACH + 3):
        home.queue(f"task-{number}")
    row = evt("project", "metrics", "--explain", "--json").document["rows"]["all"]
    assert (row["events"], row["earlier"]) == (explaining.OF_EACH + 3, 3)
    assert len(row["touched_by"]) == explaining.OF_EACH
    assert "(3 earlier events)" in evt("project", "metrics", "--explain").out
    assert "earlier" not in evt("project", "metrics", "--explain", "all").out


def test_who_asks_for_what_is_not_there_is_told_what_is(home: BuiltHome, evt: Evt) -> None:
    home.queue("one")
    for asked, wanted in (
        ("all.recieved", "Did you mean all.received?"),
        ("all.zzzzz", "It has received."),
        ("nobody", "`evt project metrics` shows the keys there are."),
        ("nobody\x1b[2J", "shows the keys"),
    ):
        said = evt("project", "metrics", "--explain", asked)
        assert (said.code, said.out) == (6, "")
        assert wanted in said.err
        assert "\x1b" not in said.err


def test_who_asks_for_a_row_that_is_gone_is_told_which_event_took_it(home: BuiltHome, evt: Evt) -> None:
    home.succeed("one")
    said = evt("project", "queue", "--explain", "one")
    assert said.code == 6
    assert f"Event {home.log.head()} (task_succeeded) took it away" in said.err


def test_an_event_of_a_later_version_with_a_hostile_name_is_shown_safely(home: BuiltHome, evt: Evt) -> None:
    home.queue("one")
    home.raw("task-one", "task_\x1b[2Jdreamt", {})
    said = evt("project", "tasks", "--explain", "one")
    assert "dreamt" in said.out
    assert "\x1b" not in said.out
