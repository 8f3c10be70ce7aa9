"""A wish in plain words, shaped by rules: what kind of task it is and what it is called."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from schemas.shown import quoted, shortened
from schemas.task import Alternative, SaidBy, TaskType
from schemas.task_body import TITLE_LENGTH, has_marks, heading

ALTERNATIVES: Final = 3
"""So many other ways to understand an ambiguous wish are told, at most."""
LOOKED_AT: Final = 20_000
"""Characters of a text that the rules look at: a wish is said in its beginning."""

EDIT_VERBS: Final = (
    "fix(?:es)?|bugs?|implement|add|create|refactor|update|modify|remove|delete|rename|rewrite|repair|patch"
)
RULES: Final[Mapping[TaskType, str]] = {
    "bug_fix": EDIT_VERBS,
    "code_review": "review|check|audit",
    "summarize": "summari[sz]e|summary|overview",
}
"""The words that make a type, in the order in which they are looked for."""

HINTS: Final[Mapping[TaskType, str]] = {
    "analyze": "explain|analy[sz]e|why|understand|describe|unclear",
    "bug_fix": "improve|change|optimi[sz]e|clean up|solve",
    "documentation": "document|documentation|docstrings?|readme",
}
"""Words that make no type: what they may mean stands beside it, for the person to choose."""
_NOT: Final = (
    r"\b(?:do not|don['\u2019]?t|never|without|not to|no need to|(?:must|should|shall|may|need) not"
    r"|(?:mustn|shouldn|needn)['\u2019]?t)"
)
NEGATED: Final = re.compile(
    rf"{_NOT}(?:[ \t]+(?!(?:and|but|then|only|just|forget|hesitate)\b)[\w'\u2019]+){{0,3}}[ \t]+\Z",
    re.IGNORECASE,
)
"""What stands before a word that a person forbids: `do not fix`, `never add or remove`."""
FORBIDDING: Final = re.compile(
    rf"{_NOT}[ \t]+(?:\w+[ \t]+){{0,2}}(?:touch|chang|edit|modif|look|work|writ|go|read|open|us|delet|remov"
    r"|fix|alter|updat|add|run|mov|renam)\w*\b(?:(?!\bbut\b|[.:](?:\s|\Z)|[;!?,\n]).)*\Z",
    re.IGNORECASE,
)
"""What stands before a folder that a person forbids: `don't touch ./x`."""

SHORT_WISH: Final = 80
"""A wish of one line that is no longer is its own best title."""

_PATH: Final = r"((?:[A-Za-z]:[\\/]|/|\.{1,2}[\\/]|~[\\/])[^\s\"'`<>|,;*?]{1,400})"
FOLDER = re.compile(rf"\bin[ \t]{{1,3}}{_PATH}")
ANY_FOLDER = re.compile(rf"(?<![^\s\"'`(<]){_PATH}")
BEFORE: Final = 80
"""Characters before a word or a folder that may forbid it."""


@dataclass(frozen=True)
class Wish:
    """`decided` says of each part whether a word of the text made it (`rules`) or none did (`default`)."""

    type: TaskType
    title: str
    prompt: str
    cwd: str | None
    decided: Mapping[str, SaidBy]
    alternatives: tuple[Alternative, ...] = ()


def read_wish(text: str, notes: list[str], redact: Callable[[str], str] = str) -> Wish:
    """Shape a text that has no front matter. The whole text is the prompt."""
    prompt = text.strip()
    beginning = prompt[:LOOKED_AT]
    first = prompt.split("\n", 1)[0]
    if has_marks(text):
        notes.append("The file has the marks of a task file but no front matter: all of it is the prompt.")
    kinds = [kind for kind, words in RULES.items() if _holds(beginning, words)]
    # A line that was wrapped ends anywhere, also behind a comma.
    whole = first if first == prompt else first.rstrip(" \t,;")
    title = shortened(redact((heading(whole) or whole)[:LOOKED_AT]), TITLE_LENGTH)
    cwd = _folder(beginning, notes)
    return Wish(
        type=kinds[0] if kinds else "analyze",
        title=title,
        prompt=prompt,
        cwd=cwd,
        decided={
            "type": "rules" if kinds else "default",
            "title": "rules" if title == prompt and len(title) <= SHORT_WISH else "default",
            "cwd": "default" if cwd is None else "rules",
            "target_files": "default",
        },
        alternatives=tuple(
            Alternative(task_type=kind, title=title) for kind in _others(kinds, beginning)[:ALTERNATIVES]
        ),
    )


def word_of(text: str, task_type: TaskType) -> str | None:
    """The word of a text that makes it a task of this type by rules; None where none does."""
    words = RULES.get(task_type)
    return None if words is None else _word(text.strip()[:LOOKED_AT], words)


def folders_in(text: str) -> tuple[str, ...]:
    """Every path in a text that may be meant as a folder and is not forbidden, as it is written there."""
    beginning = text.strip()[:LOOKED_AT]
    found = ((_as_folder(one[1]), one.start()) for one in ANY_FOLDER.finditer(beginning))
    kept = (path for path, start in found if path and not _forbidden(beginning, start))
    return tuple(dict.fromkeys(kept))


def _others(kinds: list[TaskType], text: str) -> list[TaskType]:
    """What else the words of the text may mean; beside a guess that edits always the type that reads."""
    hinted: list[TaskType] = [kind for kind, words in HINTS.items() if _holds(text, words)]
    careful: list[TaskType] = ["analyze"] if kinds[:1] == ["bug_fix"] else []
    others = dict.fromkeys([*kinds[1:], *careful, *hinted])
    return [kind for kind in others if kind != (kinds[0] if kinds else "analyze")]


def _holds(text: str, words: str) -> bool:
    return _word(text, words) is not None


def _word(text: str, words: str) -> str | None:
    """The first of the words that stands in the text and is not forbidden there."""
    found = re.finditer(rf"\b(?:{words})\b", text, re.IGNORECASE)
    return next((one[0] for one in found if not NEGATED.search(text[: one.start()][-BEFORE:])), None)


def _forbidden(text: str, start: int) -> bool:
    return FORBIDDING.search(text[:start][-BEFORE:]) is not None


def _folder(text: str, notes: list[str]) -> str | None:
    for found in FOLDER.finditer(text):
        path = _as_folder(found[1])
        if path is None:
            continue
        if not _forbidden(text, found.start()):
            notes.append(f"The working directory {quoted(path)} was taken from the text.")
            return path
        notes.append(f"The folder {quoted(path)} is forbidden in the text: it is no working directory.")
    return None


def _as_folder(written: str) -> str | None:
    """The path as a folder, None for what names none."""
    path = written.rstrip(".:)!]}")
    last = re.split(r"[\\/]", path.rstrip("\\/"))[-1]
    # `in /src/parser.py` names a file, and a lone `/` no folder that anybody means.
    if not last or re.search(r"\.\w{1,5}$", last):
        return None
    return path
