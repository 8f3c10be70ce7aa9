"""Read the settings: the environment over the home's `.env` over the defaults."""

import difflib
import io
import os
import re
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dotenv import dotenv_values
from dotenv.parser import parse_stream

from adapters.config.dotenv_file import written
from adapters.config.table import BY_NAME, CLAUDES_OWN, PREFIXES, SETTINGS, BadSetting

SECRET_NAME = re.compile(
    r"TOKEN|SECRET|PASSW|PASSPHRASE|(?:^|_|PG)PASS$|_PWD$|_AUTH$|CREDENTIAL"
    r"|(?:API|PRIVATE|ACCESS|SIGNING|ENCRYPTION|AUTH|ACCOUNT)_?KEY",
    re.IGNORECASE,
)
SHORTEST_SECRET = 8
OLLAMA_PORT = 11434
SCHEME_PORTS = {"http": 80, "https": 443}

WELL_KNOWN = frozenset({"CLAUDECODE"})
"""Names that other programs own; no word about them."""


@dataclass(frozen=True)
class Settings:
    """What was set, as values. Paths are absolute; empty ones have become the home.

    `secrets` are values of the environment and of `.env` whose names say so.
    """

    claude_executable: str
    base_cwd: Path
    allowed_root: Path
    timeout_s: int
    max_turns: int
    max_budget_usd: float | None
    daily_budget_usd: float | None
    inactivity_s: int
    skip_permissions: bool
    env_allow: tuple[str, ...]
    agents_enabled: bool | tuple[str, ...]
    ollama_host: str
    model: str | None
    model_timeout_s: int
    model_silence_s: int
    model_num_ctx: int
    workers: int
    similarity_threshold: float | None
    entropy_threshold: float | None
    validation_retries: int
    validation_backoff: float
    disk_reserve_bytes: int
    allow_hard_links: bool
    signing_key: str | None
    secrets: tuple[str, ...]
    warnings: tuple[str, ...]


def read_settings(home: Path, environ: Mapping[str, str]) -> Settings:
    """Raises BadSetting with one sentence for each value that cannot be used."""
    written = _dotenv(home / ".env")
    texts: dict[str, tuple[str, str]] = {}
    for setting in SETTINGS:
        for origin, source in (("the environment", environ), (str(home / ".env"), written)):
            if source.get(setting.name) is not None:
                texts[setting.name] = (str(source[setting.name]).strip(), origin)
                break
        else:
            texts[setting.name] = (setting.default, "the default")
    values, wrong = {}, []
    for name, found in texts.items():
        try:
            values[name] = _value(name, *found)
        except BadSetting as bad:
            wrong.append(str(bad))
    if wrong:
        # All of them: who mends one and starts again would meet the next only then.
        raise BadSetting(" ".join(wrong))
    base = values["CLAUDE_BASE_CWD"] or home
    _real("CLAUDE_BASE_CWD", base)
    root = values["CLAUDE_ALLOWED_ROOT"] or base
    _check_root(root, allowed=bool(values["I_UNDERSTAND"]))
    return Settings(
        claude_executable=values["CLAUDE_EXECUTABLE"],
        base_cwd=base,
        allowed_root=root,
        timeout_s=values["CLAUDE_TIMEOUT_SEC"],
        max_turns=values["CLAUDE_MAX_TURNS"],
        max_budget_usd=values["CLAUDE_MAX_BUDGET_USD"],
        daily_budget_usd=values["CLAUDE_DAILY_BUDGET_USD"],
        inactivity_s=values["CLAUDE_INACTIVITY_SEC"],
        skip_permissions=values["CLAUDE_SKIP_PERMISSIONS"],
        env_allow=values["CLAUDE_ENV_ALLOW"],
        agents_enabled=values["AGENTS_ENABLED"],
        ollama_host=_ollama(values),
        model=values["LLAMA_MODEL"],
        model_timeout_s=values["LLAMA_TIMEOUT_SEC"],
        model_silence_s=values["LLAMA_SILENCE_SEC"],
        model_num_ctx=values["LLAMA_NUM_CTX"],
        workers=values["MAX_CONCURRENT_TASKS"],
        similarity_threshold=values["VALIDATION_SIMILARITY_THRESHOLD"],
        entropy_threshold=values["VALIDATION_ENTROPY_THRESHOLD"],
        validation_retries=values["VALIDATION_MAX_RETRIES"],
        validation_backoff=values["VALIDATION_BACKOFF_MULTIPLIER"],
        disk_reserve_bytes=values["DISK_RESERVE_MB"] * 2**20,
        allow_hard_links=values["EVT_ALLOW_HARDLINKS"],
        signing_key=_signing_key(written, environ),
        secrets=tuple(_secrets([*written.items(), *environ.items()])),
        warnings=(
            *_unknown({**written, **environ}, frozenset(written)),
            *_without_effect(written),
            *_absent(values),
            *_apart(base, root),
        ),
    )


def _ollama(values: Mapping[str, Any]) -> str:
    """An URL with its port. OLLAMA_HOST wins, read as Ollama reads it: an URL has its scheme's port."""
    said = str(values["OLLAMA_HOST"])
    scheme, _, place = (said or str(values["LLAMA_HOST"])).rpartition("://")
    if re.search(r":[0-9]+\Z", place) is None:
        usual = SCHEME_PORTS.get(scheme, OLLAMA_PORT) if said else values["LLAMA_PORT"]
        place = f"{place or '127.0.0.1'}:{usual}"
    return f"{scheme or 'http'}://{place}"


def _dotenv(path: Path) -> dict[str, str | None]:
    try:
        text = io.StringIO(written(path).decode("utf-8-sig"), newline=None).read()
    except FileNotFoundError:
        return {}
    except UnicodeDecodeError as trouble:
        raise BadSetting(f"{path} is no UTF-8 ({trouble}). Write it again as UTF-8 text.") from trouble
    except PermissionError as trouble:
        raise BadSetting(f"{path} cannot be read: {trouble.strerror}. Let your user read it.") from trouble
    except OSError as trouble:
        raise BadSetting(f"{path} cannot be read: {trouble.strerror}. Make it a text file.") from trouble
    for binding in parse_stream(io.StringIO(text)):
        if binding.error or (binding.key in BY_NAME and binding.value is None):
            raise BadSetting(
                f"{path}, line {binding.original.line}, is no NAME=VALUE: a quote is open, or `=` is missing."
            )
    return dotenv_values(stream=io.StringIO(text), interpolate=False)


def _value(name: str, text: str, origin: str) -> Any:
    if "\0" in text:
        raise BadSetting(f"{name} holds a NUL character in {origin}. Write it again as text.")
    try:
        return BY_NAME[name].read(text)
    except ValueError as wrong:
        raise BadSetting(f"{name} is {text!r} in {origin}; it must be {wrong}.") from None


def _signing_key(written: Mapping[str, str | None], environ: Mapping[str, str]) -> str | None:
    """From the environment alone: a private key in the home would go wherever the home goes."""
    if written.get("EVT_SIGNING_KEY"):
        raise BadSetting(
            "EVT_SIGNING_KEY stands in the home's .env, and the private key never lies in the home. "
            "Take it out, and set it in the environment."
        )
    return environ.get("EVT_SIGNING_KEY", "").strip() or None


def _check_root(root: Path, *, allowed: bool) -> None:
    real = _real("CLAUDE_ALLOWED_ROOT", root)
    try:
        home = Path.home().resolve()
    except (OSError, RuntimeError):
        home = Path(real.anchor)  # nobody's: no folder of a person can be meant
    wide = real == home or real in home.parents
    if wide and not allowed:
        raise BadSetting(
            f"CLAUDE_ALLOWED_ROOT is {root}, which holds your own folder {home}: an agent could work almost "
            "anywhere. "
            "Name a smaller folder, or set I_UNDERSTAND=1."
        )


def _real(name: str, folder: Path) -> Path:
    """The folder behind all links. Python says RuntimeError of links that lead in a circle."""
    try:
        return folder.resolve()
    except (OSError, RuntimeError) as trouble:
        why = (isinstance(trouble, OSError) and trouble.strerror) or "its links lead in a circle"
        raise BadSetting(f"{name} is {folder}, which cannot be followed: {why}. Name a folder.") from None


def _secrets(given: Iterable[tuple[str, str | None]]) -> list[str]:
    """Values whose names say that they are secrets: no event may hold one, whatever its form.

    One of `.env` is a secret also where the environment has another value of that name.
    """
    found = {
        secret
        for name, value in given
        # A newline at its end, as a file leaves it, is no part of a secret.
        if (secret := (value or "").strip()) and len(secret) >= SHORTEST_SECRET and SECRET_NAME.search(name)
    }
    return sorted(found)


def _apart(base: Path, root: Path) -> list[str]:
    if _real("CLAUDE_BASE_CWD", base).is_relative_to(_real("CLAUDE_ALLOWED_ROOT", root)):
        return []
    said = f"CLAUDE_BASE_CWD is {base}, outside CLAUDE_ALLOWED_ROOT ({root})"
    return [f"{said}: a task that names no `cwd` will be refused. Set both."]


def _absent(values: Mapping[str, Any]) -> list[str]:
    """No mistake while nothing is to be done: a disk may not be there yet."""
    return [
        f"{name} is {values[name]}, and no folder is seen there: {what} will be refused. "
        "Make it, or name another one."
        for name, what in (
            ("CLAUDE_ALLOWED_ROOT", "every task"),
            ("CLAUDE_BASE_CWD", "a task that names no `cwd`"),
        )
        if values[name] is not None and not os.path.isdir(values[name])  # noqa: PTH112  it raises nothing
    ]


def _without_effect(written: Mapping[str, str | None]) -> list[str]:
    if "EVT_HOME" not in written:
        return []
    return ["EVT_HOME stands in the home's .env, which is read once the home is known: it has no effect."]


def _unknown(given: Mapping[str, str | None], written: Set[str]) -> list[str]:
    """Of names that are `written` in the home's file also those that only look like one of ours.

    The environment has many names that are none of our business.
    """
    said: list[str] = []
    for name in sorted(given):
        if name in BY_NAME or name in WELL_KNOWN or name.startswith(CLAUDES_OWN):
            continue
        ours = name.startswith(PREFIXES)
        if not ours and name not in written:
            continue
        near = difflib.get_close_matches(name, BY_NAME, n=1, cutoff=0.75 if ours else 0.85)
        if not ours and not near:
            continue
        hint = f" Did you mean {near[0]}?" if near else ""
        said.append(f"{name} is set, but this version has no such setting.{hint}")
    return said
