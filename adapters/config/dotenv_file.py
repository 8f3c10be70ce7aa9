"""The bytes of a home's `.env`: of a text file, and of no more than one could be."""

import errno
from pathlib import Path
from typing import Final

from eventstore.regular_file import opened

MOST: Final = 2**20
"""Bytes."""


class TooLarge(OSError):
    """No `.env` that somebody has written."""


def written(path: Path) -> bytes:
    """What it holds; a link is followed. Raises FileNotFoundError, NotRegular, TooLarge, OSError."""
    with opened(path) as file:
        content = file.read(MOST + 1)
    if len(content) > MOST:
        raise TooLarge(errno.EFBIG, f"it is larger than {MOST // 2**20} MiB", str(path))
    return content
