"""`evt project` and `evt replay`: views now and before, and their proof."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from projections.all_views import ALL
from schemas.task import TaskReleased
from tests.homes import START, BuiltHome
from tests.reading_evt import Evt


@pytest.fixture
def home(tmp_path: Path) -> Iterator[BuiltHome]:
    with BuiltHome(tmp_path / "home") as built:
        yield built


@pytest.fixture
def evt(home: BuiltHome, capsys: pytest.CaptureFixture[str]) -> Evt:
    return Evt(home.root, capsys)


def tamper(home: BuiltHome, statement: str) -> None:
    """Change the stored views behind the program's back."""
    with closing(sqlite3.connect(home.root / "logs" / "views.db", isolation_level=None)) as database:
        database.execute(statement)


def test_a_view_is_given_as_of_now_and_as_of_before(home: BuiltHome, evt: Evt) -> None:
    home.queue("one")
    queued = home.log.head()
    home.claim("one")
    home.store_views()
    home.queue("two")
    now = evt("project", "queue", "--json").document
    assert now["view"] == "queue"
    assert now["position"] == home.log.head()
    assert {key: row["status"] for key, row in now["rows"].items()} == {"one": "running", "two": "queued"}
    for at in (str(queued), f"@{queued}", "2026-01-02T03:04:07Z"):
        then = evt("project", "queue", "--at", at, "--json").document
        assert then["position"] == queued
        assert {key: row["status"] for key, row in then["rows"].items()} == {"one": "queued"}
    assert evt("project", "queue", "--at", "2000-01-01", "--json").document == {
        "view": "queue",
        "position": 0,
        "rows": {},
    }


def test_a_view_for_people_says_what_it_answers_for(home: BuiltHome, evt: Evt) -> None:
    home.succeed("one")
    home.store_views()
    said = evt("project", "metrics")
    assert said.err == f"metrics as of event {home.log.head()}, 4 rows\n"
    assert {"p50", "p95"} <= set(said.lines[0].split())
    (everything,) = [line for line in said.lines if line.startswith("all ")]
    assert "5.0s" in everything
    assert "0.0123" in everything


@pytest.mark.parametrize("projection", [projection.name for projection in ALL])
def test_every_view_has_a_table(home: BuiltHome, evt: Evt, projection: str) -> None:
    home.succeed("one")
    home.write_artifact("one")
    home.refuse()
    home.queue("two", after=("one", "three"), not_before=START * 2)
    home.task("two", TaskReleased(waited_for=("one", "three")))
    said = evt("project", projection)
    assert said.code == 0
    count = len(evt("project", projection, "--json").document["rows"])
    assert len(said.lines) == (count + 1 if count else 0)


def test_what_names_no_view_and_no_moment_is_refused(home: BuiltHome, evt: Evt) -> None:
    head = home.log.head()
    assert "Did you mean metrics?" in evt("project", "metrix").err
    for words_, code in (
        (("project", "metrix"), 2),
        (("project", "tasks", "--at", "soon"), 2),
        (("project", "tasks", "--at", str(head + 1)), 6),
        (("replay", "--at", "@" + "9" * 30), 2),
        (("project", "tasks", "--write"), 2),
        (("project", "artifacts", "--write", "--at", "1"), 2),
        (("project", "artifacts", "--write", "--explain"), 2),
        (("replay", "--verify", "--at", "1"), 2),
        (("project",), 2),
    ):
        said = evt(*words_)
        assert (said.code, said.out) == (code, ""), words_


def test_replay_folds_every_event_and_counts_what_it_does_not_know(home: BuiltHome, evt: Evt) -> None:
    home.succeed("one")
    home.raw("task-one", "task_dreamt", {})
    document = evt("replay", "--json").document
    assert document["events"] == document["position"] == home.log.head()
    assert document["rows"]["tasks"] == 1
    assert document["unknown_types"] == {"task_dreamt": 1}
    assert evt("replay", "--at", "1", "--json").document["rows"]["tasks"] == 0
    assert "events/s" in evt("replay").out


def test_replay_verify_says_identical(home: BuiltHome, evt: Evt) -> None:
    home.succeed("one")
    home.store_views()
    position = home.log.head()
    said = evt("replay", "--verify")
    assert said.code == 0
    assert said.lines[-1] == f"identical: {len(ALL)} views as of event {position}"
    home.queue("two")
    behind = evt("replay", "--verify")
    assert (behind.code, "identical" in behind.out) == (0, True)
    assert "2 events behind" in behind.err
    assert evt("replay", "--verify", "--json").document["verify"]["identical"] is True


def test_replay_verify_names_the_row_that_differs_first(home: BuiltHome, evt: Evt) -> None:
    home.succeed("one")
    home.queue("two")
    home.store_views()
    home.damage_view("tasks", "two", {"status": "forged\x1b[2J"})
    home.damage_view("tasks", "one", {"status": "forged"})
    said = evt("replay", "--verify")
    assert said.code == 1
    assert "identical" not in said.out
    assert "differs: view tasks, key one, event 10, the first of 2 rows" in said.out
    assert "  event      10  task_succeeded  task-one  2026-01-02T03:04:14.000Z\n" in said.out
    assert "\x1b" not in said.out
    verify = evt("replay", "--verify", "--json").document["verify"]
    assert [(row["view"], row["key"]) for row in verify["differences"]] == [
        ("tasks", "one"),
        ("tasks", "two"),
    ]
    first = verify["differences"][0]
    assert first["stored"] == {"status": "forged"}
    assert (first["global_position"], first["type"], first["stream"]) == (10, "task_succeeded", "task-one")


def test_replay_verify_sees_a_row_that_another_event_is_said_to_have_written(
    home: BuiltHome, evt: Evt
) -> None:
    home.succeed("one")
    home.store_views()
    tamper(home, "UPDATE tasks SET global_position = 4")
    said = evt("replay", "--verify")
    assert said.code == 1
    stored, fresh = said.lines[-2:]
    assert stored.endswith("(by event 4)")
    assert fresh.endswith("(by event 10)")


def test_replay_verify_names_a_row_that_no_event_of_the_log_can_have_written(
    home: BuiltHome, evt: Evt
) -> None:
    home.succeed("one")
    home.store_views()
    tamper(home, "INSERT INTO timers VALUES ('ghost', '{}', 4711, 0)")
    said = evt("replay", "--verify")
    assert said.code == 1
    assert "differs: view timers, key ghost, event 4711\n" in said.out
    assert "  event      is not in the log\n" in said.out
    assert "  should be  no such row\n" in said.out


def test_replay_verify_is_not_content_with_nothing(home: BuiltHome, evt: Evt) -> None:
    home.succeed("one")
    said = evt("replay", "--verify")
    assert said.code == 1
    assert "not compared" in said.out
    assert "identical" not in said.out


def test_views_that_are_gone_or_spoilt_change_no_answer(home: BuiltHome, evt: Evt) -> None:
    home.succeed("one")
    home.store_views()
    right = evt("list", "--json").document
    (home.root / "logs" / "views.db").write_bytes(b"no database at all " * 100)
    spoilt = evt("list")
    assert (spoilt.code, "views.db" in spoilt.err) == (0, True)
    assert evt("list", "--json").document == right
