"""Which files a task changed over all its attempts, each measured from its own snapshot."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

Change = Mapping[str, Any]
"""A changed file as it stands in the log: `path`, `change`, `moved_from`; here also `touched`."""


class _Content(NamedTuple):
    """What lies at a path: of which path at the beginning (None: of none), and whether it was edited."""

    origin: str | None
    touched: bool


class _Tree:
    """The paths that were touched. `stood`: was a file there at the beginning; `lies`: what is there now."""

    def __init__(self) -> None:
        self.stood: dict[str, bool] = {}
        self.lies: dict[str, _Content | None] = {}

    def apply(self, changes: Sequence[Change]) -> None:
        """Take in what one comparison found: all of it happened at once."""
        was = dict(self.lies)
        for change in changes:
            path, origin = change["path"], change["moved_from"]
            self.stood.setdefault(path, change["change"] in ("modified", "deleted"))
            if change["change"] == "deleted":
                self.lies[path] = None
            elif origin is not None:
                self.stood.setdefault(origin, True)
                self.lies[origin] = None
        for change in changes:
            path, origin = change["path"], change["moved_from"]
            if origin is not None:
                found = was.get(origin, _Content(origin, touched=False)) or _Content(None, touched=True)
                self.lies[path] = found._replace(touched=found.touched or change.get("touched", False))
            elif change["change"] == "created":
                self.lies[path] = _Content(None, touched=True)
            elif change["change"] == "modified":
                found = was.get(path, _Content(path, touched=False)) or _Content(None, touched=True)
                self.lies[path] = found._replace(touched=True)

    def changes(self) -> tuple[Change, ...]:
        """What is different from the beginning, sorted by path."""
        moved = {path: content for path, content in self.lies.items() if content and self._is_moved(path)}
        origins = {content.origin for content in moved.values()}
        found: list[Change] = []
        for path, content in sorted(self.lies.items()):
            if content is None:
                if self.stood[path] and path not in origins:
                    found.append(_change(path, "deleted"))
            elif self.stood[path]:
                if content != (path, False):
                    found.append(_change(path, "modified"))
            elif path not in moved:
                found.append(_change(path, "created"))
            else:
                touched = {"touched": True} if content.touched else {}
                found.append({**_change(path, "renamed"), "moved_from": content.origin, **touched})
        return tuple(found)

    def _is_moved(self, path: str) -> bool:
        """A file of the beginning lies where none was, and nothing lies where it was."""
        content = self.lies[path]
        if content is None or content.origin is None or self.stood[path]:
            return False
        return content.origin in self.lies and self.lies[content.origin] is None


def _change(path: str, kind: str) -> Change:
    return {"path": path, "change": kind, "moved_from": None}


def composed(earlier: Sequence[Change], later: Sequence[Change]) -> tuple[Change, ...]:
    """One list for two, the later of which was measured from the state that the earlier led to.

    A file that the later one changed back still counts as modified: a list holds no content.
    """
    tree = _Tree()
    tree.apply(earlier)
    tree.apply(later)
    return tree.changes()


def measured_from(step: Mapping[str, Any]) -> str | None:
    """The hash that names the state of the directory a finished step found; None for another step."""
    if step["phase"] != "snapshot":
        return None
    found: str | None = step["blob"] or step.get("measured")
    return found


class FileChanges(NamedTuple):
    """A comparison with the same snapshot replaces the one before; one with a new snapshot adds to it."""

    snapshot: str | None = None
    earlier: tuple[Change, ...] = ()
    latest: tuple[Change, ...] = ()

    @property
    def current(self) -> tuple[Change, ...]:
        """All changes, sorted by path."""
        return composed(self.earlier, self.latest)

    def measured_from(self, snapshot: str) -> "FileChanges":
        """What is found from now on is a difference from the state that this hash names."""
        # The same state again: whatever was found since it was first seen is undone.
        earlier = self.earlier if snapshot == self.snapshot else self.current
        return FileChanges(snapshot, earlier)

    def found(self, changes: Sequence[Change]) -> "FileChanges":
        return FileChanges(self.snapshot, self.earlier, tuple(changes))


NO_CHANGES: Final = FileChanges()
