"""An agent: a Markdown file that says what it is for, what it may use, and how it is told its task."""

import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Final, Literal

from pydantic import Field

from schemas.front_matter import Entry, Parts, entries, split
from schemas.shown import has_text, quoted, shown
from schemas.tools import CHANGING, FORMER, MODES, TOOLS
from schemas.unreadable import Unreadable
from schemas.validation import ENTROPY, SIMILARITY
from schemas.word import Count, Part

MAX_BYTES: Final = 64 * 1024
"""The largest file of an agent. Who reads one needs `MAX_BYTES + 1` bytes of it and no more."""
MAX_PURPOSE: Final = 200

NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
"""Lower case alone: some file systems know no other difference between two names."""
KEYS: Final = ("purpose", "tools", "permission_mode", "edits", "similarity", "entropy")
SHARE: Final = re.compile(r"[01](\.[0-9]{1,6})?|\.[0-9]{1,6}")
WORDS: Final[Mapping[str, bool]] = {"true": True, "yes": True, "false": False, "no": False}

PermissionMode = Literal["default", "acceptEdits", "plan", "dontAsk"]
Origin = Literal["built-in", "home"]


class Agent(Part):
    """What a file in `prompts/agents` says. `template` begins in line `template_line` of that file.

    `tools` are the most that it wants: a task's type decides which of them it gets.
    """

    name: str
    purpose: str
    tools: tuple[str, ...]
    permission_mode: PermissionMode
    edits: bool
    similarity: float = Field(default=SIMILARITY, ge=0, le=1)
    entropy: float = Field(default=ENTROPY, ge=0, le=1)
    template: str
    origin: Origin
    template_line: Count = 1


class BrokenAgent(Exception):
    """The file is no agent. `reason` is one sentence, `remedy` says what to do.

    `line` counts from 1 in the file; None where the fault has no line.
    """

    def __init__(self, code: str, reason: str, remedy: str, line: int | None = None) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.remedy = remedy
        self.line = line


def read_agent(name: str, content: bytes, origin: Origin) -> Agent:
    """Read an agent's file, whose name without `.md` is `name`. Raises BrokenAgent, and nothing else.

    Its template is not looked at yet: whoever knows the templates' language does that.
    """
    if not NAME.fullmatch(name):
        raise BrokenAgent(
            "bad_name",
            f"{quoted(name)} cannot be an agent's name: lower-case letters, digits, `_` and `-`, at most 64.",
            "Rename the file, for instance to `release-notes.md`.",
        )
    try:
        parts = split(_text(content))
        found = entries(parts.source, parts.first_line) if parts else {}
    except Unreadable as problem:
        raise _in_an_agent(problem) from None
    if parts is None:
        raise BrokenAgent(
            "no_front_matter",
            "Line 1: the file does not begin with a line `---` and keys such as `purpose` and `tools`.",
            "Begin it with the keys between two lines `---`; `evt agents show analyze` shows one.",
            1,
        )
    return _agent(name, origin, found, parts)


def _text(content: bytes) -> str:
    if len(content) > MAX_BYTES:
        raise BrokenAgent(
            "too_large",
            "The file is larger than 64 KiB, the most that an agent may have.",
            "Put long material into a file of the project, and tell the agent to read it.",
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise BrokenAgent(
            "not_text",
            f"Line {line}: the byte 0x{content[error.start]:02X} at offset {error.start} is not UTF-8.",
            "Save the file as plain text in UTF-8.",
            line,
        ) from None
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise BrokenAgent(
            "not_text",
            f"Line {line}: there is a NUL character; an agent is text.",
            "Save the file as plain text in UTF-8.",
            line,
        )
    if not has_text(text):
        raise BrokenAgent("empty", "The file is empty.", "Write the agent, or take the file away.")
    return text


def _in_an_agent(problem: Unreadable) -> BrokenAgent:
    """The front matter of a task and of an agent are read alike; only the sentences name the task."""
    reason = problem.reason.replace("in a task file", "in an agent's file")
    remedy = problem.remedy.replace("a task needs one level, `after` a second", "an agent needs one level")
    return BrokenAgent(problem.code, reason, remedy, problem.line)


def _agent(name: str, origin: Origin, found: Mapping[str, Entry], parts: Parts) -> Agent:
    for key, entry in found.items():
        if key not in KEYS:
            raise _unknown_key(key, entry.line)
    tools = _tools(found, parts.first_line)
    edits = _edits(found, tools)
    if not has_text(parts.body):
        raise BrokenAgent(
            "empty_template",
            f"Line {parts.body_line}: below the second `---` there is nothing for the agent to read.",
            "Write there how it is to work; `{{ task }}` stands for the task.",
            parts.body_line,
        )
    return Agent(
        name=name,
        purpose=_purpose(found, parts.first_line),
        tools=tools,
        permission_mode=_mode(found, edits=edits),
        edits=edits,
        similarity=_share(found, "similarity", SIMILARITY),
        entropy=_share(found, "entropy", ENTROPY),
        template=parts.body,
        origin=origin,
        template_line=parts.body_line,
    )


def _unknown_key(key: str, line: int) -> BrokenAgent:
    near = get_close_matches(key[:40].lower(), KEYS, n=1, cutoff=0.6)
    hint = f"Is `{near[0]}` meant? " if near else ""
    return BrokenAgent(
        "unknown_key",
        f"Line {line}: an agent has no key {quoted(key)}.",
        f"{hint}The keys are {', '.join(KEYS)}.",
        line,
    )


def _purpose(found: Mapping[str, Entry], first_line: int) -> str:
    text = _word(found, "purpose")
    if text is None:
        raise _missing("purpose", first_line, "purpose: Write the notes of a release")
    line = found["purpose"].line
    text = " ".join(text.split())
    if len(text) > MAX_PURPOSE or shown(text) != text:
        raise BrokenAgent(
            "bad_value",
            f"Line {line}: `purpose` must be one plain line of at most {MAX_PURPOSE} characters.",
            "Say in a few words what the agent is for.",
            line,
        )
    return text


def _tools(found: Mapping[str, Entry], first_line: int) -> tuple[str, ...]:
    entry = found.get("tools")
    if entry is None:
        raise _missing("tools", first_line, "tools: [Read, Glob, Grep]")
    value = entry.value
    named = [one.strip() for one in value.split(",")] if isinstance(value, str) else value
    words = [one for one in named if isinstance(one, str) and one] if isinstance(named, list) else []
    if not words or len(words) != len(named):
        raise BrokenAgent(
            "bad_value",
            f"Line {entry.line}: `tools` must be a list of tools.",
            f"Write `tools: [Read, Glob, Grep]`; there are {', '.join(TOOLS)}.",
            entry.line,
        )
    for word in words:
        if word not in TOOLS:
            raise _unknown_tool(word, entry.line)
    return tuple(tool for tool in TOOLS if tool in words)


def _unknown_tool(word: str, line: int) -> BrokenAgent:
    known = {tool.lower(): tool for tool in TOOLS}
    close = get_close_matches(word[:40].lower(), known, n=1, cutoff=0.6)
    near = FORMER.get(word) or (known[close[0]] if close else None)
    if "(" in word:
        hint = "Name the tool alone, without a pattern. "
    else:
        hint = f"Is `{near}` meant? " if near else ""
    return BrokenAgent(
        "unknown_tool",
        f"Line {line}: a task can have no tool {quoted(word)}.",
        f"{hint}There are {', '.join(TOOLS)}.",
        line,
    )


def _edits(found: Mapping[str, Entry], tools: tuple[str, ...]) -> bool:
    said = _word(found, "edits")
    line = found["edits"].line if said is not None else found["tools"].line
    if said is not None and said.lower() not in WORDS:
        raise _wrong("edits", said, "true or false", line)
    edits = WORDS[said.lower()] if said is not None else False
    changing = [tool for tool in tools if tool in CHANGING]
    if edits and not changing:
        raise BrokenAgent(
            "edits_without_tool",
            f"Line {line}: `edits` is true, and none of its tools can change a file.",
            "Add Edit and Write to `tools`, or take the line out.",
            line,
        )
    if changing and not edits:
        raise BrokenAgent(
            "tool_without_edits",
            f"Line {line}: {' and '.join(changing)} can change files, and `edits` does not say so.",
            "Write `edits: true`, or take such tools out.",
            line,
        )
    return edits


def _mode(found: Mapping[str, Entry], *, edits: bool) -> PermissionMode:
    said = _word(found, "permission_mode")
    if said is None:
        return "acceptEdits" if edits else "default"
    line = found["permission_mode"].line
    if said == "bypassPermissions":
        raise BrokenAgent(
            "forbidden_mode",
            f"Line {line}: no agent may have the permission mode bypassPermissions.",
            f"Choose one of {', '.join(MODES)}, or take the line out.",
            line,
        )
    match said:
        case "default" | "acceptEdits" | "plan" | "dontAsk":
            return said
        case _:
            raise _wrong("permission_mode", said, f"one of {', '.join(MODES)}", line)


def _share(found: Mapping[str, Entry], key: str, unsaid: float) -> float:
    said = _word(found, key)
    if said is None:
        return unsaid
    if not SHARE.fullmatch(said) or float(said) > 1:
        raise _wrong(key, said, "a number from 0 to 1, such as 0.7", found[key].line)
    return float(said)


def _word(found: Mapping[str, Entry], key: str) -> str | None:
    if key not in found:
        return None
    entry = found[key]
    if not isinstance(entry.value, str) or not has_text(entry.value):
        raise BrokenAgent(
            "bad_value",
            f"Line {entry.line}: `{key}` must have one value on its line.",
            f"Write `{key}: ` and the value, or take the line out.",
            entry.line,
        )
    return entry.value.strip()


def _missing(key: str, line: int, example: str) -> BrokenAgent:
    return BrokenAgent(
        "missing_key",
        f"Line {line}: the keys that begin here say no `{key}`.",
        f"Add a line such as `{example}`.",
        line,
    )


def _wrong(key: str, said: str, expected: str, line: int) -> BrokenAgent:
    return BrokenAgent(
        "bad_value",
        f"Line {line}: `{key}` is {quoted(said)}; it must be {expected}.",
        f"Write {expected}, or take the line out.",
        line,
    )
