"""Which of the agent's tools a task gets: those of its type, of which an agent may only leave some out."""

from collections.abc import Collection, Mapping
from typing import Final

from schemas.tools import CHANGING, EDITING, READING, SHELL

BY_TYPE: Final[Mapping[str, tuple[str, ...]]] = {
    "analyze": READING,
    "summarize": READING,
    "code_review": READING,
    "documentation": (*READING, *EDITING),
    "bug_fix": (*READING, *EDITING, SHELL),
}


def offered(task_type: str, agent_tools: Collection[str] | None = None) -> tuple[str, ...]:
    """The tools that the agent has at all: the type's, without those that the agent does not name.

    Without `agent_tools` all of the type's. Raises KeyError for an unknown type.
    """
    tools = BY_TYPE[task_type]
    return tools if agent_tools is None else tuple(tool for tool in tools if tool in agent_tools)


def granted(task_type: str, agent_tools: Collection[str] | None = None) -> tuple[str, ...]:
    """The tools that it may use without being asked, beyond editing files in its directory."""
    return tuple(tool for tool in offered(task_type, agent_tools) if tool == SHELL)


def edits(task_type: str, agent_tools: Collection[str] | None = None) -> bool:
    """Whether a task of this type, done by this agent, may change files."""
    return not CHANGING.isdisjoint(offered(task_type, agent_tools))
