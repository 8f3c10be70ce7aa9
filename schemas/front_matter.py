"""The YAML between two `---` lines, read as plain strings and never as anything else.

The parser's events are looked at before a value is made of them: what YAML can do
beyond lists and maps of strings (aliases, tags, several documents) is refused there.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import yaml

from schemas.shown import quoted, shown
from schemas.unreadable import Unreadable

Value: TypeAlias = "str | list[Value] | dict[str, Value]"

MAX_BYTES: Final = 64 * 1024
MAX_DEPTH: Final = 20
LOADER: Final[Any] = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
FENCE = "---"
UNPRINTABLE = re.compile("[^\t\n\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Entry:
    """The value of one key and the line of the file (from 1) that the key stands in."""

    value: Value
    line: int


@dataclass(frozen=True)
class Parts:
    """A text cut at its fences; `first_line` and `body_line` count from 1 in the file."""

    source: str
    first_line: int
    body: str
    body_line: int


def split(text: str) -> Parts | None:
    """The front matter and the body; None for a text that does not begin with a `---` line."""
    lines = text.split("\n")
    opening = next(index for index, line in enumerate(lines) if line.strip())
    if lines[opening].rstrip() != FENCE:
        return None
    closing = next((n for n in range(opening + 1, len(lines)) if lines[n].rstrip() == FENCE), None)
    if closing is None:
        raise Unreadable(
            "unclosed",
            f'Line {opening + 1}: the front matter that begins here is never closed by a second line "---".',
            'Add a line "---" after the last key; a text without front matter must not begin with "---".',
            opening + 1,
        )
    source = "\n".join(lines[opening + 1 : closing])
    if len(source.encode()) > MAX_BYTES:
        raise Unreadable(
            "too_large",
            f"Line {opening + 1}: the front matter is larger than 64 KiB.",
            "Keep only the keys there; long text belongs below the second line of dashes.",
            opening + 1,
        )
    return Parts(source, opening + 2, "\n".join(lines[closing + 1 :]), closing + 2)


def entries(source: str, first_line: int, loader: Any = LOADER) -> dict[str, Entry]:
    """The keys of the front matter. Raises Unreadable with the line of the file."""
    strange = UNPRINTABLE.search(source)
    if strange is not None:
        line = first_line + source.count("\n", 0, strange.start())
        raise Unreadable(
            "bad_yaml",
            f"Line {line}: the front matter holds {shown(strange.group())}, a character that YAML forbids.",
            "Take the character out.",
            line,
        )
    builder = Builder(first_line)
    try:
        for event in _events(source, loader):
            builder.take(event)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        last = first_line + source.count("\n")
        line = first_line if mark is None else min(first_line + int(mark.line), last)
        problem = shown(str(getattr(error, "problem", None) or "it cannot be read"), 100)
        raise Unreadable(
            "bad_yaml",
            f"Line {line}: the front matter is not YAML that can be read: {problem}.",
            "Write each key as `key: value` on its own line; put a value that holds `: ` or ` #` in quotes.",
            line,
        ) from error
    return builder.found()


def _events(source: str, loader: Any) -> Iterator[Any]:
    return iter(yaml.parse(source, Loader=loader))


@dataclass
class Open:
    """A list or a mapping whose end has not come yet."""

    holds: list[Value] | dict[str, Value]
    key: str | None = None


@dataclass
class Builder:
    """Makes strings, lists and maps of the parser's events, without recursion."""

    first_line: int
    documents: int = 0
    root: "Value | None" = None
    stack: list[Open] = field(default_factory=list)
    lines: dict[str, int] = field(default_factory=dict)

    def take(self, event: Any) -> None:
        line = self.first_line + int(event.start_mark.line)
        if isinstance(event, yaml.DocumentStartEvent):
            self._document(line)
        elif isinstance(event, yaml.NodeEvent):
            _plain(event, line)
            self._node(event, line)
        elif isinstance(event, yaml.CollectionEndEvent):
            self.stack.pop()

    def found(self) -> dict[str, Entry]:
        if self.root is None:
            return {}
        if not isinstance(self.root, dict):
            raise Unreadable(
                "bad_yaml",
                f"Line {self.first_line}: the front matter is not made of `key: value` lines.",
                "Write each key as `key: value` on its own line; "
                'a text without front matter must not begin with "---".',
                self.first_line,
            )
        return {key: Entry(value, self.lines[key]) for key, value in self.root.items()}

    def _document(self, line: int) -> None:
        self.documents += 1
        if self.documents > 1:
            raise Unreadable(
                "bad_yaml",
                f"Line {line}: a second YAML document begins inside the front matter.",
                "Keep one block of keys between the two lines of dashes.",
                line,
            )

    def _node(self, event: Any, line: int) -> None:
        top = self.stack[-1] if self.stack else None
        if isinstance(event, yaml.ScalarEvent):
            text = _text(event.value, line)
            if top is not None and isinstance(top.holds, dict) and top.key is None:
                self._key(top, top.holds, text, line)
            else:
                self._put(top, text)
            return
        if top is not None and isinstance(top.holds, dict) and top.key is None:
            raise Unreadable(
                "bad_yaml", f"Line {line}: a key is a list or a map.", "Write a plain word as the key.", line
            )
        if len(self.stack) >= MAX_DEPTH:
            raise Unreadable(
                "too_deep",
                f"Line {line}: the front matter is nested deeper than {MAX_DEPTH} levels.",
                "Write it flatter; a task needs one level, `after` a second.",
                line,
            )
        holds: list[Value] | dict[str, Value] = {} if isinstance(event, yaml.MappingStartEvent) else []
        self._put(top, holds)
        self.stack.append(Open(holds))

    def _key(self, top: Open, holds: dict[str, Value], key: str, line: int) -> None:
        if key in holds:
            raise Unreadable(
                "duplicate_key",
                f"Line {line}: the key {quoted(key)} is written twice.",
                "Keep one of the two.",
                line,
            )
        top.key = key
        if len(self.stack) == 1:
            self.lines[key] = line

    def _put(self, top: Open | None, value: Value) -> None:
        if top is None:
            self.root = value
        elif isinstance(top.holds, list):
            top.holds.append(value)
        elif top.key is not None:
            top.holds[top.key] = value
            top.key = None


def _plain(event: Any, line: int) -> None:
    if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
        raise Unreadable(
            "yaml_alias",
            f"Line {line}: YAML aliases and anchors (`*name`, `&name`) are not allowed in a task file.",
            "Write the value out, in quotes if it really begins with `*` or `&`.",
            line,
        )
    if event.tag is not None:
        raise Unreadable(
            "yaml_tag",
            f"Line {line}: the YAML tag {quoted(event.tag)} is not allowed in a task file.",
            "Take the tag out; put a value that really begins with `!` in quotes.",
            line,
        )


def _text(value: str, line: int) -> str:
    if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise Unreadable(
            "bad_yaml",
            f"Line {line}: an escape stands for a character that no text can hold.",
            "Take the escape out.",
            line,
        )
    return value
