"""How much may still be written where a folder lies."""

import shutil
from pathlib import Path


def free_bytes(folder: Path) -> int:
    """The bytes that are left for this user. Raises OSError."""
    return shutil.disk_usage(folder).free
