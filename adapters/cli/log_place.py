"""Where the log lies: a home whose settings say that it lies elsewhere is read by nobody here."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from dotenv import dotenv_values

from adapters.cli.failure import USAGE, Failure
from adapters.config.table import BY_NAME

NAME: Final = "EVT_LOG_URL"


def refuse_another_log(root: Path, environ: Mapping[str, str]) -> None:
    """Raises Failure: the log in the home would be another one than the one that is meant.

    The address is not said again: a password may stand in it.
    """
    for origin, given in (("the environment", environ.get(NAME)), (str(root / ".env"), _written(root))):
        if given is None:
            continue
        try:
            BY_NAME[NAME].read(given.strip())
        except ValueError as wrong:
            sentence = f"{NAME} is set in {origin}; it must be {wrong}."
            raise Failure(USAGE, "bad_setting", sentence, f"Take {NAME} out of {origin}.") from None
        return


def _written(root: Path) -> str | None:
    """What the home's `.env` says; None where it says nothing, or cannot be read."""
    try:
        content = (root / ".env").read_bytes()
    except OSError:
        return None
    if NAME.encode() not in content:
        return None
    text = content.decode("utf-8-sig", "replace")
    return dotenv_values(stream=io.StringIO(text), interpolate=False).get(NAME)
