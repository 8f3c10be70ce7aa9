"""What is set for EVT_LOG_URL, judged. Loaded only where it is set: few homes say anything of it."""

import io
from pathlib import Path
from typing import Final

from dotenv.parser import parse_stream

from adapters.cli.failure import USAGE, Failure
from adapters.config.table import BY_NAME

NAME: Final = "EVT_LOG_URL"


def refuse_what_is_set(root: Path, from_environment: str | None, written: bytes) -> None:
    """`written` is the home's `.env`. Raises Failure: the log in the home would be another one than is meant.

    The address is not said again: a password may stand in it.
    """
    # Not by `dotenv_values`, which prints of a line it cannot read: who needs the settings says so.
    lines = parse_stream(io.StringIO(written.decode("utf-8-sig", "replace")))
    in_file = {line.key: line.value for line in lines if not line.error}.get(NAME)
    for origin, given in (("the environment", from_environment), (str(root / ".env"), in_file)):
        if given is None:
            continue
        try:
            BY_NAME[NAME].read(given.strip())
        except ValueError as wrong:
            sentence = f"{NAME} is set in {origin}; it must be {wrong}."
            raise Failure(USAGE, "bad_setting", sentence, f"Take {NAME} out of {origin}.") from None
        return
