"""`evt agents`: what a task can have, one agent whole, and what is wrong with one by file and line."""

from collections.abc import Mapping
from pathlib import Path

import orjson
import pytest

from tests.homes import BuiltHome
from tests.known_agents import NOTES, write_agent
from tests.reading_evt import Evt

BROKEN = "---\npurpose: P\ntools: [Read]\n---\nX\n\n{{ prompt|upper }}\n"


@pytest.fixture
def evt(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Evt:
    with BuiltHome(tmp_path.resolve()) as home:
        return Evt(home.root, capsys)


def test_a_home_without_its_own_lists_the_built_in_ones(evt: Evt) -> None:
    said = evt("agents", "list")
    assert (said.code, said.err) == (0, "")
    head, *rows = said.lines
    assert head.split()[:5] == ["agent", "state", "edits", "tools", "similarity"]
    assert [row.split()[:3] for row in rows] == [
        ["analyze", "ready", "no"],
        ["bug_fix", "ready", "yes"],
        ["code_review", "ready", "no"],
        ["documentation", "ready", "yes"],
    ]
    assert evt("agents").out == said.out


def test_own_broken_and_disabled_ones_are_marked(evt: Evt) -> None:
    write_agent(evt.root, "notes")
    write_agent(evt.root, "analyze", BROKEN)
    (evt.root / ".env").write_text(
        "AGENTS_ENABLED=analyze, notes, bug_fix, nobody\n", encoding="utf-8", newline="\n"
    )
    said = evt("agents", "list", "--json")
    assert said.code == 0
    assert {row["name"]: (row["state"], row["origin"]) for row in said.document} == {
        "analyze": ("broken", "home"),
        "bug_fix": ("ready", "built-in"),
        "code_review": ("disabled", "built-in"),
        "documentation": ("disabled", "built-in"),
        "notes": ("ready", "home"),
    }
    (row,) = [row for row in said.document if row["name"] == "analyze"]
    assert row["replaces_built_in"]
    assert row["broken"]["line"] == 7
    assert orjson.loads(said.err) == {"note": 'AGENTS_ENABLED names "nobody", and there is no such agent.'}


def test_one_is_shown_whole_with_what_it_would_be_told(evt: Evt) -> None:
    path = write_agent(evt.root, "notes")
    said = evt("agents", "show", "notes")
    assert said.code == 0
    assert said.lines[0] == "notes  ready"
    assert f"from             {path}" in said.lines
    assert "tools            Read, Glob, Grep" in said.lines
    assert "Tell in plain words what is new." in said.lines
    assert said.lines.count("----- a random line -----") == 2
    document = evt("agents", "show", "notes", "--json").document
    assert document["template"] in NOTES
    assert (
        document["example_prompt"].splitlines() == said.lines[-len(document["example_prompt"].splitlines()) :]
    )


def test_a_broken_one_is_explained_by_file_and_line_and_makes_it_1(evt: Evt) -> None:
    path = write_agent(evt.root, "mine", BROKEN)
    write_agent(evt.root, "notes")
    said = evt("agents", "check")
    assert said.code == 1
    assert "analyze: good" in said.lines
    assert "notes: good" in said.lines
    at = said.lines.index(
        f"{path}:7: the template uses filters; "
        "it may hold values such as {{ task }} and {% if %}, no more."
    )
    assert said.lines[at + 1] == "  Write it out in plain words."
    assert evt("agents", "check", "mine").code == 1
    assert evt("agents", "check", "notes").out == "notes: good\n"
    assert evt("agents", "check", "notes").code == 0
    shown = evt("agents", "show", "mine")
    assert (shown.code, "Line 7" in shown.err) == (1, True)


def test_one_that_is_switched_off_can_be_checked_before_it_is_switched_on(evt: Evt) -> None:
    write_agent(evt.root, "mine", BROKEN)
    (evt.root / ".env").write_text("AGENTS_ENABLED=false\n", encoding="utf-8", newline="\n")
    assert evt("agents", "check", "mine").code == 1
    listed = evt("agents", "list", "--json")
    (row,) = [row for row in listed.document if row["name"] == "mine"]
    assert (row["state"], row["broken"]["line"]) == ("disabled", 7)


@pytest.mark.parametrize(
    ("words", "code", "named"),
    [
        (("show", "plumber"), 6, "unknown_agent"),
        (("check", "plumber"), 6, "unknown_agent"),
        (("show", "../analyze"), 6, "unknown_agent"),
        (("show",), 2, "usage"),
        (("list", "analyze"), 2, "usage"),
        (("dream",), 2, "usage"),
    ],
)
def test_what_is_not_there_or_makes_no_sense_has_its_exit_code(
    evt: Evt, words: tuple[str, ...], code: int, named: str
) -> None:
    said = evt("agents", *words, "--json")
    assert said.code == code
    assert orjson.loads(said.err)["error"]["code"] == named


def test_a_setting_that_cannot_be_used_is_told(evt: Evt) -> None:
    (evt.root / ".env").write_text("AGENTS_ENABLED=,\n", encoding="utf-8", newline="\n")
    said = evt("agents")
    assert (said.code, "AGENTS_ENABLED" in said.err) == (2, True)


def state_of(root: Path) -> Mapping[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def test_nothing_is_written(evt: Evt) -> None:
    write_agent(evt.root, "mine", BROKEN)
    before = state_of(evt.root)
    for words in (("list",), ("show", "analyze"), ("check",)):
        evt("agents", *words)
    assert state_of(evt.root) == before


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("notes", 0, "done by the agent notes"),
        ("mine", 2, "Line 7: the template uses filters"),
        ("plumber", 2, 'There is no agent "plumber".'),
    ],
)
def test_a_task_may_name_an_agent_of_the_home_that_is_whole(
    evt: Evt, tmp_path: Path, name: str, code: int, words: str
) -> None:
    write_agent(evt.root, "notes")
    write_agent(evt.root, "mine", BROKEN)
    file = tmp_path / "t.md"
    text = f"---\ntype: bug_fix\nagent_type: {name}\n---\n# T\n\nLook.\n"
    (evt.root / ".env").write_text(
        f"CLAUDE_BASE_CWD={evt.root}/shop\nCLAUDE_ALLOWED_ROOT={evt.root}\n", encoding="utf-8", newline="\n"
    )
    (evt.root / "shop").mkdir()
    file.write_text(text, encoding="utf-8", newline="\n")
    said = evt("add", "--check", str(file))
    assert said.code == code
    assert words in said.out
    if name == "notes":
        assert "  tools       Read, Glob, Grep" in said.lines, "never more than the agent names"
    if name == "mine":
        assert "See `evt agents check mine`." in said.out
