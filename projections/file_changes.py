"""Which files a task changed over all its attempts, each measured from a snapshot."""

from collections.abc import Iterable, Mapping
from typing import Any

Change = Mapping[str, Any]

COMPOSED = {
    ("created", "modified"): "created",
    ("created", "deleted"): None,
    ("modified", "deleted"): "deleted",
    ("modified", "modified"): "modified",
    ("deleted", "created"): "modified",
    ("deleted", "modified"): "modified",
}
"""What two changes of one path, one after the other, are together; None: nothing is left of it."""


class FileChanges:
    """A comparison with the same snapshot replaces the one before; one with a new snapshot adds to it."""

    def __init__(self) -> None:
        self._snapshot: str | None = None
        self._before: dict[str, Change] = {}
        self._now: dict[str, Change] = {}

    @property
    def current(self) -> tuple[Change, ...]:
        """All changes, sorted by path."""
        return tuple(change for _, change in sorted(self._now.items()))

    def measured_from(self, snapshot: str) -> None:
        """What is found from now on is a difference from the state that this hash names."""
        if snapshot != self._snapshot:
            self._before = self._now
            self._snapshot = snapshot

    def found(self, changes: Iterable[Change]) -> None:
        self._now = dict(self._before)
        for change in changes:
            moved_from = change["moved_from"]
            source = self._now.pop(moved_from, None) if moved_from is not None else None
            old = source or self._now.pop(change["path"], None)
            together = change if old is None else _moved(old, change) if source else _again(old, change)
            if together is not None:
                self._now[together["path"]] = together


def _again(old: Change, new: Change) -> Change | None:
    """A file that was changed before is changed again."""
    if old["change"] == "renamed":
        if new["change"] == "deleted":
            return {**new, "path": old["moved_from"]}
        return {**old, "touched": True}
    kind = COMPOSED.get((old["change"], new["change"]), new["change"])
    return None if kind is None else {**new, "change": kind}


def _moved(old: Change, new: Change) -> Change | None:
    """A file that was changed before is renamed now; `touched` remembers that its content changed too."""
    if old["change"] == "created":
        return {**new, "change": "created", "moved_from": None}
    touched = old["change"] == "modified" or old.get("touched", False)
    origin = old["moved_from"] if old["change"] == "renamed" else new["moved_from"]
    if origin != new["path"]:
        return {**new, "moved_from": origin, "touched": touched}
    return {**new, "change": "modified", "moved_from": None} if touched else None
