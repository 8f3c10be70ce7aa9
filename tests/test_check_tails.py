"""What a failed check said last stands where people and programs read how the task went."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from eventstore.memory_log import MemoryLog
from projections.artifact import build, render, summary
from projections.story import TAIL_LENGTH, TAIL_LINES, last_lines
from schemas import names
from schemas.artifact import Artifact, CheckOutcome
from schemas.word import Fact
from tests.homes import BuiltHome
from tests.life_cycles import (
    Lives,
    checked,
    claimed,
    failed,
    queued,
    received,
    turn_finished,
    turn_started,
)
from tests.reading_evt import Evt

SAID = "collected 2 items\n\n  FAILED test_total.py  \nassert 19 == 18\x1b[31m\n"
FAILED = CheckOutcome(
    command="make test",
    passed=False,
    exit_code=1,
    tail="collected 2 items\n  FAILED test_total.py\nassert 19 == 18\x1b[31m",
)


def lived(*facts: Fact) -> Lives:
    lives = Lives(MemoryLog())
    lives.tell("T", received("T"), queued(), claimed(1), turn_started(1), turn_finished(1), *facts)
    return lives


def told(lives: Lives) -> tuple[CheckOutcome, ...]:
    events = list(lives.log.stream(names.task_stream("T")))
    return Artifact.model_validate_json(render(build(events))).outcome.checks


def test_the_artifact_holds_the_last_lines_of_a_failed_check() -> None:
    lives = lived(checked(1, 1, SAID, passed=False), checked(1, 0, "2 passed"), failed(1))
    passed = CheckOutcome(command="make test", passed=True, exit_code=0, tail="")
    assert told(lives) == (passed, FAILED)


def test_checks_of_an_earlier_attempt_are_not_those_of_the_last() -> None:
    lives = lived(checked(1, 0, SAID, passed=False), claimed(2), turn_started(2, 1), turn_finished(2, 1))
    assert told(lives) == ()
    lives.tell("T", checked(2, 0, "well"), failed(2))
    assert [(check.passed, check.tail) for check in told(lives)] == [(True, "")]


def test_the_summary_shows_them_safely() -> None:
    lives = lived(checked(1, 0, SAID, passed=False), failed(1))
    text = summary(list(lives.log.stream(names.task_stream("T"))))
    head, _, tail = text.partition("  `make test` said last:\n")
    assert tail.startswith(
        "    collected 2 items\n      FAILED test_total.py\n    assert 19 == 18\\x1b[31m\n"
    )
    assert "\x1b" not in head + tail


def test_the_last_lines_are_few_and_short() -> None:
    assert last_lines("\n".join(str(number) for number in range(100))).split("\n") == [
        str(number) for number in range(100 - TAIL_LINES, 100)
    ]
    assert last_lines("x" * 5000) == "x" * TAIL_LENGTH
    assert last_lines(" \n\n") == ""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[BuiltHome]:
    with BuiltHome(tmp_path / "home") as built:
        yield built


def test_show_says_them_below_the_check(home: BuiltHome, capsys: pytest.CaptureFixture[str]) -> None:
    home.queue("one")
    home.claim("one")
    home.finish_turn("one")
    home.task("one", checked(1, 0, SAID, passed=False))
    said = Evt(home.root, capsys)("show", "one").lines
    at = next(number for number, line in enumerate(said) if "`make test` failed with code 1" in line)
    assert [line.strip() for line in said[at + 1 : at + 4]] == [
        "collected 2 items",
        "FAILED test_total.py",
        "assert 19 == 18\\x1b[31m",
    ]
