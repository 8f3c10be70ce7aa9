"""A wish in plain words, shaped by rules: what kind of task it is and what it is called."""

import re
from collections.abc import Mapping
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

SHORT_WISH: Final = 80
"""A wish of one line that is no longer is its own best title."""

FOLDER = re.compile(r"\bin[ \t]{1,3}((?:[A-Za-z]:[\\/]|/|\.{1,2}[\\/]|~[\\/])[^\s\"'`<>|,;*?]{1,400})")


@dataclass(frozen=True)
class Wish:
    """`decided` says of each part whether a word of the text made it (`rules`) or none did (`default`)."""

    type: TaskType
    title: str
    prompt: str
    cwd: str | None
    decided: Mapping[str, SaidBy]
    alternatives: tuple[Alternative, ...] = ()


def read_wish(text: str, notes: list[str]) -> Wish:
    """Shape a text that has no front matter. The whole text is the prompt."""
    prompt = text.strip()
    beginning = prompt[:LOOKED_AT]
    first = prompt.split("\n", 1)[0]
    if has_marks(text):
        notes.append("The file has the marks of a task file but no front matter: all of it is the prompt.")
    kinds = [kind for kind, words in RULES.items() if _holds(beginning, words)]
    title, cwd = shortened(heading(first) or first, TITLE_LENGTH), _folder(beginning, notes)
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
        alternatives=tuple(Alternative(task_type=kind, title=title) for kind in kinds[1:][:ALTERNATIVES]),
    )


def _holds(text: str, words: str) -> bool:
    return re.search(rf"\b(?:{words})\b", text, re.IGNORECASE) is not None


def _folder(text: str, notes: list[str]) -> str | None:
    found = FOLDER.search(text)
    path = found[1].rstrip(".:)!]}") if found else ""
    last = re.split(r"[\\/]", path.rstrip("\\/"))[-1]
    # `in /src/parser.py` names a file, and a lone `/` no folder that anybody means.
    if not last or re.search(r"\.\w{1,5}$", last):
        return None
    notes.append(f"The working directory {quoted(path)} was taken from the text.")
    return path
