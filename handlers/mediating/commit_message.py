"""A commit's message: by the model out of task and diff, or by type and title. Trailers are ours."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from handlers.mediating.reply import Reply, Unusable, lines_of, plain

PREDICT: Final = 400
SUBJECT: Final = 72
"""Characters of the first line, its kind included."""
BODY_LINES: Final = 10
KINDS: Final[Mapping[str, str]] = {"bug_fix": "fix", "documentation": "docs", "code_review": "refactor"}
_TRAILER = re.compile(r"\A\s*[A-Za-z0-9][A-Za-z0-9-]*\s*[:=#]|\A\(cherry picked from commit ")
_Line = Annotated[str, Field(max_length=100)]


class WrittenMessage(Reply):
    """The kinds are those of Conventional Commits 1.0 that the first system wrote."""

    kind: Literal["feat", "fix", "refactor", "docs", "test", "chore"]
    subject: _Line
    body: Annotated[tuple[_Line, ...], Field(max_length=BODY_LINES)]


def message_text(written: WrittenMessage) -> tuple[str, tuple[str, ...]]:
    """The message and what was left out of it. Raises Unusable for an empty subject."""
    subject = plain(written.subject, 200).removeprefix(f"{written.kind}: ").rstrip(".")
    if not subject:
        raise Unusable("empty", "the model's message has no first line.")
    body, dropped = [], []
    for line in (line for part in written.body for line in lines_of(part)):
        # git would take such a line for a trailer, or pass it over as a comment.
        if _TRAILER.match(line) or line.lstrip().startswith("#"):
            dropped.append("a line that reads like a trailer or a comment was left out of the message.")
        elif line:
            body.append(line)
    message = "\n\n".join(filter(None, (_first_line(written.kind, subject), "\n".join(body))))
    return message, tuple(dict.fromkeys(dropped))


def by_rules(spec: Mapping[str, Any]) -> str:
    """The kind by the task's type, the subject by its title."""
    subject = plain(str(spec["title"]), 200).lstrip("#").strip() or "changes of a task"
    return _first_line(KINDS.get(str(spec["task_type"]), "chore"), subject)


def _first_line(kind: str, subject: str) -> str:
    return plain(f"{kind}: {subject}", SUBJECT)
