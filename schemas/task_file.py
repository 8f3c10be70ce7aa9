"""A task file, or free text, from its bytes to what it asks for."""

from collections.abc import Callable
from typing import Literal

from pydantic import Field

from schemas.free_text import read_wish
from schemas.front_matter import entries, split
from schemas.shown import quoted
from schemas.task import Alternative, Criterion, SaidBy
from schemas.task_body import read_body
from schemas.task_fields import KEYS, Fields, agent_for, read_fields
from schemas.task_text import MAX_BYTES, read_text
from schemas.unreadable import Unreadable

__all__ = ["MAX_BYTES", "TaskFile", "Unreadable", "read_task"]


class TaskFile(Fields):
    """What somebody wrote, read and checked, before the world is looked at.

    `id` is the written one, None without; `cwd` is as written and may be anywhere.
    """

    title: str
    prompt: str
    target_files: tuple[str, ...] = ()
    criteria: tuple[Criterion, ...] = ()
    context: str = ""
    shaped_by: Literal["author", "rules"] = "author"
    decided: dict[str, SaidBy] = Field(default_factory=dict)
    alternatives: tuple[Alternative, ...] = ()


def read_task(
    content: bytes, file_name: str | None, *, trusted: bool, redact: Callable[[str], str] = str
) -> TaskFile:
    """Read a task file. `file_name` is its name in the inbox, None for text from elsewhere.

    `trusted` is true for the inbox and the CLI user: only theirs are checks that are run. `redact` takes
    secrets out of what is cut to become a title: half of one would be known by nobody.
    Raises Unreadable, and nothing else.
    """
    notes: list[str] = []
    text = read_text(content, notes)
    parts = split(text)
    if parts is None:
        wish = read_wish(text, notes, redact)
        notes.extend(_like_front_matter(text))
        return TaskFile(
            type=wish.type,
            agent=agent_for(wish.type),
            title=wish.title,
            prompt=wish.prompt,
            cwd=wish.cwd,
            shaped_by="rules",
            decided=dict(wish.decided),
            alternatives=wish.alternatives,
            warnings=tuple(notes),
        )
    fields = read_fields(entries(parts.source, parts.first_line), parts.first_line - 1)
    body = read_body(parts.body, parts.body_line, trusted, notes, redact)
    if fields.id is None and file_name is not None:
        notes.extend(_waits_for_its_name(fields.after, file_name))
    settings = {name: value for name, value in fields if name != "warnings"}
    return TaskFile(
        **settings,
        title=body.title,
        prompt=body.prompt,
        target_files=body.target_files,
        criteria=body.criteria,
        context=body.context,
        warnings=(*notes, *fields.warnings),
    )


def _like_front_matter(text: str) -> list[str]:
    """A wish that begins with a key of a task file was most likely meant as one."""
    first = next(line for line in text.split("\n") if line.strip())
    key = first.partition(":")[0].strip()
    if ":" not in first or key not in KEYS:
        return []
    return [f'The text begins with `{key}:` and is read as a wish: keys stand between two lines "---".']


def _waits_for_its_name(after: tuple[str, ...], file_name: str) -> list[str]:
    own = file_name.lower().removesuffix(".task.md")
    return [
        f"`after` names {quoted(one)}, this file's own name: it waits for an earlier task of that name."
        for one in after
        if one.lower() == own
    ]
