"""The agent's tools that a task can have at all, and its permission modes. Imports nothing."""

from collections.abc import Mapping
from typing import Final

READING: Final = ("Read", "Glob", "Grep")
EDITING: Final = ("Edit", "Write", "NotebookEdit")
SHELL: Final = "Bash"
TOOLS: Final = (*READING, *EDITING, SHELL)
CHANGING: Final = frozenset({*EDITING, SHELL})
"""With one of these an agent can change files."""

MODES: Final = ("default", "acceptEdits", "plan", "dontAsk")
"""What the CLI does where no rule says whether a tool may be used; `bypassPermissions` is none of ours."""

FORMER: Final[Mapping[str, str]] = {"LS": "Glob", "MultiEdit": "Edit"}
"""Tools that the agent once had, and what does their work now."""
