"""The working directory as it is, and what differs from an earlier look.

Nothing of a repository is executed: no git, no hook, no filter.
"""

import hashlib
import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import orjson
import trio

from adapters.git_rules import scope_inside, scope_of
from adapters.safe_files import open_regular
from handlers.ports.files import Compared
from schemas.attempt import FileChange

LARGE: Final = 64 * 1024 * 1024
"""Bytes; a larger file is known by its size, its time and its two ends."""

END: Final = 1024 * 1024
CHUNK: Final = 1024 * 1024

FRESH_NS: Final = 2_000_000_000
"""A file's time may be that coarse: two writes within it can leave the same size and time."""

JUNCTION: Final = 0xA0000003  # Windows: a directory that is a link (IO_REPARSE_TAG_MOUNT_POINT)
ESCAPED = re.compile(rb"\\(?:\\|x([0-9a-f]{2}))")

Entry = tuple[int, int, int, int, str]
"""Size, mtime_ns, ctime_ns (0 on Windows), executable (0 or 1), content.

Content is the SHA-256 in hex, `link:` and the target, `ends:` for a large file,
or `unread:` where the file may not be read. A link has no times.
"""

Looks = tuple[int, int, int, int]
"""An entry without its content, of a file that was there and did not count."""

Unseen = dict[str, str]
"""What could not be looked at, and why; where it is a folder, neither could what lies below it."""

GONE: Final = (FileNotFoundError, NotADirectoryError)


class WorkTrees:
    """Looks at working directories; `exclude` are files and folders that are never looked at.

    Inside a git repository: tracked files, and untracked ones that are not ignored (by
    `.gitignore` at any depth and `.git/info/exclude`; a person's global rules are left out).
    Elsewhere, and where the directory itself is ignored by the repository around it: all files.
    A nested repository has its own rules. `.git` and linked directories are never entered; what
    lies in a folder that cannot be listed counts as it was, and the folder is told as unseen. Where
    the rules change meanwhile, a file that was there and did not count is known by size and time; of
    an ignored folder nothing is known.
    """

    def __init__(self, exclude: Sequence[Path]) -> None:
        self._exclude = frozenset(os.path.normcase(path.resolve()) for path in exclude)

    async def snapshot(self, cwd: str) -> bytes:
        """Canonical JSON: path → entry (see `Entry`; ignored files: `Looks`; unseen: why, alone in a list).

        Raises OSError when `cwd` cannot be listed.

        Paths are relative and `/`-separated. A backslash is doubled and a byte that is no
        UTF-8 written `\\xff`, so that every name can be written and read back.
        """
        return await trio.to_thread.run_sync(self._snapshot, Path(cwd))

    async def changes(self, cwd: str, before: bytes) -> Compared:
        """What differs now from the snapshot `before`, by content and executable bit.

        A file is read again where its size or time differ, or were too fresh to be trusted.
        When `cwd` is gone, or something else stands in its place, every file is deleted.
        Raises OSError when `cwd` cannot be listed, ValueError when `before` is no snapshot.
        """
        return await trio.to_thread.run_sync(self._changes, Path(cwd), before)

    def _snapshot(self, cwd: Path) -> bytes:
        found, ignored, unseen = self._look(cwd.resolve(), {})
        reasons = {path: [why] for path, why in unseen.items()}
        return orjson.dumps({**found, **ignored, **reasons}, option=orjson.OPT_SORT_KEYS)

    def _changes(self, cwd: Path, before: bytes) -> Compared:
        known, ignored, unseen = _parsed(before)
        try:
            if not _is_folder(cwd.lstat()):
                raise NotADirectoryError(f"{cwd} is no directory any more")
            root = cwd.resolve()
            now, _, unseen_now = self._look(root, known)
        except GONE:
            return Compared(_differences(known, {}))
        hidden = {**unseen, **unseen_now}
        fresh = _fresh_from(known)
        for path in known.keys() - now.keys():
            # It may still be there, and only be ignored since: then it is not deleted.
            if (facts := _facts_without_links(root, path)) and (
                entry := _entry(root / _unshown(path), facts, known[path], fresh)
            ):
                now[path] = entry
            elif _within(path, hidden):
                now[path] = known[path]
        for path in now.keys() - known.keys() if unseen else ():
            if _within(path, unseen):
                known[path] = now[path]
        for path in ignored.keys() & now.keys():
            # It counts since the rules changed, but it was there: then it is not created.
            known[path] = now[path] if now[path][:4] == ignored[path] else (*ignored[path], "ignored")
        return Compared(
            _differences(known, now), tuple(f"{path} ({hidden[path]})" for path in sorted(hidden))
        )

    def _look(
        self, root: Path, known: Mapping[str, Entry]
    ) -> tuple[dict[str, Entry], dict[str, Looks], Unseen]:
        """The files that count, those beside them that do not, and what could not be looked at."""
        unseen: Unseen = {}
        fresh = _fresh_from(known)
        found: dict[str, Entry] = {}
        ignored: dict[str, Looks] = {}
        for relative, place, facts, counts in self._walk(root, unseen):
            path = _shown(relative)
            if not counts:
                if stat.S_ISREG(facts.st_mode):
                    ignored[path] = _looks(facts)
            elif entry := _entry(place, facts, known.get(path), fresh):
                found[path] = entry
        return found, ignored, unseen

    def _walk(self, root: Path, unseen: Unseen) -> Iterator[tuple[str, Path, os.stat_result, bool]]:
        """Every file and link of the folders that count: relative path, place, lstat, whether it counts."""
        waiting = [("", root, scope_of(root))]
        while waiting:
            prefix, folder, scope = waiting.pop()
            try:
                with os.scandir(folder) as listing:
                    entries = list(listing)
            except OSError as error:
                if folder == root:
                    raise
                _keep_reason(unseen, prefix, error)
                continue
            names = {entry.name for entry in entries}
            if prefix:
                scope = scope_inside(folder, names, scope)
            for entry in entries:
                if entry.name.lower() == ".git" or os.path.normcase(entry.path) in self._exclude:
                    continue
                try:
                    facts = entry.stat(follow_symlinks=False)
                except OSError as error:
                    _keep_reason(unseen, prefix + entry.name, error)
                    continue
                if _is_folder(facts):
                    inner = scope.entered(entry.name)
                    if inner is not None:
                        waiting.append((f"{prefix}{entry.name}/", Path(entry.path), inner))
                elif _is_file_or_link(facts):
                    yield prefix + entry.name, Path(entry.path), facts, scope.counts(entry.name)


def _parsed(snapshot: bytes) -> tuple[dict[str, Entry], dict[str, Looks], Unseen]:
    found: dict[str, Entry] = {}
    ignored: dict[str, Looks] = {}
    unseen: Unseen = {}
    for path, entry in orjson.loads(snapshot).items():
        match len(entry):
            case 1:
                unseen[path] = entry[0]
            case 4:
                ignored[path] = tuple(entry)
            case _:
                found[path] = tuple(entry)
    return found, ignored, unseen


def _keep_reason(unseen: Unseen, path: str, error: OSError) -> None:
    """Nothing where it is only gone since its folder was listed."""
    if not isinstance(error, GONE):
        unseen[_shown(path)] = error.strerror or type(error).__name__


def _within(path: str, unseen: Unseen) -> bool:
    """Whether it is a place that could not be looked at, or lies in one."""
    if not unseen or path in unseen:
        return bool(unseen)
    above = (at for at, letter in enumerate(path) if letter == "/")
    return any(path[:at] in unseen or path[: at + 1] in unseen for at in above)


def _is_folder(facts: os.stat_result) -> bool:
    return stat.S_ISDIR(facts.st_mode) and not _is_junction(facts)


def _is_file_or_link(facts: os.stat_result) -> bool:
    return stat.S_ISREG(facts.st_mode) or stat.S_ISLNK(facts.st_mode) or _is_junction(facts)


def _is_junction(facts: os.stat_result) -> bool:
    return getattr(facts, "st_reparse_tag", 0) == JUNCTION


def _entry(place: Path, facts: os.stat_result, known: Entry | None, fresh_from: int) -> Entry | None:
    """Describe a file; what is known is trusted while its stat is the same. None: it is gone."""
    try:
        if not stat.S_ISREG(facts.st_mode):
            target = _shown(str(place.readlink()))
            return len(target), 0, 0, 0, f"link:{target}"
        looks = _looks(facts)
        if known is not None and known[:4] == looks and _moment(known) < fresh_from:
            return known
        return *looks, _content(place, facts)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:
        return facts.st_size, facts.st_mtime_ns, 0, 0, f"unread:{facts.st_size}:{facts.st_mtime_ns}"


def _looks(facts: os.stat_result) -> Looks:
    changed = 0 if os.name == "nt" else facts.st_ctime_ns  # there, ctime is the birth
    executable = 1 if facts.st_mode & stat.S_IXUSR else 0
    return facts.st_size, facts.st_mtime_ns, changed, executable


def _content(place: Path, facts: os.stat_result) -> str:
    whole = hashlib.sha256()
    with open_regular(place) as file:
        if facts.st_size <= LARGE:
            while piece := file.read(CHUNK):
                whole.update(piece)
            return whole.hexdigest()
        whole.update(file.read(END))
        file.seek(-END, os.SEEK_END)
        whole.update(file.read(END))
        return f"ends:{facts.st_size}:{facts.st_mtime_ns}:{whole.hexdigest()}"


def _moment(entry: Entry) -> int:
    return entry[2] or entry[1]


def _fresh_from(known: Mapping[str, Entry]) -> int:
    """Files changed at this time (ns) or later may have changed again without a trace.

    The newest file is no younger than the snapshot, so what was fresh then is found without
    writing the moment of the snapshot into it.
    """
    return max((_moment(entry) for entry in known.values()), default=0) - FRESH_NS


def _facts_without_links(root: Path, path: str) -> os.stat_result | None:
    """lstat of a file, None when it is gone or only to be reached through a link."""
    place = root / _unshown(path)
    try:
        for parent in place.relative_to(root).parents[:-1]:
            if not _is_folder((root / parent).lstat()):
                return None
        facts = place.lstat()
    except OSError:
        return None
    return facts if _is_file_or_link(facts) else None


def _differences(before: Mapping[str, Entry], now: Mapping[str, Entry]) -> tuple[FileChange, ...]:
    created, deleted = sorted(now.keys() - before.keys()), sorted(before.keys() - now.keys())
    moved = _moved(before, deleted, now, created)
    gone = set(moved.values())
    found = [FileChange(path=path, change="deleted") for path in deleted if path not in gone]
    for path in created:
        origin = moved.get(path)
        change = FileChange(path=path, change="renamed", moved_from=origin)
        found.append(change if origin is not None else FileChange(path=path, change="created"))
    both = before.keys() & now.keys()
    found += [FileChange(path=path, change="modified") for path in both if before[path][3:] != now[path][3:]]
    return tuple(sorted(found, key=lambda change: change.path))


def _moved(
    before: Mapping[str, Entry], deleted: Sequence[str], now: Mapping[str, Entry], created: Sequence[str]
) -> dict[str, str]:
    """New path → old path, one to one, for the same content that is not empty.

    Where several would fit, the one with the same file name goes first, then the order of paths.
    """
    moved: dict[str, str] = {}
    for key in (_content_and_name, _content_alone):
        origins: dict[tuple[str, str], list[str]] = {}
        taken = set(moved.values())
        for path in reversed(deleted):
            if before[path][0] and path not in taken:
                origins.setdefault(key(before, path), []).append(path)
        for path in created:
            if path not in moved and (fitting := origins.get(key(now, path))):
                moved[path] = fitting.pop()
    return moved


def _content_and_name(entries: Mapping[str, Entry], path: str) -> tuple[str, str]:
    return entries[path][4], path.rpartition("/")[2]


def _content_alone(entries: Mapping[str, Entry], path: str) -> tuple[str, str]:
    return entries[path][4], ""


def _shown(path: str) -> str:
    """Any name as text that JSON can hold; `_unshown` gives the name back."""
    with_slashes = path.replace(os.sep, "/")
    return os.fsencode(with_slashes).replace(b"\\", b"\\\\").decode("utf-8", "backslashreplace")


def _unshown(path: str) -> str:
    return os.fsdecode(
        ESCAPED.sub(lambda found: bytes.fromhex(found[1].decode()) if found[1] else b"\\", path.encode())
    )
