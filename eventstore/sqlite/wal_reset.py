"""The WAL-reset fault of SQLite: which versions of it may damage a file that several programs write."""

from typing import Final

FIRST_FAULTY: Final = (3, 7, 0)
FIRST_WHOLE: Final = (3, 51, 3)
MENDED: Final[dict[tuple[int, ...], int]] = {(3, 44): 6, (3, 50): 7}
"""Older lines that were mended too: from that patch on."""


def has_wal_reset_fault(version: str) -> bool:
    """Whether SQLite of this version (`3.40.1`) has it. Raises ValueError for what is no version."""
    numbers = tuple(int(part) for part in version.split("."))
    mended = MENDED.get(numbers[:2])
    if mended is not None and numbers[2:] >= (mended,):
        return False
    return FIRST_FAULTY <= numbers < FIRST_WHOLE
