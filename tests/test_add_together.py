"""Several verbs add at the same moment: each file becomes a task, and each end and option is answered."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters.cli import add
from adapters.cli.failure import CONFLICT, GOOD, INTERRUPTED, TASK_FAILED, TIMED_OUT
from adapters.cli.wait import wait_for
from adapters.desk import Desk
from adapters.home import Home
from adapters.home_making import make_home
from eventstore.sqlite.log import SqliteLog
from schemas import names
from tests.homes import BuiltHome
from tests.reading_evt import Evt


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_home(tmp_path / "home", register=False).root


@pytest.fixture
def evt(root: Path, capsys: pytest.CaptureFixture[str]) -> Evt:
    return Evt(root, capsys)


def received(root: Path) -> list[str]:
    log = SqliteLog(Home(root, named=True).log, read_only=True)
    try:
        return [event.data["task_id"] for event in log.all() if event.type == names.TASK_RECEIVED]
    finally:
        log.close()


def written(root: Path, name: str, text: str = "Look at it.") -> str:
    file = root / f"{name}.task.md"
    file.write_text(f"# T\n\n{text}\n", encoding="utf-8", newline="\n")
    return str(file)


@pytest.mark.parametrize("same", [True, False])
def test_a_name_that_another_verb_takes_in_between_is_left_to_it(
    root: Path, evt: Evt, monkeypatch: pytest.MonkeyPatch, *, same: bool
) -> None:
    ours, asked = written(root, "report"), []
    look = add._free_id

    def beaten(desk: Desk, given: Any, message_id: str) -> str:
        found = look(desk, given, message_id)
        asked.append(found)
        if len(asked) == 1:  # another verb comes between the look and the append
            (root / "other").mkdir()
            theirs = written(root / "other", "report", "Look at it." if same else "Look at that.")
            assert evt("add", theirs).code == GOOD
        return found

    monkeypatch.setattr(add, "_free_id", beaten)
    said = evt("add", ours, "--json")
    assert (said.code, said.document[0]["task_id"], said.document[0]["added"]) == (GOOD, "report-2", True)
    assert received(root) == ["report", "report-2"]
    assert asked == ["report", "report", "report-2"]


def test_an_option_that_a_known_task_is_not_is_no_success(root: Path, evt: Evt) -> None:
    file = root / "one.task.md"
    file.write_text("---\nid: one\ntype: analyze\n---\n# T\n\nLook.\n", encoding="utf-8", newline="\n")
    assert evt("add", str(file)).code == GOOD
    assert evt("add", str(file)).code == GOOD
    assert evt("add", str(file), "--priority", "medium").code == GOOD, "that is what it is"
    said = evt("add", str(file), "--priority", "high", "--after", "zzz")
    assert said.code == CONFLICT
    assert "with another --priority and --after" in said.err
    assert received(root) == ["one"]


def test_an_interrupt_anywhere_behind_the_append_says_what_was_received(
    root: Path, evt: Evt, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(self: Desk, *_: object) -> None:
        raise KeyboardInterrupt

    for name in ("placed", "keep_records", "sign"):
        with monkeypatch.context() as patched:
            patched.setattr(Desk, name, interrupted)
            said = evt("add", f"explain what {name} does")
        assert said.code == INTERRUPTED
        (last, *_) = reversed(received(root))
        assert f"{last} was received all the same; `evt cancel {last}`" in said.err


@pytest.fixture
def home(tmp_path: Path) -> Iterator[BuiltHome]:
    with BuiltHome(tmp_path / "built") as built:
        yield built


def test_several_are_waited_for_by_one_time_out_and_each_end_is_told(
    home: BuiltHome, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    home.queue("slow")
    home.fail("bad")
    home.queue("late")
    given: list[float | None] = []
    asked = wait_for

    def noted(call: Any, task_id: str, timeout_s: float | None) -> int:
        given.append(timeout_s)
        return asked(call, task_id, timeout_s)

    monkeypatch.setattr(add, "wait_for", noted)
    evt = Evt(home.root, capsys)
    monkeypatch.setattr(
        add,
        "_taken_in",
        lambda *_: (
            [{"task_id": one, "status": "queued", "warnings": []} for one in ("slow", "bad", "late")],
            True,
        ),
    )
    said = evt("add", "three", "--wait", "--timeout", "0.3")
    assert said.code == TASK_FAILED
    assert said.err.count("is still queued after") == 2
    assert any(line.startswith("bad  failed") for line in said.lines)
    assert given[0] is not None and given[0] <= 0.3
    assert given[1:] == [0.0, 0.0], "the first one had all of it"


def test_one_that_is_not_in_time_ends_as_wait_does(
    home: BuiltHome, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    home.queue("slow")
    monkeypatch.setattr(
        add, "_taken_in", lambda *_: ([{"task_id": "slow", "status": "queued", "warnings": []}], True)
    )
    said = Evt(home.root, capsys)("add", "slow", "--wait", "--timeout", "0")
    assert (said.code, said.err.count("is still queued")) == (TIMED_OUT, 1)
