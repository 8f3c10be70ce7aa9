"""Every setting: its name, its default, what it means and how its text is read."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


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
    Setting("MAX_CONCURRENT_TASKS", "3", "How many tasks run at the same time.", _whole(1, 64)),
    Setting(
        "DISK_RESERVE_MB",
        "64",
        "Megabytes (2^20 bytes) of the home's disk that stay free: with less nothing is begun; 0: no matter.",
        _whole(0, 1_000_000),
    ),
    Setting(
        "I_UNDERSTAND",
        "false",
        "Allow `/` or a person's whole folder as CLAUDE_ALLOWED_ROOT.",
        _yes,
    ),
)
BY_NAME = {setting.name: setting for setting in SETTINGS}

PREFIXES = (
    *("EVT_", "CLAUDE_", "LLAMA_", "OLLAMA_", "TELEGRAM_", "VALIDATION_", "MAX_CONCURRENT", "MAX_QUEUE"),
    *("DISK_RESERVE", "GUARDED_WRITE"),
    *("AGENTS_ENABLED", "METRICS_INTERVAL", "GIT_AUTO_COMMIT", "APPROVAL_TTL"),
)
"""A variable that begins so is meant for us, or is a mistake worth a word."""

CLAUDES_OWN = ("CLAUDE_CODE_", "CLAUDE_CONFIG_DIR", "CLAUDE_STREAM_")
"""These belong to Claude Code itself."""
