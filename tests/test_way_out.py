"""Whoever did something wrong reads what to do next, and what came of nothing is said."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from adapters.cli.failure import GOOD, NOT_FOUND, USAGE
from tests.homes import BuiltHome
from tests.reading_evt import Evt

VERBS: Final = Path(__file__).parent.parent / "adapters" / "cli"
FROM_BELOW: Final = {"log_behind_mirror", "log_unreadable", "bad_home"}
"""Their sentences come from where the trouble was found, and have the remedy in them."""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[BuiltHome]:
    with BuiltHome(tmp_path / "home") as built:
        yield built


@pytest.fixture
def evt(home: BuiltHome, capsys: pytest.CaptureFixture[str]) -> Evt:
    return Evt(home.root, capsys)


def failures() -> Iterator[tuple[str, ast.Call]]:
    for path in sorted(VERBS.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Failure":
                yield f"{path.name}:{node.lineno}", node


def test_every_failure_says_what_to_do() -> None:
    found = dict(failures())
    assert len(found) > 80
    without = {
        where: node.args[1].value
        for where, node in found.items()
        if isinstance(node.args[3], ast.Constant)
        and not node.args[3].value
        and isinstance(node.args[1], ast.Constant)
    }
    assert set(without.values()) <= FROM_BELOW, without


def test_an_export_of_nothing_says_so(home: BuiltHome, evt: Evt) -> None:
    home.succeed("one")
    said = evt("export", "--since", "@999")
    assert (said.code, said.out) == (GOOD, "")
    assert said.err == f"note: no event stands there: the log has {home.log.head()}.\n"


def test_a_column_of_metrics_is_explained_by_the_name_it_bears_there(home: BuiltHome, evt: Evt) -> None:
    home.succeed("one")
    for column, event_type in (("longest", "task_succeeded"), ("received", "task_received")):
        told = evt("project", "metrics", "--explain", f"all.{column}", "--json").document["rows"]["all"]
        assert [touch["type"] for touch in told["touched_by"]] == [event_type]
    none = evt("project", "metrics", "--explain", "all.failed")
    assert (none.code, "no event has changed it" in none.out) == (GOOD, True)
    wrong = evt("project", "metrics", "--explain", "all.faild")
    assert (wrong.code, "has no" in wrong.err) == (NOT_FOUND, True)


def test_without_stored_views_one_line_says_that_nothing_was_compared(home: BuiltHome, evt: Evt) -> None:
    home.succeed("one")
    said = evt("replay", "--verify")
    assert said.out == "not compared  all views: there is no views.db\n"


@pytest.mark.parametrize(
    "place", ["logs/events.db", "logs/events.ndjson", "logs/tree/heads", ".env", "prompts/x.md", "tasks/x"]
)
@pytest.mark.parametrize("other", [False, True])
def test_no_verb_writes_a_file_into_what_a_home_keeps(
    home: BuiltHome, tmp_path: Path, evt: Evt, place: str, *, other: bool
) -> None:
    home.succeed("one")
    root = home.root
    if other:
        root = tmp_path / "other"
        with BuiltHome(root):
            pass
    target = root / place
    target.parent.mkdir(parents=True, exist_ok=True)
    before = target.read_bytes() if target.exists() else None
    for words in (
        ("export",),
        ("audit", "prove", "1"),
        ("audit", "prove", "1", "--line", str(tmp_path / "l")),
    ):
        said = evt(*words, "-o", str(target))
        assert (said.code, "lies where a home keeps its own state" in said.err) == (USAGE, True), words
    said = evt("audit", "prove", "1", "--line", str(target))
    assert said.code == USAGE
    assert (target.read_bytes() if target.exists() else None) == before
    assert not (tmp_path / "l").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the folder is found in another way")
def test_no_verb_writes_a_file_among_the_keys(
    home: BuiltHome, tmp_path: Path, evt: Evt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "config" / "evt" / "keys").mkdir(parents=True)
    said = evt("export", "-o", str(tmp_path / "config" / "evt" / "keys" / "x"))
    assert (said.code, "signing keys" in said.err) == (USAGE, True)
