"""A path as a word of a command that somebody copies into a shell."""

import os
import re
import shlex
from pathlib import Path
from typing import Final

from schemas.shown import shown

PLAIN: Final = re.compile(r"[\w:\\/.+-]+")
"""What neither of the shells of Windows takes apart."""


def pasted(path: str | Path, *, windows: bool = os.name == "nt") -> str:
    """Between quotes where it needs them: double ones on Windows, whose paths hold none."""
    word = shown(str(path))
    if not windows:
        return shlex.quote(word)
    return word if PLAIN.fullmatch(word) else f'"{word}"'
