"""Which folders a task may work in. Pure: every path is a real one, looked up by the caller."""

from pathlib import PurePosixPath, PureWindowsPath
from typing import NamedTuple

from handlers.tools import edits, granted
from schemas.shown import quoted

OWN_FOLDERS = ("tasks", "logs", "results", "summaries", "blobs", "work")
"""Folders of a home that hold its own state."""

AGENTS_FOLDER = "prompts"
"""The folder of a home that says what agents are told: no task may change that."""

GUARDED_NAMES = frozenset({".git", ".claude"})
"""Folders whose files decide what git or the agent run."""


class Refusal(NamedTuple):
    """Why a working directory is not allowed. `code` is for programs."""

    code: str
    sentence: str
    remedy: str


def inside(root: str, path: str, windows: bool) -> bool:
    """Whether `path` is `root` or lies in it, compared part by part.

    False for a path that is not absolute or holds `..`: such a one is no real path.
    """
    above, below = _parts(root, windows), _parts(path, windows)
    return bool(above) and bool(below) and below[: len(above)] == above


def overlap(a: str, b: str) -> bool:
    """Whether two working directories are the same or one contains the other."""
    windows = not a.startswith("/")
    return inside(a, b, windows) or inside(b, a, windows)


def refusal(
    cwd_real: str, root_real: str, home_real: str, task_type: str, windows: bool, private_real: str = ""
) -> Refusal | None:
    """Why a task of this type may not work in `cwd_real`; None when it may.

    `private_real` is the person's own folder of settings and signing keys, "" where there is none.
    """
    place = quoted(cwd_real, 200)
    if not inside(root_real, cwd_real, windows):
        return Refusal(
            "outside_root",
            f"The working directory {place} is outside the allowed root {quoted(root_real, 200)}.",
            "Name a folder inside it as `cwd`, or set CLAUDE_ALLOWED_ROOT to one that holds both.",
        )
    if private_real and inside(private_real, cwd_real, windows):
        return Refusal(
            "private_folder",
            f"The working directory {place} is in {quoted(private_real, 200)}, where the signing keys lie.",
            "Name a folder of your own work as `cwd`.",
        )
    home = PureWindowsPath(home_real) if windows else PurePosixPath(home_real)
    for folder in OWN_FOLDERS:
        if inside(str(home / folder), cwd_real, windows):
            return Refusal(
                "own_state",
                f"The working directory {place} is in {folder}, where `evt` keeps its own state.",
                "Name a folder of your own work as `cwd`.",
            )
    if edits(task_type) and inside(str(home / AGENTS_FOLDER), cwd_real, windows):
        return Refusal(
            "agents_folder",
            f"The working directory {place} is in {AGENTS_FOLDER}, where it stands what agents are told.",
            "Change an agent's file yourself; a task may only read them.",
        )
    for part in _parts(cwd_real, windows):
        if part.casefold() in GUARDED_NAMES:
            return Refusal(
                "guarded_folder",
                f"The working directory {place} is inside a {quoted(part)} folder.",
                "Name the folder of the project itself as `cwd`.",
            )
    if not granted(task_type):
        return None
    if inside(cwd_real, home_real, windows):
        is_it = "the home of `evt` itself" if inside(home_real, cwd_real, windows) else "which holds its home"
        return Refusal(
            "home_with_shell",
            f"A task of type {task_type} may run commands, so {place}, {is_it}, "
            "may not be its working directory.",
            "Name a project's folder as `cwd` (or `--cwd`), or set CLAUDE_BASE_CWD and CLAUDE_ALLOWED_ROOT "
            "to a folder beside the home.",
        )
    if private_real and inside(cwd_real, private_real, windows):
        return Refusal(
            "keys_with_shell",
            f"A task of type {task_type} may run commands, so {place}, which holds the signing keys, "
            "may not be its working directory.",
            "Name a project's folder as `cwd` (`--cwd`).",
        )
    return None


def _parts(path: str, windows: bool) -> tuple[str, ...]:
    """The parts of an absolute path, comparable; () for anything else."""
    if not windows:
        posix = PurePosixPath(path)
        return posix.parts if posix.is_absolute() and ".." not in posix.parts else ()
    plain = path.replace("/", "\\")
    if plain[:8].upper() == "\\\\?\\UNC\\":
        plain = "\\\\" + plain[8:]
    elif plain.startswith("\\\\?\\"):
        plain = plain[4:]
    parts = PureWindowsPath(plain.lower()).parts
    return parts if PureWindowsPath(plain).is_absolute() and ".." not in parts else ()
