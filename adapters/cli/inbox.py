"""What lies in the inbox and is in no list yet, looked at as the service looks at it."""

import importlib
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

from adapters.home import Home
from projections.projection import Row
from schemas.shown import shown

SUFFIX: Final = ".task.md"
HIDDEN: Final = (".", "~$", "#")
LEFTOVERS: Final = ("~", ".swp", ".swo", ".tmp", ".bak", ".part", ".crdownload")
"""Of editors and browsers at work: nobody takes these for task files."""
NAMED: Final = 3
SHORTEST_LEAK: Final = 16
"""Characters: no form of secret is shorter."""


def inbox(home: Home, known: Iterable[Row]) -> dict[str, Any]:
    """`waiting`: task files that are not taken in yet. `ignored`: visible files whose names do not
    end in `.task.md`. Both sorted. `problem` is why they cannot be told, else None.

    `known` are the rows of the view `in_inbox`: files that lie there and are a task or a
    refusal already; they are moved soon.
    """
    digests: dict[str, set[str | None]] = {}
    for row in known:
        digests.setdefault(row["file_name"], set()).add(row["content_sha256"])
    if (home.root / "tasks").is_symlink():
        return {"waiting": [], "ignored": [], "problem": "it is a symbolic link; make it a real folder"}
    try:
        entries = _files(home.root / "tasks")
        waiting = [path.name for path in entries if is_task_file(path.name) and not _is_known(path, digests)]
    except OSError as trouble:
        return {"waiting": [], "ignored": [], "problem": trouble.strerror or str(trouble)}
    ignored = [path.name for path in entries if _is_ignored(path)]
    return {"waiting": _sorted(waiting), "ignored": _sorted(ignored), "problem": None}


def inbox_in_words(told: Mapping[str, Any]) -> str:
    """The answer of `inbox` for people; empty where there is nothing to say."""
    said: list[str] = []
    if told["problem"]:
        said.append(f"it cannot be looked into: {shown(told['problem'])}")
    if told["waiting"]:
        said.append(f"not taken in yet: {_few(told['waiting'])}")
    if told["ignored"]:
        said.append(f"passed over, for a task file's name ends in {SUFFIX}: {_few(told['ignored'])}")
    return "; ".join(said)


def lies_as(home: Home, task_id: str) -> str | None:
    """The name of the file in the inbox that would become the task of that id, None without one."""
    wanted = f"{task_id}{SUFFIX}".lower()
    try:
        names = [path.name for path in _files(home.root / "tasks") if is_task_file(path.name)]
    except OSError:
        # What cannot be listed is said by `status`; here it only means that nothing is found.
        return None
    return next((name for name in _sorted(names) if name.lower() == wanted), None)


def is_task_file(name: str) -> bool:
    return name.endswith(SUFFIX) and not name.startswith((".", "~$"))


def _files(folder: Path) -> Sequence[Path]:
    with os.scandir(folder) as entries:
        return [Path(entry.path) for entry in entries]


def _is_ignored(path: Path) -> bool:
    name = path.name
    if name.endswith((SUFFIX, *LEFTOVERS)) or name.startswith(HIDDEN):
        return False
    return path.is_file()


def _is_known(path: Path, digests: Mapping[str, Collection[str | None]]) -> bool:
    found = digests.get(_shown(path.name), ())
    if not found:
        return False
    # Few files lie there under a name that is known, and what reads them takes its time to load.
    judge: Any = importlib.import_module("adapters.cli.known_file")
    return bool(judge.is_known(path, found))


def _sorted(names: Iterable[str]) -> list[str]:
    return sorted(map(_shown, names))


def _shown(name: str) -> str:
    """As the log has it: a byte that is no UTF-8 stands as `\\xff`, a secret as its mark."""
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    return text if len(text) < SHORTEST_LEAK else str(_redactor().text(text)[0])


@cache
def _redactor() -> Any:
    """Few files lie there with so long a name, and what knows secrets takes its time to load."""
    return importlib.import_module("eventstore.redaction.patterns").Redactor()


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(shown(name, 80) for name in names[:NAMED]) + more
