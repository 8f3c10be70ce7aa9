"""What the agent is called with: the environment it may see, and its arguments."""

import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import PureWindowsPath

import orjson

from handlers.ports.agent import AgentOrder
from schemas.tools import MODES

# The agent gives this variable, with its session's id, to every shell that it starts,
# and we give it to the agent: so even a process that left its parents shows whose it is.
SESSION_VARIABLE = "CLAUDE_CODE_SESSION_ID"

_NAMES = frozenset(
    {
        *("PATH", "HOME", "USER", "LANG", "TERM", "TMPDIR", "CLAUDE_CONFIG_DIR"),
        *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"),
        *("http_proxy", "https_proxy", "all_proxy", "no_proxy"),
    }
)
_PREFIXES = ("LC_", "SSL_CERT_", "ANTHROPIC_", "CLAUDE_CODE_", "DISABLE_")
_WINDOWS_NAMES = frozenset(
    {
        *("SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC", "PATHEXT", "OS", "COMPUTERNAME"),
        *("USERNAME", "USERPROFILE", "HOMEDRIVE", "HOMEPATH", "PUBLIC", "ALLUSERSPROFILE"),
        *("APPDATA", "LOCALAPPDATA", "PROGRAMDATA", "TEMP", "TMP"),
        *("PROCESSOR_ARCHITECTURE", "NUMBER_OF_PROCESSORS"),
    }
)
_WINDOWS_PREFIXES = ("PROGRAMFILES", "COMMONPROGRAMFILES")
# The last two would tell the agent that it runs inside another one's session.
_NEVER = frozenset({"CLAUDECODE", "CLAUDE_CODE_CHILD_SESSION", SESSION_VARIABLE})
_NEVER_PREFIXES = ("TELEGRAM_", "EVT_")

UNLESS_SAID: Mapping[str, str] = {
    # The agent's own default of 10 keeps a worker for three minutes at a service that is down.
    "CLAUDE_CODE_MAX_RETRIES": "2",
    # It looks at a repository by `git status`, which runs what the repository's own git
    # configuration names as file monitor and filters (seen with 2.1.197).
    "CLAUDE_CODE_DISABLE_GIT_INSTRUCTIONS": "1",
}
"""What the agent is told where the environment says nothing about it."""

_RULE = re.compile(r"(\w+)\((.*)\)", re.DOTALL)


def agent_environment(
    environ: Mapping[str, str], extra: Iterable[str] = (), windows: bool = sys.platform == "win32"
) -> dict[str, str]:
    """What the agent may see of an environment: an allow-list, and what `extra` names.

    Our own settings and secrets stay out even when `extra` names them.
    """

    def folded(name: str) -> str:
        return name.upper() if windows else name

    names = {folded(name) for name in (*_NAMES, *extra)} | (_WINDOWS_NAMES if windows else frozenset())
    prefixes = (*_PREFIXES, *_WINDOWS_PREFIXES) if windows else _PREFIXES
    return {
        name: value
        for name, value in environ.items()
        if (folded(name) in names or folded(name).startswith(prefixes))
        and name.upper() not in _NEVER
        and not name.upper().startswith(_NEVER_PREFIXES)
    }


def turn_environment(
    environ: Mapping[str, str], extra: Iterable[str], session_id: str, windows: bool = sys.platform == "win32"
) -> dict[str, str]:
    """What the agent of one turn sees: its part of an environment, our defaults, its session's id."""
    env = agent_environment(environ, extra, windows)
    said = {name.upper() for name in env} if windows else env.keys()
    defaults = {name: value for name, value in UNLESS_SAID.items() if name not in said}
    return {**env, **defaults, SESSION_VARIABLE: session_id}


def deny_rule(rule: str) -> str:
    """A deny rule as the CLI reads it: an absolute path begins with two slashes.

    Raises ValueError for a rule that the CLI would pass over in silence.
    """
    if not (match := _RULE.fullmatch(rule)):
        return rule
    tool, path = match[1], match[2]
    if tool in ("Write", "NotebookEdit", "MultiEdit"):
        raise ValueError(f"{rule}: a path is denied by Edit(…) or Read(…); the agent ignores {tool}(…)")
    if tool not in ("Edit", "Read"):
        return rule
    if PureWindowsPath(path).drive[1:] == ":":
        path = "/" + path[0].lower() + path[2:].replace("\\", "/")
    if path.startswith("/") and not path.startswith("//"):
        path = "/" + path
    return f"{tool}({path})"


def _mode(mode: str) -> str:
    if mode not in MODES:
        raise ValueError(f"{mode} is no permission mode that an agent may have")
    return mode


def arguments(order: AgentOrder, instructions: str | None, skip_permissions: bool) -> list[str]:
    """The CLI's arguments. The prompt is not among them: it goes by stdin.

    A session that goes on gets all of them again: the CLI restores none. Raises ValueError for a
    permission mode that no agent may have.
    """
    settings = {"permissions": {"deny": [deny_rule(rule) for rule in order.denied]}}
    session = "--resume" if order.resume else "--session-id"
    words = ["-p", "--output-format", "stream-json", "--verbose", f"{session}={order.session_id}"]
    # Nothing that a repository or a user has configured is read or run: only what is said here.
    words += ["--setting-sources", "", "--strict-mcp-config", "--settings", orjson.dumps(settings).decode()]
    words += ["--tools", ",".join(order.tools)]
    if skip_permissions:
        words.append("--dangerously-skip-permissions")
    else:
        words += ["--permission-mode", _mode(order.permission_mode)]
    if order.allowed:
        words += ["--allowedTools", ",".join(order.allowed)]
    if order.max_turns > 0:
        words += ["--max-turns", str(order.max_turns)]
    if order.max_budget_usd is not None:
        words += ["--max-budget-usd", f"{order.max_budget_usd:.6f}".rstrip("0").rstrip(".")]
    if instructions is not None:
        words += ["--append-system-prompt-file", instructions]
    return words
