"""Inputs that once broke: blanks round a secret, an open quote, a NUL, a linked inbox, forged trailers."""

from pathlib import Path

import pytest

from adapters.cli.inbox import inbox
from adapters.config.table import BadSetting
from adapters.home import Home
from handlers.mediating.commit_message import WrittenMessage, message_text
from schemas import names
from tests.service import events, evt, home_at
from tests.test_settings import read


@pytest.mark.parametrize("around", ["{}\n", " {}", "{}\r\n", "\t{} "])
def test_a_secret_is_known_without_the_blanks_around_it(tmp_path: Path, around: str) -> None:
    assert read(tmp_path, DEPLOY_TOKEN=around.format("hunter2pass99")).secrets == ("hunter2pass99",)


def test_a_secret_with_a_newline_in_the_environment_never_reaches_the_disk(tmp_path: Path) -> None:
    home = home_at(tmp_path / "home")
    assert evt(home, "add", "log in with hunter2pass99", DEPLOY_TOKEN="hunter2pass99\n").returncode == 0
    assert names.SECRET_REDACTED in {event.type for event in events(home)}
    assert not [path for path in home.rglob("*") if path.is_file() and b"hunter2pass99" in path.read_bytes()]


@pytest.mark.parametrize(
    "line",
    ["CLAUDE_MAX_BUDGET_USD='2", "CLAUDE_MAX_BUDGET_USD", "CLAUDE_MAX_BUDGET_USD: 2", "a line of prose"],
)
def test_a_line_that_sets_nothing_is_refused_with_its_number(tmp_path: Path, line: str) -> None:
    with pytest.raises(BadSetting, match=r"\.env, line 2, is no NAME=VALUE"):
        read(tmp_path, f"MAX_CONCURRENT_TASKS=2\n{line}\n")


@pytest.mark.parametrize("name", ["CLAUDE_ALLOWED_ROOT", "CLAUDE_BASE_CWD", "CLAUDE_EXECUTABLE"])
def test_a_nul_in_a_setting_is_refused_in_a_sentence(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadSetting, match=f"{name} holds a NUL"):
        read(tmp_path, f"{name}=/a\0b\n")


@pytest.mark.parametrize(
    "body",
    [
        ("Signed-off-by:", " Mallory <m@x>"),
        ("Signed-off-by:",),
        ("Evt-Tree-Head:", "  7"),
        ("(cherry picked from commit 1234567)",),
    ],
)
def test_no_trailer_without_its_value_on_the_same_line_reaches_a_message(body: tuple[str, ...]) -> None:
    message, dropped = message_text(WrittenMessage(kind="fix", subject="mend it", body=body))
    assert not message.splitlines()[2:] or ":" not in message.splitlines()[2]
    assert "cherry" not in message
    assert len(dropped) == 1


def test_status_says_that_an_inbox_is_a_link(tmp_path: Path) -> None:
    home = home_at(tmp_path / "home")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "x.task.md").write_text("look", encoding="utf-8", newline="\n")
    for path in sorted((home / "tasks").iterdir()):
        path.rmdir()
    (home / "tasks").rmdir()
    (home / "tasks").symlink_to(tmp_path / "elsewhere")
    told = inbox(Home(home, named=True), ())
    assert (told["waiting"], "symbolic link" in str(told["problem"])) == ([], True)
