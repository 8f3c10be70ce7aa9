"""An edit out of a recorded session, made for real and never twice."""

import time
from dataclasses import dataclass
from pathlib import Path

TRIES = 20


@dataclass(frozen=True)
class Outcome:
    """What came of a tool call. `text` None: what was recorded holds; `trouble`: it failed, and why."""

    text: str | None = None
    trouble: str | None = None


def edit(path: Path, old: str, new: str, every: bool) -> Outcome:
    """Replace `old` by `new`: the one place where it stands, or with `every` all of them.

    Where `new` stands and `old` does not (other than inside `new`), nothing is done:
    the edit was made before, by an attempt that did not live to say so.
    """
    try:
        text = path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        return failed(path, f"{path} cannot be read as text: {type(problem).__name__}")
    if "\r\n" in text:
        old, new = (part.replace("\r\n", "\n").replace("\n", "\r\n") for part in (old, new))
    # Where `new` holds `old`, as "total()" holds "total", the old one still stands inside the new.
    rest = text.replace(new, "\0") if new and old in new else text
    if old and new in text and old not in rest:
        return Outcome(f"The file {path} already holds this edit, so it was not made again.")
    places = text.count(old) if old else 0
    if places == 0:
        return failed(path, f"String to replace not found in {path}.")
    if places > 1 and not every:
        return failed(path, f"Found {places} matches of the string to replace, but replace_all is false.")
    return put(path, text.replace(old, new))


def write(path: Path, content: str) -> Outcome:
    """Make the file hold exactly `content`."""
    if path.is_file() and path.read_bytes() == content.encode():
        return Outcome(f"The file {path} already holds this content, so it was not written again.")
    return put(path, content)


def put(path: Path, text: str) -> Outcome:
    """Old or new, never half: a crash may come at any moment."""
    beside = path.with_name(f".{path.name}.recorded-tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_bytes(text.encode())
        if path.exists():
            beside.chmod(path.stat().st_mode & 0o777)
        replace(beside, path)
    except OSError as problem:
        return failed(path, f"{path} cannot be written: {problem}")
    return Outcome()


def replace(source: Path, target: Path) -> None:
    """As Path.replace; on Windows a scanner may hold the file for a moment, so a few times."""
    for left in reversed(range(TRIES)):
        try:
            source.replace(target)
            return
        except PermissionError:
            if left == 0:
                raise
            time.sleep(0.05)


def failed(path: Path, reason: str) -> Outcome:
    return Outcome(
        f"<tool_use_error>{reason}</tool_use_error>",
        trouble=f"The recorded edit of {path.name} could not be applied: {reason}",
    )
