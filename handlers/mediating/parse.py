"""A wish in plain words: what kind of task it is, what it is called, which files and folder it names."""

import re
from collections.abc import Collection, Mapping
from pathlib import PurePosixPath, PureWindowsPath
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from handlers.mediating.reply import Reply, plain
from handlers.tools import edits, offered
from schemas.agent import Agent
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


def named_folder(wish: ParsedWish, spec: Mapping[str, Any]) -> str | None:
    """The folder that the answer names, if a model's word is enough for it; None without one.

    It is not for a task that may change files, nor for a relative path: those count from where the person
    stands, which the rules know and the model does not. And the person must have written it whole.
    """
    folder = wish.cwd.strip()
    whole = PurePosixPath(folder).is_absolute() or PureWindowsPath(folder).is_absolute()
    if not whole or edits(str(spec["task_type"])):
        return None
    return folder if _stands_in(folder, str(spec["prompt"])) else None


def may_become(agent: Agent, task_type: str, other: Agent, other_type: str) -> bool:
    """Whether a task may be done as another type by another agent on a model's word: nothing gets wider."""
    tools, others = offered(task_type, agent.tools), offered(other_type, other.tools)
    return set(others) <= set(tools) and other.permission_mode == agent.permission_mode


def believed(
    wish: ParsedWish, spec: Mapping[str, Any], folder: str | None, kinds: Collection[str] = ()
) -> tuple[Reading, tuple[str, ...]]:
    """What is taken of an answer, and a sentence for each part that is not.

    Where a person, or a word that the rules know, has said something, that holds. A type is taken only
    when it is one of `kinds`; paths only as the person wrote them. `folder` is the real path of
    `named_folder`, if a task may work there.
    """
    said, prompt = dict(spec.get("decided") or {}), str(spec["prompt"])
    dropped: list[str] = []
    kind, others = _type(wish, spec, said, kinds, dropped)
    if wish.cwd.strip() and said.get("cwd") == "default" and folder is None:
        why = (
            "a model's word is not enough for it"
            if named_folder(wish, spec) is None
            else "no task may work there"
        )
        dropped.append(f"the folder {quoted(wish.cwd)} was not taken: {why}. Say it with `--cwd`.")
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
    wish: ParsedWish,
    spec: Mapping[str, Any],
    said: Mapping[str, str],
    kinds: Collection[str],
    dropped: list[str],
) -> tuple[TaskType | None, tuple[Alternative, ...]]:
    """The type to be taken, None for the rules' own; and the other ways to understand the wish."""
    rules = str(spec["task_type"])
    others = [*wish.alternatives] if wish.ambiguous else []
    if wish.type == rules or said.get("type") != "default":
        kind = None
        if wish.type != rules and said.get("type") == "rules":
            others.insert(0, OtherReading(type=wish.type, title=wish.title))
    elif wish.type in kinds:
        kind = wish.type
    else:
        kind = None
        others.insert(0, OtherReading(type=wish.type, title=wish.title))
        dropped.append(f"the type {wish.type} was not taken: it may do more than {rules}, or has no agent.")
    if others and said.get("type") == "rules" and edits(rules):
        # A word that was taken for an order to edit may only have been spoken of.
        others.insert(0, OtherReading(type="analyze", title=plain(str(spec["title"]), TITLE_LENGTH)))
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
    """Whether a path stands in the text whole, not as a piece of a longer one."""
    found = re.search(rf"(?<![\w./\\~-]){re.escape(path)}(?![\w/\\-]|\.\w)", prompt)
    return found is not None and path.strip("./\\") != "" and "\n" not in path


def _leaves(path: str) -> bool:
    windows, posix = PureWindowsPath(path), PurePosixPath(path)
    rooted = posix.is_absolute() or bool(windows.drive) or bool(windows.root) or path.startswith("~")
    return rooted or ".." in windows.parts
