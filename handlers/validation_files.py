"""Which changed files a task did not name, and how paths are told in a sentence."""

from collections.abc import Sequence
from typing import Any, Final

TOLD: Final = 5
"""So many paths are named; of the others the number is told."""
PATH_LIMIT: Final = 120


def outside(changed: Sequence[str], expected: Sequence[str], cwd: str) -> tuple[str, ...]:
    """The changed paths that are no expected path and lie below none; none where nothing is expected.

    Compared part by part, never as strings: `src` holds `src/cart.py` and not `src-old/cart.py`.
    What is expected may be absolute; outside the working directory it names nothing that could change.
    """
    if not expected:
        return ()
    tree: dict[str, Any] = {}
    for path in expected:
        parts = _parts(path, cwd)
        if parts is not None:
            node = tree
            for part in parts:
                node = node.setdefault(part, {})
            node[""] = {}
    return tuple(path for path in changed if not _lies_in(tree, _parts(path, cwd) or []))


def _lies_in(tree: dict[str, Any], parts: list[str]) -> bool:
    node = tree
    for part in parts:
        if "" in node:
            return True
        if part not in node:
            return False
        node = node[part]
    return "" in node


def _parts(path: str, cwd: str) -> list[str] | None:
    """The parts of a path from the working directory on; None where it leads out of it."""
    windows = cwd[1:2] == ":" or cwd.startswith("\\\\")
    if windows:  # there case and the kind of slash make no difference; elsewhere both belong to a name
        path, cwd = path.replace("\\", "/").casefold(), cwd.replace("\\", "/").casefold()
    rooted = path.startswith("/") or (windows and path[1:2] == ":")
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if rooted:
        folder = [part for part in cwd.split("/") if part]
        if parts[: len(folder)] != folder:
            return None
        parts = parts[len(folder) :]
    found: list[str] = []
    for part in parts:
        if part != "..":
            found.append(part)
        elif found:
            found.pop()
        else:
            return None
    return found


def numbered(paths: Sequence[str]) -> str:
    return "1 file" if len(paths) == 1 else f"{len(paths)} files"


def first_of(paths: Sequence[str]) -> str:
    """The first few paths; a long one without its beginning."""
    told = ", ".join(
        path if len(path) <= PATH_LIMIT else f"…{path[1 - PATH_LIMIT :]}" for path in paths[:TOLD]
    )
    return told if len(paths) <= TOLD else f"{told} and {len(paths) - TOLD} more"
