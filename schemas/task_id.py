"""What a task's id may look like, on every file system that its files may lie on."""

import re

from schemas.shown import quoted

MAX_LENGTH = 64
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
DEVICES = frozenset(
    {"con", "prn", "aux", "nul"} | {f"{port}{number}" for port in ("com", "lpt") for number in range(10)}
)
"""Names that Windows keeps for devices, with any ending (`nul.txt` too)."""

OURS = frozenset({"index"})
"""Names that a file of our own bears: `results/index.json`."""


REFUSALS = "refused-"
"""What a refused file is listed under begins so."""


def is_reserved(task_id: str) -> bool:
    """Whether a file of that name, or a row under it, would be somebody else's."""
    small = task_id.lower()
    return small in OURS or small.startswith(REFUSALS) or small.partition(".")[0] in DEVICES


def problem_with_id(task_id: str) -> str | None:
    """What is wrong with an id, as the end of a sentence; None for a good one."""
    if not ID.fullmatch(task_id):
        return (
            f"{quoted(task_id)} is no id: an id has 1 to 64 letters, digits, dots, dashes "
            "and underscores of ASCII, and begins with a letter or a digit"
        )
    if task_id.endswith("."):
        return f"{quoted(task_id)} is no id: it ends with a dot, which Windows drops"
    if is_reserved(task_id):
        return f"{quoted(task_id)} is no id: the name is reserved"
    return None
