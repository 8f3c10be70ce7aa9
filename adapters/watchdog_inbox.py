"""The inbox `tasks/`: what lies in it, moved aside when it is known, with hints from watchdog.

An event of the watcher is only a hint; a scan is the truth. Where nothing can be watched
(no inotify watches left, the folder is gone) there is a hint every second.
"""

import errno
import hashlib
import itertools
import logging
import math
import os
import re
import stat
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace as replaced
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import trio
from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver
from watchdog.utils import UnsupportedLibcError

from adapters.safe_files import (
    NotRegular,
    OutsideHome,
    inside,
    open_regular,
    read_at_most,
    replace,
    unlink,
    write_atomically,
)
from eventstore.file_lock import is_written
from handlers.ports.files import Dropped
from schemas.task_file import MAX_BYTES

FOLDER: Final = "tasks"
SUFFIX: Final = ".task.md"
POLL_S: Final = 1.0
LOOK_S: Final = 5.0
"""So often a watched folder is compared with the one that bears the name now; its own end is an event."""

TRY_AGAIN_EVERY: Final = 60
"""Polls between two attempts to watch a folder that could not be watched."""

READ_OF_A_FILE: Final = MAX_BYTES + 1
"""A delivery is known by the hash of what is read of it, and no more is read of one that is too large."""

STOP_S: Final = 5.0
EVENT_DELAY_S: Final = 0.05 if sys.platform == "win32" else 0.25
"""So long watchdog waits at a time: on Windows it holds events back, elsewhere only its end waits."""
TELLING: Final = frozenset({"created", "modified", "moved", "deleted", "closed"})
"""The watcher's events that may matter; `opened` would be the echo of our own reading."""

ESCAPED = re.compile(rb"\\x([0-9a-f]{2})")
KINDS: Final = (
    (stat.S_ISLNK, "a symbolic link"),
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (lambda mode: stat.S_ISCHR(mode) or stat.S_ISBLK(mode), "a device"),
)


def _new_observer() -> BaseObserver:
    return Observer(timeout=EVENT_DELAY_S)


class WatchdogInbox:
    """`<home>/tasks/`. `async with inbox:` watches it; everything else works without that, too.

    `watching` says whether the watcher is at work, `reason` why it is not.
    A name that is no UTF-8 is shown with its stray bytes as `\\xff`; it may be handed back so.
    A file with a second name is no task file unless `hard_links` are allowed: somebody who
    may not read a file can still link to it, and have it read by us.
    """

    def __init__(
        self,
        home: Path,
        observer: Callable[[], BaseObserver] = _new_observer,
        *,
        hard_links: bool = False,
    ) -> None:
        self._home = home
        self._hard_links = hard_links
        self._folder = home / FOLDER
        self._make_observer = observer
        self._observer: BaseObserver | None = None
        self._identity: tuple[int, int] | None = None
        self._token: trio.lowlevel.TrioToken | None = None
        self._changed = trio.Event()
        self._lost = False
        self._polls = 0
        self._looked = -math.inf
        self.watching = False
        self.reason: str | None = "it is not started"

    async def __aenter__(self) -> Self:
        self._token = trio.lowlevel.current_trio_token()
        # Its threads say on stderr that they have been stopped; what matters comes by `reason`.
        logging.getLogger("watchdog").addHandler(logging.NullHandler())
        await trio.to_thread.run_sync(self._watch_what_is_there)
        self._looked = trio.current_time()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with trio.CancelScope(shield=True):
            self._token = None
            await trio.to_thread.run_sync(self._stop, "it is stopped")

    # --- what lies there

    async def scan(self) -> list[Dropped]:
        """The task files that lie in `tasks/` now, by age, then name; none when it is gone.

        Raises OSError when `tasks` is a link or no folder, or cannot be listed.
        """
        return await trio.to_thread.run_sync(self._scan)

    async def read(self, name: str, limit: int) -> bytes:
        """At most `limit` bytes of it. Raises NotRegular, OSError."""
        return await trio.to_thread.run_sync(self._read, name, limit)

    async def is_written(self, name: str) -> bool:
        """Whether somebody has it open for writing; False also where that cannot be told."""
        return await trio.to_thread.run_sync(is_written, self._place_of(name))

    def _read(self, name: str, limit: int) -> bytes:
        # looked at again once it is open: the name may stand for another file by now
        return read_at_most(self._place_of(name), limit, alone=not self._hard_links)

    def _scan(self) -> list[Dropped]:
        if self._folder_identity() is None:
            return []
        found: list[tuple[int, Dropped]] = []
        with os.scandir(self._folder) as entries:
            for entry in entries:
                if entry.name.endswith(SUFFIX) and not entry.name.startswith((".", "~$")):
                    try:
                        facts = Path(entry.path).lstat()
                    except FileNotFoundError:
                        continue  # taken away since it was listed
                    found.append((facts.st_mtime_ns, _dropped(entry.name, facts, self._hard_links)))
        return [dropped for _, dropped in sorted(found, key=lambda pair: (pair[0], pair[1].name))]

    def _folder_identity(self) -> tuple[int, int] | None:
        """Device and inode of `tasks/`, None when it is not there."""
        try:
            facts = self._folder.lstat()
        except FileNotFoundError:
            return None
        if stat.S_ISDIR(facts.st_mode):
            return facts.st_dev, facts.st_ino
        what = "a symbolic link" if stat.S_ISLNK(facts.st_mode) else "no folder"
        raise NotADirectoryError(
            errno.ENOTDIR, f"the inbox is {what}: make it a real folder again", str(self._folder)
        )

    def _place_of(self, name: str) -> Path:
        if not name or name in (".", "..") or Path(name).name != name:
            raise OutsideHome(self._home, f"{FOLDER}/{name}")
        place = self._folder / name
        if ESCAPED.search(os.fsencode(name)) and not _there(place):
            return self._folder / _unescaped(name)
        return place

    # --- moving

    async def archive(self, name: str, sha256: str | None, target: str) -> str | None:
        """Move `tasks/<name>` to `target` (relative to the home); returns where it now is.

        A target taken by other content gets `-2`, `-3`, …; one with the same content
        counts as done. Without `sha256` it is moved whatever it is. None when the content is
        no longer `sha256` (it is left alone), and when it is neither here nor there.
        Raises OSError when it cannot be moved, OutsideHome.
        """
        return await trio.to_thread.run_sync(self._archive, name, sha256, target)

    async def rearchive(self, old: str, target: str) -> str | None:
        """Rename within the archive, by the same rules; None when it is neither here nor there."""
        return await trio.to_thread.run_sync(self._rearchive, old, target)

    async def write_reason(self, target: str, text: str) -> None:
        """Write a small text file (relative to the home) atomically. Raises OSError."""
        await trio.to_thread.run_sync(self._write_reason, target, text)

    def _archive(self, name: str, sha256: str | None, target: str) -> str | None:
        source = self._place_of(name)
        if _there(source):
            return self._move(source, sha256, target)
        if sha256 is None:
            return target if _there(inside(self._home, target)) else None
        for candidate in _candidates(target):
            place = inside(self._home, candidate)
            if not _there(place):
                return None
            if _digest(place, READ_OF_A_FILE) == sha256:
                return candidate
        return None

    def _rearchive(self, old: str, target: str) -> str | None:
        source, place = inside(self._home, old), inside(self._home, target)
        if old != target and _there(source):
            return self._move(source, None, target)
        return target if _there(place) else None

    def _move(self, source: Path, sha256: str | None, target: str) -> str | None:
        facts = source.lstat()
        if sha256 is not None and _digest(source, READ_OF_A_FILE) != sha256:
            return None
        for candidate in _candidates(target):
            place = inside(self._home, candidate)
            if not _there(place):
                place.parent.mkdir(parents=True, exist_ok=True)
                replace(source, place)
                if _same(facts, place.lstat()):
                    return candidate
                # somebody saved it between our look and our move: it is another delivery
                if not _there(source):
                    replace(place, source)
                return None
            digest = _digest(source)
            if digest is not None and _digest(place) == digest:
                if not _same(facts, source.lstat()):
                    return None
                unlink(source)
                return candidate
        return None

    def _write_reason(self, target: str, text: str) -> None:
        place = inside(self._home, target)
        place.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(place, text.encode("utf-8", "backslashreplace"))

    # --- hints

    async def hint(self) -> None:
        """Return when something may have changed in the inbox; at the latest after a second
        while it is not watched. Any number of events between two calls is one hint."""
        while True:
            # Counted from the last look, not from this call: a caller may never wait so long.
            with trio.move_on_at(self._looked + (LOOK_S if self.watching else POLL_S)):
                await self._changed.wait()
            hinted = self._changed.is_set()
            if hinted:
                self._changed = trio.Event()
            if self._lost or not hinted:
                renewed = await trio.to_thread.run_sync(self._watch_what_is_there)
                self._looked = trio.current_time()
                hinted = hinted or renewed or not self.watching
            if hinted:
                return

    def tell(self, event: FileSystemEvent) -> None:
        """Called by the watcher, in its own thread."""
        token = self._token
        if event.event_type not in TELLING or token is None:
            return
        paths = [Path(os.fsdecode(path)) for path in (event.src_path, event.dest_path) if path]
        if self._folder in paths and event.event_type in ("deleted", "moved"):
            self._lost = True
        elif not any(path.name.endswith(SUFFIX) and path.parent == self._folder for path in paths):
            return
        try:
            # idempotent: a thousand events before the loop's next turn are one call
            token.run_sync_soon(self._wake, idempotent=True)
        except trio.RunFinishedError:
            return  # the service has ended; there is nobody left to hint to

    def _wake(self) -> None:
        self._changed.set()

    def _watch_what_is_there(self) -> bool:
        """Watch the folder that now bears the name; True when the watch is a new one."""
        if self._token is None:
            return False
        try:
            identity = self._folder_identity()
        except OSError as error:
            self._stop(f"{error.strerror}")
            return False
        if identity is None:
            self._stop("the folder tasks/ is not there")
            return False
        if identity == self._identity and not self._lost:
            if self._observer is not None and _alive(self._observer):
                return False
            self._polls += 1
            if self._observer is None and self._polls % TRY_AGAIN_EVERY:
                return False
        self._stop("it is started anew")
        self._identity, self._lost = identity, False
        observer = self._make_observer()
        try:
            # With what lies below: of a file that is moved to where it does not look, watchdog waits half a
            # second for the other end, and everything after it waits behind that.
            observer.schedule(_Telling(self.tell), str(self._folder), recursive=True)
            observer.start()
        except (OSError, RuntimeError, UnsupportedLibcError) as error:
            observer.unschedule_all()
            self.reason = f"the folder tasks/ cannot be watched ({error})"
            return False
        self._observer, self.watching, self.reason = observer, True, None
        return True

    def _stop(self, reason: str) -> None:
        observer, self._observer, self._identity = self._observer, None, None
        self.watching, self.reason = False, reason
        if observer is not None:
            observer.stop()
            observer.join(STOP_S)


class _Telling(FileSystemEventHandler):
    """Hands every event of the watcher to one function."""

    def __init__(self, tell: Callable[[FileSystemEvent], None]) -> None:
        self._tell = tell

    def on_any_event(self, event: FileSystemEvent) -> None:
        self._tell(event)


def _alive(observer: BaseObserver) -> bool:
    return observer.is_alive() and all(emitter.is_alive() for emitter in observer.emitters)


def _dropped(name: str, facts: os.stat_result, hard_links: bool) -> Dropped:
    shown = os.fsencode(name).decode("utf-8", "backslashreplace")
    found = Dropped(
        name=shown,
        fingerprint=(facts.st_size, facts.st_mtime_ns, facts.st_ino, facts.st_nlink),
        size=facts.st_size,
    )
    if not stat.S_ISREG(facts.st_mode):
        kind = next((words for is_one, words in KINDS if is_one(facts.st_mode)), "something else")
        return replaced(found, problem=f"It is {kind}; a task file is a regular file.")
    if shown != name:
        problem = "Its name is not valid UTF-8, so the log could not tell it again."
        return replaced(found, problem=problem, code="bad_name", remedy="Rename it and drop it again.")
    if facts.st_nlink > 1 and not hard_links:
        return replaced(
            found,
            problem=f"It is a hard link: the file has {facts.st_nlink} names.",
            code="hard_link",
            remedy="Drop a copy of it, or set EVT_ALLOW_HARDLINKS=1.",
        )
    return found


def _unescaped(name: str) -> str:
    """The name whose stray bytes `_dropped` has shown as `\\xff`."""
    return os.fsdecode(ESCAPED.sub(lambda found: bytes.fromhex(found[1].decode()), os.fsencode(name)))


def _there(path: Path) -> bool:
    return os.path.lexists(path)


def _same(before: os.stat_result, after: os.stat_result) -> bool:
    """The inode is left out: a rename may give a new one on FAT."""
    return (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)


def _digest(path: Path, limit: float = math.inf) -> str | None:
    """SHA-256 (hex) of the first `limit` bytes of a regular file, None for anything else. Raises OSError."""
    try:
        with open_regular(path) as file:
            found = hashlib.sha256()
            while limit > 0 and (piece := file.read(int(min(1 << 20, limit)))):
                found.update(piece)
                limit -= len(piece)
            return found.hexdigest()
    except NotRegular:
        return None


def _candidates(target: str) -> Iterator[str]:
    """The target, then the same with `-2`, `-3`, … before `.task.md` (else before the suffix)."""
    yield target
    suffix = SUFFIX if target.endswith(SUFFIX) else Path(target).suffix
    stem = target.removesuffix(suffix)
    for number in itertools.count(2):
        yield f"{stem}-{number}{suffix}"
