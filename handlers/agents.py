"""Which agents a home has: the built-in ones, its own over them, and which of them a task may have."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from handlers.ports.agent import AgentUnusable
from handlers.prompt import check_template
from prompts import agents as built_in_names
from prompts import load
from schemas.agent import Agent, BrokenAgent, Origin, read_agent
from schemas.shown import quoted

FOLDER: Final = "prompts/agents"
"""In the home, and `/`-separated."""

Enabled = bool | Collection[str]
"""All agents, the built-in ones alone, or those that are named."""


@dataclass(frozen=True)
class Found:
    """What stands under one name: an agent, or why it is none. `replaces` a built-in one of that name."""

    name: str
    origin: Origin
    agent: Agent | None
    broken: BrokenAgent | None = None
    enabled: bool = True
    replaces: bool = False

    @property
    def usable(self) -> bool:
        return self.enabled and self.agent is not None

    @property
    def path(self) -> str:
        """Where it is written, below the home or among our own."""
        return f"{FOLDER}/{self.name}.md"


@dataclass(frozen=True)
class Catalogue:
    """Every name that there is. `warnings` are sentences for whoever runs the home.

    `unread` says why the home's own agents cannot be read: then none may do a task, for one of them
    might stand for a built-in one.
    """

    found: Mapping[str, Found]
    warnings: tuple[str, ...] = ()
    unread: str | None = None

    def names(self) -> frozenset[str]:
        """Those that a task may name."""
        return frozenset(name for name, one in self.found.items() if one.usable and self.unread is None)

    def broken(self) -> tuple[str, ...]:
        """A sentence for each that somebody may miss."""
        return tuple(
            f"The agent {quoted(name)} is broken, and no task can have it: see `evt agents check`."
            for name, one in self.found.items()
            if one.broken is not None and one.enabled
        )

    def get(self, name: str) -> Agent:
        """The agent of that name. Raises AgentUnusable."""
        one = self.found.get(name)
        if self.unread is not None:
            raise AgentUnusable(
                "agent_broken",
                f"Nobody knows the agents of this home: {self.unread}.",
                "Make it a folder that the service can read, or set AGENTS_ENABLED=false.",
            )
        others = f"Choose one of {', '.join(sorted(self.names()))}, or leave `agent_type` out."
        if one is None:
            hint = meant(name, self.names()) + others
            raise AgentUnusable("unknown_agent", f"There is no agent {quoted(name)}.", hint)
        if not one.enabled:
            sentence = f"The agent {quoted(name)} is not enabled by AGENTS_ENABLED."
            raise AgentUnusable("agent_disabled", sentence, "Name it there, or name another `agent_type`.")
        if one.agent is None:
            why = one.broken.reason if one.broken else "It cannot be read."
            sentence = f"The agent {quoted(name)} of this home is broken: {why}"
            raise AgentUnusable("agent_broken", sentence, f"See `evt agents check {name}`.")
        return one.agent


def meant(name: str, known: Collection[str]) -> str:
    """The question whether another name was meant, with a blank behind it; "" where none is near."""
    near = get_close_matches(name[:60].lower(), sorted(known), n=1, cutoff=0.6)
    return f"Is `{near[0]}` meant? " if near else ""


def built_in(name: str) -> Agent:
    """One of ours. Raises FileNotFoundError for a name that is none of them."""
    return check_template(read_agent(name, load(f"agents/{name}").encode(), "built-in"))


def catalogue(
    own: Mapping[str, bytes | BrokenAgent], enabled: Enabled, unread: str | None = None
) -> Catalogue:
    """`own` holds by name each file of the home's folder, or why it cannot be read.

    `unread` says why the folder itself cannot be.
    """
    ours = built_in_names()
    found = {name: Found(name, "built-in", built_in(name), enabled=_is_on(name, enabled)) for name in ours}
    warnings = []
    for name, content in own.items():
        if enabled is not False:
            agent = _read(name, content)
            whole = agent if isinstance(agent, Agent) else None
            broken = agent if isinstance(agent, BrokenAgent) else None
            found[name] = Found(name, "home", whole, broken, _is_on(name, enabled), name in ours)
        elif name in ours:
            warnings.append(f"AGENTS_ENABLED is false: {FOLDER}/{name}.md of the home is not looked at.")
        else:
            found[name] = Found(name, "home", None, enabled=False)
    if not isinstance(enabled, bool):
        warnings += [
            f"AGENTS_ENABLED names {quoted(name)}, and there is no such agent. {meant(name, found)}".rstrip()
            for name in enabled
            if name not in found
        ]
    unread = None if enabled is False else unread
    if unread is not None:
        warnings.append(f"The home's own agents cannot be read: {unread}.")
    return Catalogue(dict(sorted(found.items())), tuple(warnings), unread)


def _read(name: str, content: bytes | BrokenAgent) -> Agent | BrokenAgent:
    if isinstance(content, BrokenAgent):
        return content
    try:
        return check_template(read_agent(name, content, "home"))
    except BrokenAgent as broken:
        return broken


def _is_on(name: str, enabled: Enabled) -> bool:
    """With `false` only built-in ones are asked for, and each of them is on."""
    return isinstance(enabled, bool) or name in enabled
