"""Do something with a file again for a while: Windows refuses while somebody else has it open."""

from collections.abc import Callable
from time import sleep
from typing import Final, TypeVar

T = TypeVar("T")

PAUSES: Final = (0.01, 0.02, 0.04, 0.08, 0.16, *(0.2,) * 11)
"""Seconds between tries, 2.5 in total: a virus scanner or an indexer lets go sooner."""


def patiently(act: Callable[[], T]) -> T:
    """What it gives, in the end. Raises OSError."""
    for pause in PAUSES:
        try:
            return act()
        except PermissionError:
            sleep(pause)
    return act()
