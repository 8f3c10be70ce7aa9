"""A wish in plain words: what kind of task it is, what it is called, which files and folder it names."""

import re
from collections.abc import Mapping
from pathlib import PurePosixPath, PureWindowsPath
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from handlers.mediating.reply import Reply, plain
from handlers.tools import offered
from schemas.free_text import ALTERNATIVES
from schemas.mediation import Reading
from schemas.shown import quoted
from schemas.task import Alternative, TaskType
from schemas.task_body import TITLE_LENGTH

PREDICT: Final = 700
"""Tokens that the answer may take."""
LONG_WORD: Final = 4
_Line = Annotated[str, Field(max_length=120)]
_Path = Annotated[str, Field(max_length=200)]


class OtherReading(Reply):
    type: Literal["analyze", "summarize", "code_review", "documentation", "bug_fix"]
    title: _Line


class ParsedWish(Reply):
    """Keys as the first system's mediator gave them."""

    type: Literal["analyze", "summarize", "code_review", "documentation", "bug_fix"]
    title: _Line
    target_files: Annotated[tuple[_Path, ...], Field(max_length=8)]
    cwd: _Path
    ambiguous: bool
    alternatives: Annotated[tuple[OtherReading, ...], Field(max_length=ALTERNATIVES)]


def named_folder(wish: ParsedWish, prompt: str) -> str | None:
    """The folder that the answer names, if the person named it too; None without one."""
    folder = wish.cwd.strip()
    return folder if folder and _stands_in(folder, prompt) else None


def believed(
    wish: ParsedWish, spec: Mapping[str, Any], folder: str | None
) -> tuple[Reading, tuple[str, ...]]:
    """What is taken of an answer, and a sentence for each part that is not.

    Where a person, or a word that the rules know, has said something, that holds. A type is taken only
    when its tools are among those of the rules' type; paths only as the person wrote them. `folder` is the
    real path of `named_folder`, if a task may work there.
    """
    said, prompt = dict(spec.get("decided") or {}), str(spec["prompt"])
    dropped: list[str] = []
    kind, others = _type(wish, spec, said, dropped)
    named = named_folder(wish, prompt)
    if wish.cwd.strip() and said.get("cwd") == "default" and folder is None:
        why = "the text does not name it" if named is None else "no task may work there, or it is no folder"
        dropped.append(f"the folder {quoted(wish.cwd)} was not taken: {why}.")
    title = plain(wish.title, TITLE_LENGTH) if said.get("title") == "default" else ""
    if title and not _is_of(title, prompt):
        dropped.append(f"the title {quoted(title)} was not taken: its words are not those of the text.")
        title = ""
    reading = Reading(
        title=title or None,
        task_type=kind,
        target_files=_files(wish, prompt, dropped) if said.get("target_files") == "default" else None,
        cwd=folder if said.get("cwd") == "default" else None,
        alternatives=others,
    )
    return reading, tuple(dropped)


def _type(
    wish: ParsedWish, spec: Mapping[str, Any], said: Mapping[str, str], dropped: list[str]
) -> tuple[TaskType | None, tuple[Alternative, ...]]:
    """The type to be taken, None for the rules' own; and the other ways to understand the wish."""
    rules = str(spec["task_type"])
    others = [*wish.alternatives] if wish.ambiguous else []
    if wish.type == rules or said.get("type") != "default":
        kind = None
        if wish.type != rules and said.get("type") == "rules":
            others.insert(0, OtherReading(type=wish.type, title=wish.title))
    elif set(offered(wish.type)) <= set(offered(rules)):
        kind = wish.type
    else:
        kind = None
        others.insert(0, OtherReading(type=wish.type, title=wish.title))
        dropped.append(f"the type {wish.type} was not taken: it may do more than {rules}.")
    seen: dict[str, Alternative] = {}
    for other in others:
        title = plain(other.title, TITLE_LENGTH)
        if other.type != (kind or rules) and title:
            seen.setdefault(other.type, Alternative(task_type=other.type, title=title))
    return kind, tuple(seen.values())[:ALTERNATIVES]


def _files(wish: ParsedWish, prompt: str, dropped: list[str]) -> tuple[str, ...] | None:
    """The paths that the person wrote too, inside the working directory. None where there are none."""
    taken = []
    for path in dict.fromkeys(path.strip() for path in wish.target_files):
        if not path:
            continue
        if not _stands_in(path, prompt):
            dropped.append(f"the file {quoted(path)} was not taken: the text does not name it.")
        elif _leaves(path):
            dropped.append(f"the file {quoted(path)} was not taken: it is outside the working directory.")
        else:
            taken.append(path)
    return tuple(taken) or None


def _is_of(title: str, prompt: str) -> bool:
    """Whether at least half of a title's longer words stand in the text: a title adds nothing to it."""
    words = {word for word in re.findall(r"\w+", title.casefold()) if len(word) >= LONG_WORD}
    known = set(re.findall(r"\w+", prompt.casefold()))
    return 2 * len(words & known) >= len(words)


def _stands_in(path: str, prompt: str) -> bool:
    """Whether a path stands in the text as a word of its own, or at the end of a longer path."""
    found = re.search(rf"(?<![\w.-]){re.escape(path)}(?![\w-])", prompt)
    return found is not None and "\n" not in path


def _leaves(path: str) -> bool:
    windows, posix = PureWindowsPath(path), PurePosixPath(path)
    rooted = posix.is_absolute() or bool(windows.drive) or bool(windows.root) or path.startswith("~")
    return rooted or ".." in windows.parts
