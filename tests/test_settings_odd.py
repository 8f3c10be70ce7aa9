"""Rows of `.env` that test_settings leaves out."""

from pathlib import Path

import pytest

from adapters.config.table import BadSetting
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
