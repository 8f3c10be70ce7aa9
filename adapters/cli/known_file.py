"""Whether a file in the inbox is one that the log knows already, by its content."""

import hashlib
from collections.abc import Collection
from pathlib import Path
from typing import Final

from adapters.safe_files import NotRegular, read_at_most
from schemas.task_text import MAX_BYTES

READ_OF_A_FILE: Final = MAX_BYTES + 1
"""Bytes; so much of a file the service reads, and knows it by their hash."""


def is_known(path: Path, digests: Collection[str | None]) -> bool:
    """`digests` are those under which the log knows files of that name; None: one that could not be read."""
    try:
        content = read_at_most(path, READ_OF_A_FILE)
    except (NotRegular, PermissionError):
        return None in digests  # what could not be read was refused without a hash
    except FileNotFoundError:
        return True  # moved in this moment
    return hashlib.sha256(content).hexdigest() in digests or None in digests
