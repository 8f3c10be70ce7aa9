"""Every setting: its name, its default, what it means and how its text is read."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_SERVER = re.compile(r"(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]|(?=:))(?::(?P<port>[0-9]{1,5}))?")


class BadSetting(Exception):
    """A setting that cannot be used; the text says which, why and what to write instead."""


@dataclass(frozen=True)
class Setting:
    """`read` turns the text into the value, or raises ValueError with what is allowed."""

    name: str
    default: str
    meaning: str
    read: Callable[[str], Any]


def _whole(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        # Digits of other scripts pass int(); a setting is ASCII or it is a mistake.
        if not (text.isascii() and text.isdigit() and len(text) <= 12 and least <= int(text) <= most):
            raise ValueError(f"a whole number from {least} to {most}")
        return int(text)

    return read


def _amount(text: str) -> float | None:
    if not text:
        return None
    try:
        value = float(text) if text.isascii() else math.nan
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and 0 < value <= 1_000_000):
        raise ValueError("an amount in dollars above 0, such as 2.50, or nothing")
    return value


def _share(text: str) -> float | None:
    if not text:
        return None
    return _number(text, 0, 1, "a number from 0 to 1, such as 0.7, or nothing")


def _factor(text: str) -> float:
    return _number(text, 1, 10, "a number from 1 to 10")


def _number(text: str, least: float, most: float, allowed: str) -> float:
    try:
        value = float(text) if text.isascii() else math.nan
    except ValueError:
        value = math.nan
    if not least <= value <= most:  # NaN compares false with everything
        raise ValueError(allowed)
    return value


def _yes(text: str) -> bool:
    word = text.lower()
    if word in ("1", "true", "yes", "on"):
        return True
    if word in ("", "0", "false", "no", "off"):
        return False
    raise ValueError("true or false")


def _folder(text: str) -> Path | None:
    if not text:
        return None
    path = Path(text)
    if not path.is_absolute():
        raise ValueError("an absolute path")
    return path


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _agents(text: str) -> bool | tuple[str, ...]:
    try:
        return text == "" or _yes(text)
    except ValueError:
        if not _names(text):
            raise ValueError("true, false, or names of agents with commas between them") from None
        return _names(text)


def _server(text: str) -> str:
    """As it is written, or nothing; an address to listen on, as servers have it, means this machine."""
    if not text:
        return ""
    scheme, parted, rest = text.rpartition("://")
    found = _SERVER.fullmatch(rest.rstrip("/"))
    if (
        (parted and scheme not in ("http", "https"))
        or found is None
        or int(found["port"] or 1) not in range(1, 65_536)
    ):
        raise ValueError("a host, host:port, or an URL such as http://127.0.0.1:11434")
    every = found["host"] in ("", "0.0.0.0", "[::]")  # noqa: S104  # nothing is bound: it is called
    port = f":{found['port']}" if found["port"] else ""
    return f"{scheme}://" * bool(scheme) + ("127.0.0.1" if every else found["host"]) + port


def _model(text: str) -> str | None:
    if len(text) > 200 or not re.fullmatch(r"[\w./:@-]*", text, re.ASCII):
        raise ValueError("a model's name such as llama3.2:latest, or nothing")
    return text or None


def _any(text: str) -> str:
    return text


def _nothing(text: str) -> str:
    if text:
        raise ValueError("nothing: this version keeps the log in SQLite, in the home")
    return text


def _text(text: str) -> str:
    if not text:
        raise ValueError("a program's name or path")
    return text


SETTINGS: tuple[Setting, ...] = (
    Setting("EVT_HOME", "", "The home, where `--home` does not name one.", _folder),
    Setting("EVT_LOG_URL", "", "Where the log lives; empty: SQLite in the home.", _nothing),
    Setting(
        "EVT_ALLOW_HARDLINKS",
        "false",
        "Take in a task file that has a second name elsewhere (a hard link).",
        _yes,
    ),
    Setting(
        "EVT_SIGNING_KEY",
        "",
        "The private key that signs tree heads (environment only); empty: the one that `evt init` made.",
        _any,
    ),
    Setting("CLAUDE_EXECUTABLE", "claude", "The agent's program: a name on PATH, or a path.", _text),
    Setting(
        "CLAUDE_BASE_CWD",
        "",
        "Where a task works that names no `cwd`; empty: the home.",
        _folder,
    ),
    Setting(
        "CLAUDE_ALLOWED_ROOT",
        "",
        "No task works outside this folder; empty: the same as CLAUDE_BASE_CWD.",
        _folder,
    ),
    Setting("CLAUDE_TIMEOUT_SEC", "300", "Seconds that an attempt may take.", _whole(1, 86_400)),
    Setting(
        "CLAUDE_INACTIVITY_SEC",
        "600",
        "Seconds that the agent may say nothing before it is stopped and resumed; 0: as long as it likes.",
        _whole(0, 86_400),
    ),
    Setting("CLAUDE_MAX_TURNS", "0", "Turns that the agent may take; 0: no limit.", _whole(0, 10_000)),
    Setting("CLAUDE_MAX_BUDGET_USD", "", "Dollars that one task may cost; empty: no limit.", _amount),
    Setting(
        "CLAUDE_DAILY_BUDGET_USD",
        "",
        "Dollars that all tasks of a day (UTC) may cost: then nothing is begun; empty: no limit.",
        _amount,
    ),
    Setting(
        "CLAUDE_SKIP_PERMISSIONS",
        "false",
        "Let the agent do everything without a rule. Only inside a machine that may be lost.",
        _yes,
    ),
    Setting(
        "CLAUDE_ENV_ALLOW",
        "",
        "More names of variables that the agent may see, separated by commas.",
        _names,
    ),
    Setting(
        "AGENTS_ENABLED",
        "true",
        "Agents that a task may have: true for all, false for the built-in ones alone, or names with commas.",
        _agents,
    ),
    Setting(
        "OLLAMA_HOST",
        "",
        "Where Ollama listens: host, host:port or URL; empty: LLAMA_HOST and LLAMA_PORT.",
        _server,
    ),
    Setting("LLAMA_HOST", "127.0.0.1", "The host of Ollama, where OLLAMA_HOST does not say.", _server),
    Setting("LLAMA_PORT", "11434", "Its port, where OLLAMA_HOST does not say.", _whole(1, 65_535)),
    Setting(
        "LLAMA_MODEL", "llama3.2:latest", "The local model that mediates; empty: the rules alone.", _model
    ),
    Setting("LLAMA_TIMEOUT_SEC", "60", "Seconds that one of its answers may take.", _whole(1, 3_600)),
    Setting(
        "LLAMA_SILENCE_SEC",
        "4",
        "Seconds that it may say nothing before the rules stand in for it; raise it for a slow machine.",
        _whole(1, 600),
    ),
    Setting("LLAMA_NUM_CTX", "8192", "Its window in tokens.", _whole(1_024, 131_072)),
    Setting("MAX_CONCURRENT_TASKS", "3", "How many tasks run at the same time.", _whole(1, 64)),
    Setting(
        "VALIDATION_SIMILARITY_THRESHOLD",
        "",
        "How near the mediator's prompt must be to the task, 0 to 1, or it is said; empty: the agent's own.",
        _share,
    ),
    Setting(
        "VALIDATION_ENTROPY_THRESHOLD",
        "",
        "How much an answer's characters must vary, 0 to 1, or it is said; empty: the agent's own.",
        _share,
    ),
    Setting(
        "VALIDATION_MAX_RETRIES",
        "1",
        "How often the agent is told what was wrong with its answer (empty, cut off, a failed check).",
        _whole(0, 10),
    ),
    Setting(
        "VALIDATION_BACKOFF_MULTIPLIER",
        "2",
        "Each wait before such a retry is so many times the one before; the first takes about 1 s.",
        _factor,
    ),
    Setting(
        "DISK_RESERVE_MB",
        "64",
        "Megabytes (2^20 bytes) of the home's disk that stay free: with less nothing is begun; 0: no matter.",
        _whole(0, 1_000_000),
    ),
    Setting(
        "I_UNDERSTAND",
        "false",
        "Allow your own whole folder, or one that holds it such as `/`, as CLAUDE_ALLOWED_ROOT.",
        _yes,
    ),
)
BY_NAME = {setting.name: setting for setting in SETTINGS}

PREFIXES = (
    *("EVT_", "CLAUDE_", "LLAMA_", "TELEGRAM_", "VALIDATION_", "MAX_CONC", "MAX_QUEUE"),
    *("DISK_RESERVE", "GUARDED_WRITE"),
    *("AGENTS_ENABLED", "METRICS_INTERVAL", "GIT_AUTO_COMMIT", "APPROVAL_TTL"),
)
"""A variable that begins so is meant for us, or is a mistake worth a word."""

CLAUDES_OWN = ("CLAUDE_CODE_", "CLAUDE_CONFIG_DIR", "CLAUDE_STREAM_")
"""These belong to Claude Code itself."""
