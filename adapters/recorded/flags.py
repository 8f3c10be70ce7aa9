"""The command line of the Claude Code CLI, as far as a recorded session knows it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

SWITCHES = frozenset({"--print", "--verbose", "--strict-mcp-config", "--version", "--no-session-persistence"})
VALUED = frozenset(
    {
        "--append-system-prompt",
        "--append-system-prompt-file",
        "--max-budget-usd",
        "--max-turns",
        "--model",
        "--output-format",
        "--permission-mode",
        "--resume",
        "--session-id",
        "--setting-sources",
        "--settings",
    }
)
LISTED = frozenset({"--tools", "--allowedTools", "--disallowedTools"})
ALIASES = {
    "-p": "--print",
    "-v": "--version",
    "-r": "--resume",
    "--allowed-tools": "--allowedTools",
    "--disallowed-tools": "--disallowedTools",
}
TOOL_NAME = re.compile(r"[^\s,(]+(?:\([^)]*\))?")
UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class Unusable(Exception):
    """What the CLI would say on stderr before it exits with 1."""


@dataclass(frozen=True)
class Flags:
    """The command line; a list that was not given is not in `lists`."""

    switches: frozenset[str]
    values: Mapping[str, str]
    lists: Mapping[str, tuple[str, ...]]
    words: tuple[str, ...]


def parse(arguments: Sequence[str]) -> Flags:
    """Read the command line as the CLI does; Unusable for what it does not know."""
    switches: set[str] = set()
    values: dict[str, str] = {}
    lists: dict[str, tuple[str, ...]] = {}
    words: list[str] = []
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        bare, equals, value = word.partition("=")
        name = ALIASES.get(bare, bare)
        if not word.startswith("-"):
            words.append(word)
        elif name in SWITCHES and not equals:
            switches.add(name)
        elif name in VALUED or name in LISTED:
            if not equals and not rest:
                raise Unusable(f"error: option '{bare}' argument missing")
            taken = [value if equals else rest.pop(0)]
            while name in LISTED and not equals and rest and not rest[0].startswith("-"):
                taken.append(rest.pop(0))
            if name in LISTED:
                lists[name] = (*lists.get(name, ()), *TOOL_NAME.findall(" ".join(taken)))
            else:
                values[name] = taken[0]
        else:
            raise Unusable(f"error: unknown option '{word}'")
    return Flags(frozenset(switches), values, lists, tuple(words))


def check(flags: Flags) -> None:
    """Refuse what the CLI refuses before it starts a session."""
    given = flags.values
    if "--print" not in flags.switches or given.get("--output-format") != "stream-json":
        raise Unusable("Error: a recorded session is played with --print --output-format=stream-json only")
    if "--verbose" not in flags.switches:
        raise Unusable("Error: When using --print, --output-format=stream-json requires --verbose")
    identity = given.get("--session-id")
    if identity is not None and not UUID.fullmatch(identity):
        raise Unusable("Error: Invalid session ID. Must be a valid UUID.")
    settings = given.get("--settings")
    if settings is not None and not is_json(settings) and not Path(settings).is_file():
        raise Unusable(f"Error: Settings file not found: {settings}")
    extra = given.get("--append-system-prompt-file")
    if extra is not None and not Path(extra).is_file():
        raise Unusable(f"Error: Append system prompt file not found: {extra}")


def is_json(text: str) -> bool:
    try:
        return isinstance(orjson.loads(text), dict)
    except orjson.JSONDecodeError:
        return False
