"""Rows of `.env` that test_settings leaves out."""

from pathlib import Path

import orjson
import pytest

from adapters.config.table import BadSetting
from tests.service import evt, home_at
from tests.test_settings import read


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("CLAUDE_EXECUTABLE=/opt/a#b/claude", "/opt/a#b/claude"),
        ("CLAUDE_EXECUTABLE='/opt/a #b/claude'", "/opt/a #b/claude"),
        ('CLAUDE_EXECUTABLE="/opt/a #b/claude" # c', "/opt/a #b/claude"),
        ("CLAUDE_EXECUTABLE=/opt/a #b/claude", "/opt/a"),
    ],
)
def test_a_hash_is_part_of_a_value_unless_a_blank_stands_before_it_outside_quotes(
    tmp_path: Path, line: str, value: str
) -> None:
    assert read(tmp_path, line).claude_executable == value


def test_the_last_of_two_lines_for_one_name_counts(tmp_path: Path) -> None:
    assert read(tmp_path, "MAX_CONCURRENT_TASKS=2\nMAX_CONCURRENT_TASKS=3\n").workers == 3


@pytest.mark.parametrize("text", ["~", "~/x", "*"])
def test_a_root_in_the_words_of_a_shell_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadSetting, match="must be an absolute path"):
        read(tmp_path, "", CLAUDE_ALLOWED_ROOT=text)


@pytest.mark.parametrize("root", ["//", "/.", "/no/such/../../.."])
def test_everything_by_another_name_is_everything(tmp_path: Path, root: str) -> None:
    with pytest.raises(BadSetting, match="almost anywhere"):
        read(tmp_path, "", CLAUDE_ALLOWED_ROOT=root)


@pytest.mark.parametrize("name", ["MAX_CONCURENT_TASKS", "MAX_CONCURRENT_TASK", "OLAMA_HOST", "LAMA_MODEL"])
def test_a_name_in_the_file_that_looks_like_one_of_ours_is_told_with_the_meant_one(
    tmp_path: Path, name: str
) -> None:
    meant = {"M": "MAX_CONCURRENT_TASKS", "O": "OLLAMA_HOST", "L": "LLAMA_MODEL"}[name[0]]
    said = f"{name} is set, but this version has no such setting. Did you mean {meant}?"
    assert read(tmp_path, f"{name}=2\n").warnings == (said,)


def test_names_of_others_are_told_of_neither_in_the_file_nor_in_the_environment(tmp_path: Path) -> None:
    assert (
        read(tmp_path, "ANTHROPIC_API_KEY=x\nPATH=/bin\n", OLLAMA_MODELS="/m", LAMA_MODEL="x").warnings == ()
    )


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    said = read(tmp_path, "", CLAUDE_ALLOWED_ROOT=str(gone), CLAUDE_BASE_CWD=str(gone / "in")).warnings
    seen = "and no folder is seen there: {} will be refused. Make it, or name another one.".format
    assert said == (
        f"CLAUDE_ALLOWED_ROOT is {gone}, {seen('every task')}",
        f"CLAUDE_BASE_CWD is {gone / 'in'}, {seen('a task that names no `cwd`')}",
    )
    (gone / "in").mkdir(parents=True)
    assert read(tmp_path, "", CLAUDE_ALLOWED_ROOT=str(gone), CLAUDE_BASE_CWD=str(gone / "in")).warnings == ()


def test_a_home_named_in_its_own_file_is_told_to_be_without_effect(tmp_path: Path) -> None:
    (said,) = read(tmp_path, "EVT_HOME=/elsewhere\n").warnings
    assert "EVT_HOME" in said
    assert "no effect" in said
    assert read(tmp_path, "", EVT_HOME="/elsewhere").warnings == ()


def test_a_line_that_cannot_be_read_is_one_sentence_and_with_json_one_document(tmp_path: Path) -> None:
    home = home_at(tmp_path / "home", 'EVT_LOG_URL=\nCLAUDE_EXECUTABLE="open\n')
    sentence = f"{home / '.env'}, line 3, is no NAME=VALUE: a quote is open, or `=` is missing."
    said = evt(home, "add", "look at it")
    assert (said.returncode, said.stderr) == (
        2,
        f"evt: {sentence}\n     Nothing was done: put it right there, and try again.\n",
    )
    as_json = orjson.loads(evt(home, "add", "look at it", "--json").stderr)
    assert as_json["error"]["message"] == sentence
