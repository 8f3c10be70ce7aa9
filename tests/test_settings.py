"""Settings: where each value comes from, and what the person reads when it cannot be used."""

from pathlib import Path

import pytest

from adapters.config.settings import Settings, read_settings
from adapters.config.table import SETTINGS, BadSetting


def read(home: Path, text: str = "", **environ: str) -> Settings:
    (home / ".env").write_bytes(text.encode())
    return read_settings(home, environ)


def test_every_default_can_be_read(tmp_path: Path) -> None:
    found = read_settings(tmp_path, {})
    assert (found.claude_executable, found.timeout_s, found.max_turns, found.workers) == ("claude", 300, 0, 3)
    assert found.base_cwd == found.allowed_root == tmp_path
    assert not found.skip_permissions
    assert not found.allow_hard_links
    assert found.warnings == ()


@pytest.mark.parametrize(
    ("text", "enabled"),
    [("", True), ("true", True), ("on", True), ("false", False), ("0", False), ("a, b,", ("a", "b"))],
)
def test_which_agents_there_are_is_yes_no_or_names(
    tmp_path: Path, text: str, enabled: bool | tuple[str, ...]
) -> None:
    assert read(tmp_path, f"AGENTS_ENABLED={text}\n").agents_enabled == enabled


@pytest.mark.parametrize(
    "text",
    [
        "MAX_CONCURRENT_TASKS=7\n",
        "export MAX_CONCURRENT_TASKS=7",
        "MAX_CONCURRENT_TASKS='7' # so many\r\n",
        '\ufeffMAX_CONCURRENT_TASKS="7"\r\n# a word\r\n',
        "MAX_CONCURRENT_TASKS= 7 \n\n",
    ],
)
def test_the_forms_of_a_dotenv_line_are_understood(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, text).workers == 7


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    assert read(tmp_path, "CLAUDE_TIMEOUT_SEC=10\n", CLAUDE_TIMEOUT_SEC="20").timeout_s == 20


def test_a_dollar_in_the_file_is_a_dollar(tmp_path: Path) -> None:
    assert read(tmp_path, "CLAUDE_EXECUTABLE='/opt/$HOME/claude'\n").claude_executable == "/opt/$HOME/claude"


def test_names_of_the_list_are_parted_by_commas(tmp_path: Path) -> None:
    assert read(tmp_path, "CLAUDE_ENV_ALLOW=ONE, TWO,,\n").env_allow == ("ONE", "TWO")


@pytest.mark.parametrize("text", ["0", "-1", "1e9", "65", "٣", "three", "1.5", "9" * 5000])
def test_a_number_of_workers_out_of_range_is_refused_with_the_range(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadSetting, match="must be a whole number from 1 to 64"):
        read(tmp_path, "", MAX_CONCURRENT_TASKS=text)


@pytest.mark.parametrize("text", ["nan", "inf", "-1", "0", "lots", "1e99"])
def test_a_budget_that_is_no_amount_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadSetting, match=r"CLAUDE_MAX_BUDGET_USD is .* an amount in dollars"):
        read(tmp_path, "", CLAUDE_MAX_BUDGET_USD=text)


def test_thresholds_of_validation_are_the_agents_own_unless_they_are_set(tmp_path: Path) -> None:
    found = read(tmp_path)
    assert found.similarity_threshold is found.entropy_threshold is None
    assert (found.validation_retries, found.validation_backoff) == (1, 2.0)
    found = read(
        tmp_path,
        "VALIDATION_SIMILARITY_THRESHOLD=0\nVALIDATION_ENTROPY_THRESHOLD=1.0\n",
        VALIDATION_MAX_RETRIES="0",
        VALIDATION_BACKOFF_MULTIPLIER="1.5",
    )
    assert (found.similarity_threshold, found.entropy_threshold) == (0.0, 1.0)
    assert (found.validation_retries, found.validation_backoff) == (0, 1.5)


@pytest.mark.parametrize(
    ("name", "text", "allowed"),
    [
        ("VALIDATION_SIMILARITY_THRESHOLD", "1.01", "from 0 to 1"),
        ("VALIDATION_ENTROPY_THRESHOLD", "-0.1", "from 0 to 1"),
        ("VALIDATION_ENTROPY_THRESHOLD", "nan", "from 0 to 1"),
        ("VALIDATION_SIMILARITY_THRESHOLD", "٠", "from 0 to 1"),
        ("VALIDATION_MAX_RETRIES", "11", "from 0 to 10"),
        ("VALIDATION_MAX_RETRIES", "", "from 0 to 10"),
        ("VALIDATION_BACKOFF_MULTIPLIER", "0.5", "from 1 to 10"),
        ("VALIDATION_BACKOFF_MULTIPLIER", "inf", "from 1 to 10"),
        ("VALIDATION_BACKOFF_MULTIPLIER", "", "from 1 to 10"),
    ],
)
def test_a_measure_out_of_range_is_refused_with_the_range(
    tmp_path: Path, name: str, text: str, allowed: str
) -> None:
    with pytest.raises(BadSetting, match=f"{name} is .*{allowed}"):
        read(tmp_path, "", **{name: text})


def test_a_relative_root_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match=r"CLAUDE_ALLOWED_ROOT is 'work' .* an absolute path"):
        read(tmp_path, "CLAUDE_ALLOWED_ROOT=work\n")


@pytest.mark.parametrize("root", ["/", "/tmp/..", str(Path.home()), str(Path.home().parent)])
def test_a_root_that_is_everything_needs_a_word_of_its_own(tmp_path: Path, root: str) -> None:
    with pytest.raises(BadSetting, match="almost anywhere"):
        read(tmp_path, "", CLAUDE_ALLOWED_ROOT=root)
    assert read(tmp_path, "", CLAUDE_ALLOWED_ROOT=root, I_UNDERSTAND="1").allowed_root == Path(root)


def test_a_base_outside_the_root_is_said(tmp_path: Path) -> None:
    (tmp_path / "projects").mkdir()
    (said,) = read(tmp_path, "", CLAUDE_ALLOWED_ROOT=str(tmp_path / "projects")).warnings
    assert "a task that names no `cwd` will be refused" in said


def test_a_log_elsewhere_is_refused_until_there_is_one(tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match=r"EVT_LOG_URL .* SQLite"):
        read(tmp_path, "", EVT_LOG_URL="postgresql://db/evt")


def test_a_sentence_names_where_the_bad_value_stands(tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match=r"in .*\.env; it must be true or false"):
        read(tmp_path, "CLAUDE_SKIP_PERMISSIONS=maybe\n")


def test_an_unknown_name_of_ours_is_a_warning_with_the_nearest(tmp_path: Path) -> None:
    found = read(tmp_path, "CLAUDE_TIMEOUT_SECS=10\n", EVT_QQQQQQQQ="1", CLAUDE_CODE_USE_BEDROCK="1")
    assert found.warnings == (
        "CLAUDE_TIMEOUT_SECS is set, but this version has no such setting. Did you mean CLAUDE_TIMEOUT_SEC?",
        "EVT_QQQQQQQQ is set, but this version has no such setting.",
    )


def test_a_file_that_is_no_text_is_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"\xff\xfe\x00A")
    with pytest.raises(BadSetting, match="is no UTF-8"):
        read_settings(tmp_path, {})


def test_no_setting_stands_twice_in_the_table() -> None:
    assert len({setting.name for setting in SETTINGS}) == len(SETTINGS)


def test_values_whose_names_say_that_they_are_secrets_are_known_as_such(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        "MY_API_KEY=abcdefgh\n",
        DEPLOY_TOKEN="12345678",
        SHORT_TOKEN="1234567",
        EDITOR="vi-with-care",
    )
    assert found.secrets == ("12345678", "abcdefgh")


def test_a_setting_of_a_later_version_is_said_to_do_nothing(tmp_path: Path) -> None:
    assert (
        "GUARDED_WRITE is set, but this version has no such setting."
        in read(tmp_path, "GUARDED_WRITE=true").warnings[0]
    )
