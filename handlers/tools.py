"""Which of the agent's tools a task gets, by its type and by nothing else."""

from collections.abc import Mapping
from typing import Final

READING: Final = ("Read", "Glob", "Grep")
EDITING: Final = (*READING, "Edit", "Write", "NotebookEdit")
BY_TYPE: Final[Mapping[str, tuple[str, ...]]] = {
    "analyze": READING,
    "summarize": READING,
    "code_review": READING,
    "documentation": EDITING,
    "bug_fix": (*EDITING, "Bash"),
}


def offered(task_type: str) -> tuple[str, ...]:
    """The tools that the agent has at all. Raises KeyError for an unknown type."""
    return BY_TYPE[task_type]


def granted(task_type: str) -> tuple[str, ...]:
    """The tools that it may use without being asked, beyond editing files in its directory."""
    return tuple(tool for tool in offered(task_type) if tool == "Bash")


def edits(task_type: str) -> bool:
    """Whether a task of this type may change files."""
    return "Edit" in offered(task_type)
