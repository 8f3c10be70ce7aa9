"""Whether the local model is asked at all: one that has just failed is left alone for a while."""

from collections.abc import Mapping
from typing import Any, Final

BRIEF_S: Final = 5
LONG_S: Final = 60
MANY: Final = 3
"""From so many failures in a row on it rests long."""


def rest_of(row: Mapping[str, Any] | None, now: int, model: str) -> str | None:
    """A sentence while it rests, None when it may be asked. `row` is the one of the view `mediator`.

    What another model did says nothing of the `model` that is asked now.
    """
    if row is None or not row["failures"] or row["model"] != model:
        return None
    rest_s = LONG_S if row["failures"] >= MANY else BRIEF_S
    # A clock that was set back makes nobody wait longer.
    if not 0 <= now - row["failed_at"] < rest_s * 1_000_000:
        return None
    return f"it is not asked for {rest_s} s after a failure: {row['sentence']}"
