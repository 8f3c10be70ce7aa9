"""Where the log lies: a home whose settings say that it lies elsewhere is read by nobody here."""

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from adapters.cli.failure import USAGE, Failure
from adapters.config.dotenv_file import TooLarge, written
from eventstore.regular_file import NotRegular

NAME: Final = "EVT_LOG_URL"


def refuse_another_log(root: Path, environ: Mapping[str, str]) -> None:
    """Raises Failure, see log_url: its imports take longer than the rest of a verb, and are seldom needed."""
    text = _written(root)
    if NAME in environ or NAME.encode() in text:
        judge: Any = importlib.import_module("adapters.cli.log_url")
        judge.refuse_what_is_set(root, environ.get(NAME), text)


def _written(root: Path) -> bytes:
    """The home's `.env`; nothing where there is none, or it cannot be read. Raises Failure."""
    try:
        return written(root / ".env")
    except (NotRegular, TooLarge) as odd:
        sentence = f"{root / '.env'} cannot be read: {odd.strerror}."
        raise Failure(USAGE, "bad_setting", sentence, "Make it a text file.") from None
    except OSError:
        return b""
