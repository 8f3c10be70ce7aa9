"""A folder of the first system becomes a home: its records are moved to `logs/v1`, what waited is taken in.

Nothing that it wrote is deleted or written into. Its artifacts and summaries stay where they are, until
a task of the same name leaves its own there.
"""

import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import Any, Final

import orjson

from adapters.home import Home
from adapters.safe_files import (
    NotRegular,
    OutsideHome,
    inside,
    make_folder,
    read_at_most,
    replace,
    write_atomically,
)
from schemas.shown import shown
from schemas.task_text import MAX_BYTES

V1: Final = "v1"
STATE: Final = "state.json"
INDEX: Final = "results/index.json"
LOGS: Final = ("events.ndjson*", STATE, "metrics.json", "orchestrator.log*")
LEGACY: Final = "1.0"
"""The schema of its artifacts."""

LOOKED_AT: Final = 2**16
LARGEST: Final = 16 * 2**20
"""Bytes of its list of files that waited, and of an artifact."""

NAMED: Final = 100
"""So many files that were not taken in are named, the rest counted."""

ENDING: Final = ".task.md"


@dataclass(frozen=True)
class Adopted:
    """`moved` lies in `logs/v1` now, `pending` in `tasks/`; `left` says of each other file why not."""

    moved: tuple[str, ...]
    pending: tuple[str, ...]
    left: tuple[str, ...]


def is_first_system(home: Home) -> bool:
    """Whether the folder is one that the first system worked in, and no home yet."""
    if home.log.exists():
        return False
    return (home.logs / STATE).is_file() or _is_its_log(home.mirror)


def records_of(home: Home) -> Path:
    """The folder that its records are moved to."""
    return home.logs / V1


def move_away(home: Home) -> None:
    """Put its records where ours cannot meet them. What a try that was cut off has moved stays moved.

    Raises FileExistsError, OSError.
    """
    make_folder(records_of(home))
    for source in _records(home):
        target = records_of(home) / source.name
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, "it stands there already", str(target))
        replace(source, target)


def has_records(home: Home) -> bool:
    """Whether something of the first system was moved away here."""
    return records_of(home).is_dir()


def adopted(home: Home) -> Adopted:
    """See that what waited lies in `tasks/`, and say what became of it all. Raises OSError.

    The first system's list may be anybody's: only files inside the folder are looked at.
    """
    moved = sorted(shown(f"logs/{V1}/{path.name}") for path in records_of(home).iterdir())
    pending: list[str] = []
    left: list[str] = []
    try:
        listed = _listed(records_of(home) / STATE)
    except (OSError, ValueError, NotRegular) as problem:
        listed = []
        left.append(f"logs/{V1}/{STATE} cannot be read ({problem}): nothing that it lists was taken in")
    for name in listed:
        try:
            pending.append(_into_inbox(home, name))
        except (OSError, ValueError) as problem:
            why = getattr(problem, "strerror", None) or str(problem)
            left.append(f"{shown(name, 200)} was not taken in: {why}")
    if len(left) > NAMED:
        left[NAMED:] = [f"{len(left) - NAMED} more were not taken in, either"]
    return Adopted(tuple(moved), tuple(dict.fromkeys(pending)), tuple(left))


def spare(home: Path, path: str) -> None:
    """Before `path` is written: an artifact of the first system that stands there is put aside, whole.

    Its summary goes with it. Raises OSError.
    """
    kept = home / "logs" / V1
    task_id = Path(path).name.removesuffix(".json").removesuffix("_summary.txt")
    artifact, summary = home / "results" / f"{task_id}.json", home / "summaries" / f"{task_id}_summary.txt"
    if not (kept.is_dir() and artifact.is_file() and _is_its_artifact(artifact)):
        return
    for source in (summary, artifact):  # the artifact, by which both are known, goes last
        if os.path.lexists(source):
            replace(source, _free(kept / source.name))


def _records(home: Home) -> Iterator[Path]:
    for pattern in LOGS:
        yield from sorted(home.logs.glob(pattern))
    if (home.root / INDEX).is_file():
        yield home.root / INDEX


def _is_its_log(path: Path) -> bool:
    """Whether the first line is one of its events: they have a timestamp, and no place in a log."""
    try:
        line = read_at_most(path, LOOKED_AT).partition(b"\n")[0]
        said: Any = orjson.loads(line)
    except (OSError, NotRegular, orjson.JSONDecodeError):
        return False
    return isinstance(said, dict) and {"timestamp", "event"} <= said.keys() and "global_position" not in said


def _is_its_artifact(path: Path) -> bool:
    try:
        said: Any = orjson.loads(read_at_most(path, LARGEST))
    except (OSError, NotRegular, orjson.JSONDecodeError):
        return False
    return isinstance(said, dict) and said.get("schema_version") == LEGACY


def _listed(state: Path) -> list[str]:
    """The task files that waited. Raises OSError, NotRegular, ValueError."""
    try:
        said: Any = orjson.loads(read_at_most(state, LARGEST))
    except FileNotFoundError:
        return []
    pending = said.get("pending_files", []) if isinstance(said, dict) else None
    if not isinstance(pending, list) or not all(isinstance(name, str) for name in pending):
        raise ValueError("it holds no list of files")
    return pending


def _into_inbox(home: Home, name: str) -> str:
    """Where the file lies in `tasks/`, copied there where it lay elsewhere. Raises OSError, ValueError."""
    relative = _relative(home, name)
    source = inside(home.root, relative)
    if not source.is_file() and (home.root / "tasks" / source.name).is_file():
        source = home.root / "tasks" / source.name  # the folder was moved since
    stem, dot_task, _ = source.name.partition(".task.")
    wanted = f"tasks/{stem if dot_task else source.name.removesuffix('.md')}{ENDING}"
    if source == home.root / wanted:
        if not source.is_file():
            raise FileNotFoundError(errno.ENOENT, "it is not there any more", str(source))
        return wanted
    content = read_at_most(source, MAX_BYTES + 1)
    target = inside(home.root, wanted)
    if not os.path.lexists(target):
        write_atomically(target, content)
    elif read_at_most(target, MAX_BYTES + 1) != content:
        raise ValueError(f"another file stands at {wanted}")
    return wanted


def _relative(home: Home, name: str) -> str:
    """The path from the folder on: the first system wrote whole ones, often those of Windows.

    Raises OutsideHome.
    """
    path = name.replace("\\", "/") if PureWindowsPath(name).drive or "/" not in name else name
    root = home.root.as_posix()
    if path.startswith(f"{root}/"):
        return path.removeprefix(f"{root}/")
    parts = path.split("/")
    if "tasks" in parts and (PureWindowsPath(name).is_absolute() or path.startswith("/")):
        # From where it lay when it was written: the folder may have been moved, or copied from Windows.
        at = len(parts) - 1 - parts[::-1].index("tasks")
        return "/".join(parts[at:])
    if path.startswith("/") or PureWindowsPath(path).drive:
        raise OutsideHome(home.root, name)
    return path


def _free(path: Path) -> Path:
    """The path, or one beside it with a number, where nothing stands."""
    number, place = 2, path
    while os.path.lexists(place):
        place = path.with_name(f"{path.stem}-{number}{path.suffix}")
        number += 1
    return place
