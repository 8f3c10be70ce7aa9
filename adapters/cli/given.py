"""What a person hands to `evt add`: words or task files, read and judged before anything is written."""

import argparse
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

from adapters.agent_files import AgentFiles
from adapters.cli.failure import CONFLICT, NOT_FOUND, USAGE, Failure
from adapters.cli.pasted import pasted
from adapters.config.settings import Settings
from adapters.home import Home
from adapters.signing_keys import private_folder
from adapters.storage import WINDOWS
from handlers.decider import Refused
from handlers.intake import Ground, names_in, place_of, refuse_what_is_hidden, spec_of
from schemas.free_text import folders_in
from schemas.shown import quoted, shown
from schemas.task import SaidBy, TaskSpec
from schemas.task_fields import MAX_AFTER, agent_for
from schemas.task_file import MAX_BYTES, TaskFile, Unreadable, read_task
from schemas.task_id import problem_with_id

ENDINGS: Final = (".md", ".txt", ".py", ".json", ".yaml", ".yml", ".toml", ".rst", ".cfg", ".log")
"""A single word with one of these is meant as a file."""
PATH_BEGINS: Final = re.compile(r"(?:~|\.{1,2})?[/\\]|[A-Za-z]:[/\\]")


@dataclass(frozen=True)
class Given:
    """One thing to be queued. `name` is the file's, None for text."""

    name: str | None
    content: bytes

    @property
    def called(self) -> str:
        """How a sentence names it."""
        return "the text" if self.name is None else shown(self.name)


def given_by(words: Sequence[str]) -> list[Given]:
    """Each file of the words, or one text of them all. Raises Failure."""
    if not " ".join(words).strip():
        raise Failure(USAGE, "usage", "the text is empty.", "Say what is wanted, or name a task file.")
    paths = [Path(word) for word in words]
    files = [path for path in paths if _is_file(path)]
    if len(words) == 1 and not files:
        _check_word(words[0])
    if not files:
        missing = [word for word in words if word.endswith(".md") and " " not in word]
        if missing:
            raise Failure(NOT_FOUND, "not_found", f"there is no file {shown(missing[0])}.", "Check the path.")
        return [Given(None, " ".join(words).encode())]
    for path in paths:
        if path not in files:
            hint = "Give either files or a text; put a text in quotes."
            sentence = f"{shown(str(path))} is not a file, and others here are."
            raise Failure(NOT_FOUND, "not_found", sentence, hint)
    return [Given(path.name, _bytes_of(path)) for path in files]


def ground_of(home: Home, settings: Settings) -> Ground:
    return Ground(
        home=str(home.root),
        base=str(settings.base_cwd.resolve()),
        allowed_root=str(settings.allowed_root.resolve()),
        windows=WINDOWS,
        private=private_folder(),
    )


def agents_of(home: Home, settings: Settings) -> AgentFiles:
    return AgentFiles(home.root, settings.agents_enabled)


def read_given(
    given: Given,
    options: argparse.Namespace,
    ground: Ground,
    agents: AgentFiles,
    redact: Callable[[str], str],
) -> tuple[TaskFile, TaskSpec]:
    """What it asks for, with what the command line says over it. Raises Failure with the reason."""
    try:
        task = _overridden(options, read_task(given.content, given.name, trusted=True, redact=redact))
        agent, place = agents.get(task.agent), place_of(task, ground)
    except Unreadable as problem:
        raise Failure(USAGE, problem.code, f"{given.called}: {problem.reason}", problem.remedy) from None
    except Refused as no:
        raise Failure(USAGE, no.code, f"{given.called}: {no.sentence}", no.hint) from None
    try:
        return task, spec_of(task, _real(place), ground, agent)
    except Refused as no:
        sentence, hint = no.sentence, no.hint
        if no.code == "cwd_missing" and _is_file(Path(place)):
            sentence = f"The working directory {quoted(place, 200)} is a file, not a folder."
            hint = "Name the folder it lies in as `cwd`."
        raise Failure(USAGE, no.code, f"{given.called}: {sentence}", hint) from None


def check_names(given: Given, task: TaskFile, spec: TaskSpec, redact: Callable[[str], str]) -> None:
    """Raises Refused for a name that the log would not show."""
    named = names_in(spec, task.id) | ({"file name": given.name} if given.name else {})
    refuse_what_is_hidden(redact, named)


def check_twice(given: Given, task: TaskFile, seen: set[str]) -> None:
    """`seen` grows by the written id, in lower case. Raises Failure for one that stands there."""
    if task.id is None:
        return
    if task.id.lower() in seen:
        sentence = f"{given.called} has the id {task.id}, and so has another file here."
        raise Failure(CONFLICT, "id_conflict", sentence, "Give each its own `id`, or leave `id` out.")
    seen.add(task.id.lower())


def _check_word(word: str) -> None:
    """What was meant as a file must not become a task. Raises Failure."""
    name = shown(word)
    hint = "Check the path. Is it a text, then say in words what is wanted."
    try:
        if Path(word).is_dir():
            raise Failure(USAGE, "usage", f"{name} is a folder.", hint)
        if Path(word).exists():
            raise Failure(USAGE, "usage", f"{name} is no regular file.", hint)
    except (OSError, ValueError):
        # A word too long for a name, or with a NUL, is a text.
        return
    if _is_path(word):
        raise Failure(NOT_FOUND, "not_found", f"there is no file {name}.", hint)


def _is_path(word: str) -> bool:
    """Whether it reads as the path of a file. Blanks stand in paths too, and in "Summarise docs/plan.md"."""
    separated = not set(word).isdisjoint({"/", os.sep})
    if len(word.split()) < 2:
        return separated or word.lower().endswith(ENDINGS)
    if "\n" in word or not word.lower().endswith(".md"):
        return False
    task_file = word.lower().endswith(".task.md")
    return PATH_BEGINS.match(word) is not None or ((separated or task_file) and Path(word).parent.is_dir())


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        # A text too long for a name, or with a NUL, is a text.
        return False


def _bytes_of(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as trouble:
        sentence = f"{shown(str(path))} cannot be read: {trouble.strerror}."
        raise Failure(USAGE, "unreadable", sentence, "See who may read it.") from None


def _overridden(options: argparse.Namespace, task: TaskFile) -> TaskFile:
    """What the command line says wins over what is written."""
    changes: dict[str, Any] = {}
    said: dict[str, SaidBy] = {}
    if options.type:
        changes["type"] = "bug_fix" if options.type == "fix" else options.type
        changes["agent"] = agent_for(changes["type"])
        said["type"] = "author"
        changes["alternatives"] = ()
    if options.cwd is not None:
        changes["cwd"] = str(_expanded(options.cwd))
        said["cwd"] = "author"
    elif task.shaped_by == "rules" and task.cwd is not None and _real(task.cwd) is not None:
        # Words say `./shop` of where they are written; where nothing stands there, of the base.
        changes["cwd"] = str(Path(task.cwd).absolute())
    elif task.shaped_by == "rules" and task.cwd is None:
        changes["warnings"] = (*task.warnings, *_passed_over(task.prompt))
    if options.priority:
        changes["priority"] = options.priority
    if options.after:
        changes["after"] = _ids(options.after)
    if task.shaped_by == "rules":
        changes["decided"] = {**task.decided, **said}
    return task.model_copy(update=changes)


def _passed_over(text: str) -> list[str]:
    """A folder that is there and that the text names otherwise than with `in`."""
    there = (path for path in folders_in(text) if _real(os.path.expanduser(path)) is not None)  # noqa: PTH111
    return [
        f"The folder {quoted(path)} of the text is not taken as the working directory: "
        f"if it is meant, say `--cwd {pasted(path)}`."
        for path in islice(there, 1)
    ]


def _expanded(text: str) -> Path:
    try:
        return Path(text).expanduser().absolute()
    except RuntimeError:  # `~nobody`: there is no such person
        raise Failure(USAGE, "usage", f"{quoted(text)} names no folder.", "Write its whole path.") from None


def _ids(text: str) -> tuple[str, ...]:
    """Raises Failure for what can be no task's id: it would wait for ever."""
    ids = tuple(name.strip() for name in text.split(",") if name.strip())
    for problem in filter(None, map(problem_with_id, ids)):
        raise Failure(USAGE, "bad_id", f"--after: {problem}.", "`evt list` shows the ids there are.")
    if not 0 < len(ids) <= MAX_AFTER:
        sentence = f"--after takes 1 to {MAX_AFTER} ids, separated by commas."
        raise Failure(USAGE, "usage", sentence, "`evt list` shows the ids there are.")
    return ids


def _real(place: str) -> str | None:
    try:
        path = Path(place).resolve(strict=True)
    except (OSError, ValueError, RuntimeError):  # RuntimeError: a loop of links
        return None
    return str(path) if path.is_dir() else None
