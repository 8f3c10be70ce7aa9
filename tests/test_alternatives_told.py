"""Other ways to understand a wish: who wrote it sees them, and how to choose one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.cli.understood import understood_in_words
from schemas import names
from schemas.task import Alternative, TaskQueued
from tests.homes import BuiltHome
from tests.reading_evt import Evt

OTHERS = (
    Alternative(task_type="code_review", title="Look for the cause"),
    Alternative(task_type="documentation", title="Write down how it works"),
    Alternative(task_type="analyze", title="Tell what happens"),
)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[BuiltHome]:
    with BuiltHome(tmp_path / "home") as built:
        yield built


@pytest.fixture
def evt(home: BuiltHome, capsys: pytest.CaptureFixture[str]) -> Evt:
    return Evt(home.root, capsys)


def test_whoever_adds_a_wish_is_told_how_else_it_could_be_meant() -> None:
    row = {
        "task_type": "bug_fix",
        "title": "Mend it",
        "cwd": "/srv/shop",
        "decided": {"type": "rules", "title": "rules", "cwd": "default"},
        "alternatives": [other.model_dump() for other in OTHERS],
        "mediator": None,
    }
    first, *rest = understood_in_words(row)
    assert first.startswith('  understood as bug_fix "Mend it" in /srv/shop (')
    assert rest == [
        f'  or as {other.task_type} "{other.title}": say so with --type {other.task_type}' for other in OTHERS
    ]


def test_a_task_that_says_itself_what_it_is_was_not_understood_in_any_way() -> None:
    assert understood_in_words({"task_id": "one", "status": "queued"}) == []


def test_the_page_of_a_task_tells_the_alternatives_that_stand_in_task_queued(
    home: BuiltHome, evt: Evt
) -> None:
    home.queue("one")
    (received,) = (event.data for event in home.log.all() if event.type == names.TASK_RECEIVED)
    home.raw("task-two", names.TASK_RECEIVED, {**received, "task_id": "two"})
    queued = TaskQueued(
        priority="medium",
        cwd="/srv/shop",
        waits_for=(),
        not_before=None,
        title="Mend it",
        task_type="bug_fix",
        alternatives=OTHERS,
    )
    home.task("two", queued)
    said = evt("show", "two").out
    for other in OTHERS:
        assert f"{other.task_type}: {other.title} (`evt add --type {other.task_type} …`)" in said
    assert "or else" not in evt("show", "one").out
