"""How an event is told: a colour, and a rule that makes words of its data."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

Data = Mapping[str, Any]


class Telling(NamedTuple):
    """The colour of a type's subject, and its words."""

    style: str
    words: Callable[[Data], str]


def after(note: str | None) -> str:
    """A note behind what was said, if there is one."""
    return f": {note}" if note else ""
