"""What completion offers, and that each shell shows and takes it."""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.cli import candidates as rules
from adapters.cli.candidates import FILES, FOLDERS, MOST_IDS, WORDS, Known, answer
from adapters.cli.main import parser_of
from adapters.cli.table import VERBS
from schemas import names
from tests import completed_home
from tests.homes import BuiltHome
from tests.reading_evt import Evt
from tools import write_completion

ROOT = Path(__file__).resolve().parent.parent
SHOWN_VERBS = [name for name, verb in VERBS.items() if verb.group]
HEAVY = ("adapters.app", "adapters.desk", "pydantic", "rich", "sqlite_utils", "trio")
on_posix = pytest.mark.skipif(sys.platform == "win32", reason="the shells and their terminals are POSIX")

TASKS = (
    Known("refused-9", "refused: bad.task.md", "refused"),
    Known("paint-the-shed", "queued: Paint it", "queued"),
    Known("Paint-Wall", "running: Paint it white", "running"),
    Known("mow", "failed: Mow the lawn", "failed"),
    Known("sow", "paused: Sow the lawn", "paused"),
)


def offered(line: str, word: str = "") -> list[str]:
    return [one.text for one in answer(line.split(), word, lambda _: TASKS).found]


def kind(line: str, word: str = "") -> str:
    return answer(line.split(), word, lambda _: TASKS).kind


# what is offered


def test_the_agents_of_the_home_are_offered() -> None:
    found = answer(["agents", "show"], "n", lambda _: TASKS, lambda _: ("analyze", "notes")).found
    assert [one.text for one in found] == ["notes"]
    assert offered("agents") == ["list", "show", "check"]


def test_every_verb_that_the_help_shows_is_offered_with_its_line() -> None:
    found = answer([], "", lambda _: TASKS).found
    assert {one.text: one.says for one in found} == {name: VERBS[name].line for name in SHOWN_VERBS}


def test_the_verb_of_the_scripts_is_neither_in_the_help_nor_proposed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evt = Evt(tmp_path, capsys)
    assert "complete" in VERBS
    assert not re.search(r"^  complete ", evt("--help").out, re.MULTILINE)
    assert "`evt completion`" in evt("complet").err


@pytest.mark.parametrize("verb", SHOWN_VERBS)
def test_all_that_a_verb_takes_is_offered(verb: str) -> None:
    actions = parser_of(verb)._actions
    assert sorted(offered(verb, "-")) == sorted(name for one in actions for name in one.option_strings)
    for action in actions:
        value = str(action.metavar or action.dest.upper())
        known = {*rules.TASKS, rules.AGENT, *rules.PLACES, *rules.LISTED, *rules.UNTOLD}
        assert action.nargs == 0 or action.choices or value in known, f"say what {value} is in candidates.py"
        if action.choices:
            asked = f"{verb} {action.option_strings[-1]}" if action.option_strings else verb
            assert offered(asked) == list(map(str, action.choices))


def test_the_table_of_arguments_is_that_of_the_verbs() -> None:
    path = ROOT / write_completion.TABLE
    assert path.read_text(encoding="utf-8") == write_completion.table(), "run tools/write_completion.py"


@pytest.mark.parametrize(
    ("line", "word", "wanted"),
    [
        ("", "ta", ["tail", "tail-events"]),
        ("", "--v", ["--version"]),
        ("--home here", "dem", ["demo"]),
        ("list --status", "fa", ["failed"]),
        ("list", "--status=fa", ["--status=failed"]),
        ("list", "--stat=fa", ["--stat=failed"]),
        ("list --status", "failed,qu", ["failed,queued"]),
        ("list --status", "queued,qu", []),
        ("project", "to_", ["to_archive", "to_write"]),
        ("tail --type", "task_rec", [names.TASK_RECEIVED]),
        ("tail --type", "task_pa", [names.TASK_PAUSED]),
        ("retry mow --", "", []),
        ("retry --fa", "", offered("retry")),
        ("tail -f -n 3 --task", "mo", ["mow"]),
        ("tail --json --fol", "", offered("tail --json --follow")),
        ("completion", "p", ["powershell"]),
        ("add --priority", "", ["high", "medium", "low"]),
        ("run --dr", "", offered("run")),
        ("list --json --status x", "--", ["--status", "--all", "--help", "--home", "--color"]),
        ("tail --", "--t", []),
        ("run --workers", "", []),
        ("show mow", "p", []),
        ("show mow", "", ["-h", "--help", "--home", "--json", "--color"]),
        ("dream", "", []),
        ("complete", "-", []),
        ("list --dream", "--sta", ["--status"]),
    ],
)
def test_what_fits_the_place_is_offered(line: str, word: str, wanted: list[str]) -> None:
    assert offered(line, word) == wanted
    assert kind(line, word) == WORDS


@pytest.mark.parametrize(
    ("line", "word", "wanted"),
    [
        ("show", "", ["refused-9", "paint-the-shed", "Paint-Wall", "mow", "sow"]),
        ("show", "PAINT-", ["paint-the-shed", "Paint-Wall"]),
        ("wait", "m", ["mow"]),
        ("cancel", "", ["paint-the-shed", "Paint-Wall", "sow"]),
        ("cancel sow", "", ["paint-the-shed", "Paint-Wall"]),
        ("cancel sow -- paint-the-shed", "", ["Paint-Wall"]),
        ("pause", "", ["paint-the-shed", "Paint-Wall"]),
        ("resume", "", ["sow"]),
        ("retry", "", ["mow"]),
        ("tail", "--task=mo", ["--task=mow"]),
        ("add --after", "", ["paint-the-shed", "Paint-Wall", "mow", "sow"]),
        ("add --after", "mow,paint-w", ["mow,Paint-Wall"]),
        ("add --after", "MOW,", ["MOW,paint-the-shed", "MOW,Paint-Wall", "MOW,sow"]),
    ],
)
def test_ids_are_offered_where_a_task_is_wanted(line: str, word: str, wanted: list[str]) -> None:
    assert offered(line, word) == wanted


@pytest.mark.parametrize(
    ("line", "word", "wanted"),
    [
        ("--home", "", FOLDERS),
        ("list --home", "x", FOLDERS),
        ("init", "", FOLDERS),
        ("add --cwd", "", FOLDERS),
        ("add", "--cwd=x", FOLDERS),
        ("add", "", FILES),
        ("add one.md --", "-x", FILES),
        ("validate-artifacts one.json", "t", FILES),
    ],
)
def test_files_and_folders_are_left_to_the_shell(line: str, word: str, wanted: str) -> None:
    assert (kind(line, word), offered(line, word)) == (wanted, [])


def test_the_newest_ids_that_fit_are_offered_and_no_more_than_200() -> None:
    many = [Known(f"task-{number}", "", "queued") for number in range(1000)]
    found = answer(["show"], "", lambda _: many).found
    assert [one.text for one in found] == [one.task_id for one in many[:MOST_IDS]]
    assert [one.text for one in answer(["show"], "task-99", lambda _: many).found] == [
        "task-99",
        *(f"task-99{digit}" for digit in range(10)),
    ]


@pytest.mark.parametrize(
    ("line", "home"),
    [("show", None), ("--home a show", "a"), ("show --home b", "b"), ("--home a show --home=b", "b")],
)
def test_ids_are_those_of_the_home_on_the_line(line: str, home: str | None) -> None:
    asked: list[str | None] = []

    def tasks(named: str | None) -> Sequence[Known]:
        asked.append(named)
        return TASKS

    answer(line.split(), "", tasks)
    assert asked == [home]


PIECES = st.sampled_from(
    [*VERBS, "--home", "--status", "--status=", "--after", "-n", "-", "--", "mow", "mow,", "=", ",", ""]
) | st.text(max_size=5)


@given(st.lists(PIECES, max_size=6), PIECES)
def test_whatever_stands_on_the_line_all_that_is_offered_begins_with_the_word(
    before: list[str], word: str
) -> None:
    found = answer(before, word, lambda _: TASKS).found
    assert [one.text for one in found if not one.text.lower().startswith(word.lower())] == []
    assert {character for one in found for character in one.text + one.says} & set("\n\t\r") == set()


# the verb that the scripts ask

home, evt = completed_home.home, completed_home.evt


def test_each_id_comes_with_its_status_and_title_on_one_line(evt: Evt) -> None:
    said = evt("complete", "--word=", "--", "show")
    assert (said.code, said.err) == (0, "")
    kind, *rows = said.lines
    found = dict(row.split("\t") for row in rows)
    assert kind == "words"
    assert [name for name in found if not name.startswith("refused-")] == ["fix-other", "Fix-Total"]
    assert found["Fix-Total"] == "succeeded: Fix the total"
    assert found["fix-other"].startswith("queued: It's $(touch owned) `touch owned`\\t%F{red}:")
    assert "\x1b" not in said.out


def test_an_id_that_is_none_is_not_handed_to_a_shell(home: BuiltHome, evt: Evt) -> None:
    event = next(event for event in home.log.all() if event.type == names.TASK_RECEIVED)
    home.raw("task-$(owned)", event.type, {**event.data, "task_id": "$(owned)"})
    assert "owned" in evt("list").out
    assert len(evt("complete", "--", "wait").lines) == len(evt("complete", "--", "show").lines) == 4


def test_a_view_that_lags_far_behind_answers_as_it_was_stored(
    home: BuiltHome, evt: Evt, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.queue("new-one")
    assert "new-one" in evt("complete", "--", "show").out
    monkeypatch.setattr("adapters.cli.complete.LONGEST_TAIL", 1)
    said = evt("complete", "--", "show").out
    assert "new-one" not in said
    assert "fix-other" in said


@pytest.mark.parametrize("line", ["show", "cancel", "--home nowhere show", "show --home ~nobody"])
def test_without_a_home_no_id_is_offered_and_nothing_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], line: str
) -> None:
    monkeypatch.chdir(tmp_path)
    said = Evt(tmp_path / "none", capsys)("complete", "--", *line.split())
    assert (said.code, said.out, said.err) == (0, "words\n", "")


def test_a_log_that_cannot_be_read_offers_no_id_and_nothing_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "events.db").write_bytes(b"no database" * 1000)
    said = Evt(tmp_path, capsys)("complete", "--", "show")
    assert (said.code, said.out, said.err) == (0, "words\n", "")
    assert Evt(tmp_path, capsys)("list").code != 0


def test_damaged_views_are_passed_over_and_nothing_is_said(home: BuiltHome, evt: Evt) -> None:
    (home.root / "logs" / "views.db").write_bytes(b"no database" * 1000)
    said = evt("complete", "--word=fix-o", "--", "show")
    assert (said.code, said.err, len(said.lines)) == (0, "", 2)


def test_a_word_that_is_no_utf8_is_no_trouble(evt: Evt) -> None:
    said = evt("complete", "--word=\udcff", "--", "add", "\udcfe")
    assert (said.code, said.out, said.err) == (0, "files\n", "")


def test_asking_for_ids_loads_nothing_heavy(home: BuiltHome) -> None:
    code = (
        "import os, sys; from adapters.cli.main import call; "
        "call(['complete', '--', 'add', '--after'], dict(os.environ)); print(*sorted(sys.modules))"
    )
    environ = {**os.environ, "EVT_HOME": str(home.root)}
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environ, capture_output=True, encoding="utf-8", check=True
    )
    *_, row, loaded = told.stdout.splitlines()
    assert row.startswith("Fix-Total\t")
    assert [module for module in HEAVY if module in loaded.split()] == []
