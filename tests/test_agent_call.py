"""What the agent may see, and the words it is called with."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.agent_call import agent_environment, arguments, deny_rule
from handlers.ports.agent import AgentOrder
from schemas.tools import MODES

SESSION = "0618f5b2-67e0-407e-9ce3-def65c14b3fd"


def order(**changed: object) -> AgentOrder:
    fields: dict[str, object] = {
        "session_id": SESSION,
        "cwd": "/srv/project",
        "prompt": "Task:\n--version",
        "tools": ("Read", "Edit"),
        "allowed": (),
        "instructions": None,
        "denied": (),
        "max_turns": 0,
        "max_budget_usd": None,
        "timeout_s": 60.0,
    }
    return AgentOrder(**{**fields, **changed})  # type: ignore[arg-type]


def test_the_agent_sees_what_the_list_names_and_nothing_else() -> None:
    names = "PATH HOME USER LANG LC_ALL TERM TMPDIR HTTPS_PROXY no_proxy SSL_CERT_FILE SSL_CERT_DIR"
    more = "ANTHROPIC_API_KEY CLAUDE_CODE_MAX_RETRIES CLAUDE_CONFIG_DIR DISABLE_TELEMETRY"
    seen = {name: f"the {name}" for name in f"{names} {more}".split()}
    unseen = {"AWS_SECRET_ACCESS_KEY": "s", "CLAUDE_TIMEOUT_SEC": "1", "GITHUB_TOKEN": "g", "SYSTEMROOT": "w"}
    assert agent_environment({**seen, **unseen}, windows=False) == seen


def test_a_name_that_was_allowed_is_seen_too() -> None:
    environ = {"PATH": "p", "JAVA_HOME": "j", "JAVA_OPTS": "o"}
    assert agent_environment(environ, ["JAVA_HOME"], windows=False) == {"PATH": "p", "JAVA_HOME": "j"}


@pytest.mark.parametrize("windows", [False, True])
def test_our_own_names_are_never_seen_even_when_they_are_allowed(windows: bool) -> None:
    ours = ["TELEGRAM_BOT_TOKEN", "EVT_SIGNING_KEY", "evt_home", "CLAUDECODE", "CLAUDE_CODE_SESSION_ID"]
    assert agent_environment(dict.fromkeys(ours, "x"), ours, windows=windows) == {}


@given(st.dictionaries(st.sampled_from(["EVT_A", "Telegram_b", "ClaudeCode", "Path", "x"]), st.text()))
def test_windows_knows_names_in_any_case(environ: dict[str, str]) -> None:
    expected = {name: value for name, value in environ.items() if name in ("Path", "x")}
    assert agent_environment(environ, list(map(str.swapcase, environ)), windows=True) == expected


def test_windows_programs_get_the_names_without_which_they_do_not_start() -> None:
    environ = {"SystemRoot": "C:\\Windows", "ProgramFiles(x86)": "p", "TEMP": "t", "PATHEXT": ".EXE"}
    assert agent_environment(environ, windows=True) == environ
    assert agent_environment(environ, windows=False) == {}


def test_the_whole_command_line_of_a_reading_turn() -> None:
    assert arguments(order(), None, skip_permissions=False) == [
        "-p",
        *("--output-format", "stream-json"),
        "--verbose",
        f"--session-id={SESSION}",
        *("--setting-sources", ""),
        "--strict-mcp-config",
        *("--settings", '{"permissions":{"deny":[]}}'),
        *("--tools", "Read,Edit"),
        *("--permission-mode", "acceptEdits"),
    ]


def test_a_session_that_goes_on_gets_every_flag_again() -> None:
    given = order(allowed=("Bash",), max_turns=7, max_budget_usd=0.5, denied=("WebFetch",))
    begun = arguments(given, "/tmp/i.md", skip_permissions=False)
    going_on = arguments(replace(given, resume=True), "/tmp/i.md", skip_permissions=False)
    assert going_on == [word.replace("--session-id=", "--resume=") for word in begun]
    assert f"--resume={SESSION}" in going_on


def test_grants_limits_denials_and_instructions_are_said() -> None:
    denied = ("Read(/home/x/.env)", "WebFetch")
    full = order(allowed=("Bash",), max_turns=7, max_budget_usd=0.5, denied=denied)
    words = arguments(full, "/tmp/i.md", skip_permissions=False)
    assert words[words.index("--settings") + 1] == (
        '{"permissions":{"deny":["Read(//home/x/.env)","WebFetch"]}}'
    )
    assert words[words.index("--permission-mode") :] == [
        *("--permission-mode", "acceptEdits"),
        *("--allowedTools", "Bash"),
        *("--max-turns", "7"),
        *("--max-budget-usd", "0.5"),
        *("--append-system-prompt-file", "/tmp/i.md"),
    ]


@pytest.mark.parametrize("mode", MODES)
def test_the_permission_mode_is_the_order_s(mode: str) -> None:
    words = arguments(order(permission_mode=mode), None, skip_permissions=False)
    assert words[words.index("--permission-mode") + 1] == mode
    assert len(words) == len(arguments(order(), None, skip_permissions=False))


@pytest.mark.parametrize("mode", ["bypassPermissions", "", "default --allowedTools Bash", "auto"])
def test_no_order_has_a_mode_that_no_agent_may_have(mode: str) -> None:
    with pytest.raises(ValueError, match="permission mode"):
        arguments(order(permission_mode=mode), None, skip_permissions=False)


def test_skipping_permissions_takes_the_place_of_the_mode() -> None:
    words = arguments(order(), None, skip_permissions=True)
    assert words[-1] == "--dangerously-skip-permissions"
    assert "--permission-mode" not in words


@given(st.text(min_size=1))
def test_the_prompt_never_stands_on_the_command_line(prompt: str) -> None:
    assert arguments(order(prompt=prompt), None, skip_permissions=False) == arguments(
        order(), None, skip_permissions=False
    )


@pytest.mark.parametrize(
    ("rule", "read_as"),
    [
        ("Edit(/srv/home/tasks/**)", "Edit(//srv/home/tasks/**)"),
        ("Edit(//srv/home/tasks/**)", "Edit(//srv/home/tasks/**)"),
        (r"Read(C:\Users\me\home\.env)", "Read(//c/Users/me/home/.env)"),
        ("Edit(D:/home/logs/**)", "Edit(//d/home/logs/**)"),
        ("Edit(relative.txt)", "Edit(relative.txt)"),
        ("Bash(rm /etc/*)", "Bash(rm /etc/*)"),
        ("WebFetch", "WebFetch"),
    ],
)
def test_a_rule_about_an_absolute_path_begins_with_two_slashes(rule: str, read_as: str) -> None:
    assert deny_rule(rule) == read_as


def test_a_rule_that_the_agent_would_pass_over_is_refused() -> None:
    with pytest.raises(ValueError, match=r"Write\(/etc/passwd\): a path is denied by Edit"):
        deny_rule("Write(/etc/passwd)")
