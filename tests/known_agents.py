"""Agents for tests: the built-in ones behind the port, and files as a home has them."""

from pathlib import Path

import trio

from handlers.agents import FOLDER, catalogue
from schemas.agent import Agent

NOTES = """---
purpose: Write the notes of a release
tools: [Read, Glob, Grep]
---
Tell in plain words what is new.

{{ task }}
"""


class FakeAgents:
    """The built-in ones, and no others."""

    def __init__(self) -> None:
        self._known = catalogue({}, enabled=True)

    async def names(self) -> frozenset[str]:
        await trio.lowlevel.checkpoint()
        return self._known.names()

    async def get(self, name: str) -> Agent:
        await trio.lowlevel.checkpoint()
        return self._known.get(name)


def write_agent(home: Path, name: str, text: str = NOTES) -> Path:
    """The file of an agent in a home."""
    path = home / FOLDER / f"{name}.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")
    return path
