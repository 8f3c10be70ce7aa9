"""Where the log lies: a home whose settings say that it lies elsewhere is read by nobody here."""

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

NAME: Final = "EVT_LOG_URL"


def refuse_another_log(root: Path, environ: Mapping[str, str]) -> None:
    """Raises Failure, see log_url: its imports take longer than the rest of a verb, and are seldom needed."""
    written = _written(root)
    if NAME in environ or NAME.encode() in written:
        judge: Any = importlib.import_module("adapters.cli.log_url")
        judge.refuse_what_is_set(root, environ.get(NAME), written)


def _written(root: Path) -> bytes:
    """The home's `.env`; nothing where there is none, or it cannot be read."""
    try:
        return (root / ".env").read_bytes()
    except OSError:
        return b""
