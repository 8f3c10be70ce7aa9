"""Which names of the environment are ours, and which belong to the agent itself."""

from pathlib import Path

import pytest

from adapters.config.settings import read_settings


@pytest.mark.parametrize(
    "name", ["CLAUDE_CODE_MAX_RETRIES", "CLAUDE_CONFIG_DIR", "CLAUDE_STREAM_IDLE_TIMEOUT_MS"]
)
def test_what_belongs_to_the_agent_itself_is_no_mistake(tmp_path: Path, name: str) -> None:
    (tmp_path / ".env").write_text(f"{name}=1\n", encoding="utf-8", newline="\n")
    assert read_settings(tmp_path, {}).warnings == ()
    assert read_settings(tmp_path, {name: "1"}).warnings == ()


@pytest.mark.parametrize(
    "name",
    ["EVT_X", "CLAUDE_X", "LLAMA_X", "TELEGRAM_X", "VALIDATION_X", "GUARDED_WRITE_X", "METRICS_INTERVAL_X"],
)
def test_a_name_with_one_of_our_prefixes_that_nobody_knows_is_warned_of(tmp_path: Path, name: str) -> None:
    (warning,) = read_settings(tmp_path, {name: "1"}).warnings
    assert warning.startswith(f"{name} is set, but this version ")
