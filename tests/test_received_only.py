"""A task whose owner gives no answer is received and no more, and the verb says so."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters import desk
from eventstore.file_lock import FileLock
from schemas import names
from tests.reading_evt import Evt
from tests.service import events, home_at


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A home whose owner holds it and does nothing."""
    home = home_at(tmp_path)
    with FileLock(home / "logs" / ".owner"):
        yield home


@pytest.fixture
def evt(home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Evt:
    monkeypatch.setattr(desk, "ANSWER_S", 0.0)
    return Evt(home, capsys)


def test_a_task_that_the_owner_does_not_answer_for_is_received_and_not_yet_queued(
    home: Path, evt: Evt
) -> None:
    said = evt("add", "explain the cart")
    assert said.code == 0
    assert "received, not yet queued" in said.out
    types = [event.type for event in events(home)]
    assert (names.TASK_RECEIVED in types, names.TASK_QUEUED in types) == (True, False)


def test_a_program_is_told_the_same_by_the_status(evt: Evt) -> None:
    (row,) = evt("add", "explain the cart", "--json").document
    assert (row["added"], row["status"]) == (True, "received")
