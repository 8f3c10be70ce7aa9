"""What a disk may hold after a power loss, rebuilt from a trace of what the kernel was asked to do.

strace sees every call of the program with its bytes and offsets, whatever library made it. What a file was
given before a sync of that file that returned has stayed; of what came later, each sector of 512 bytes may
be there or not, in any order. So it is with names: they stay when their folder was synced.
"""

import random
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple

from tools.crash.tracing import LISTED

SECTOR: Final = 512
TRACED: Final = f"trace=openat,{LISTED}"
OPTIONS: Final = ("-f", "-y", "-xx", "-s", "2000000", "-e", TRACED)

CALL: Final = re.compile(r"^\d+ +(\w+)\((.*)\) += (\d+)")
PLACE: Final = re.compile(r"^(\d+)<([^>]*)>(?:, )?(.*)$", re.DOTALL)
QUOTED: Final = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')


class Write(NamedTuple):
    """Bytes for a file at an offset; a truncation has no bytes and its length as offset."""

    file: int
    offset: int
    content: bytes | None


class Named(NamedTuple):
    """A name that was given to a file, or taken away (None)."""

    path: str
    file: int | None


class Sync(NamedTuple):
    """A file (its number) or a folder (its path) that was made durable."""

    what: int | str


class Said(NamedTuple):
    """What the program wrote to its stdout: an acknowledgement."""

    text: str


Happening = Write | Named | Sync | Said


class Reader:
    """Reads a trace made with `OPTIONS`; followed are files in `folder` whose names begin with `stem`."""

    def __init__(self, folder: Path, stem: str) -> None:
        self._stem = f"{folder}/{stem}"
        self._folder = str(folder)
        self._names: dict[str, int] = {}
        self._ends: dict[int, int] = {}
        self._files = 0

    def read(self, lines: Iterable[str]) -> Iterator[Happening]:
        for line in lines:
            found = CALL.match(line)
            if found is not None:
                yield from self._call(found[1], found[2], int(found[3]))

    def _call(self, name: str, words: str, result: int) -> Iterator[Happening]:
        if name == "openat":
            path = _text(QUOTED.findall(words)[0])
            if "O_CREAT" in words and self._follows(path) and path not in self._names:
                yield self._give(path)
        elif name.startswith(("rename", "unlink")):
            yield from self._renamed([_text(quoted) for quoted in QUOTED.findall(words)])
        elif (place := PLACE.match(words)) is not None:
            path = _text(place[2])
            if place[1] == "1" and name == "write":
                yield Said(_text(QUOTED.findall(place[3])[0]))
            elif path == self._folder and name in ("fsync", "fdatasync"):
                yield Sync(path)
            elif path in self._names:
                yield from self._changed(name, self._names[path], place[3], result)

    def _changed(self, name: str, file: int, words: str, result: int) -> Iterator[Happening]:
        if name in ("fsync", "fdatasync"):
            yield Sync(file)
        elif name == "ftruncate":
            yield Write(file, int(words), None)
        elif name == "pwrite64":
            yield Write(file, int(words.rpartition(", ")[2]), _bytes(QUOTED.findall(words)[0])[:result])
        else:
            raise ValueError(f"a call that is not followed: {name} of a log's file")

    def _renamed(self, paths: Sequence[str]) -> Iterator[Happening]:
        """Two paths: a rename; one: it is gone."""
        file = self._names.pop(paths[0], None)
        if file is None:
            return
        yield Named(paths[0], None)
        if len(paths) > 1:
            self._names[paths[1]] = file
            yield Named(paths[1], file)

    def _give(self, path: str) -> Named:
        self._files += 1
        self._names[path] = self._files
        return Named(path, self._files)

    def _follows(self, path: str) -> bool:
        return path.startswith(self._stem) and not path.endswith("-shm")


def _bytes(quoted: str) -> bytes:
    return bytes.fromhex(quoted.replace("\\x", ""))


def _text(quoted: str) -> str:
    return _bytes(quoted).decode(errors="replace") if quoted.startswith("\\x") else quoted


Chosen = tuple[tuple[int, tuple[int, ...] | None, bool], ...]
"""What of the pending is on the disk: number, sectors (None: all), whether zeros stand there instead."""


@dataclass
class Disk:
    """What is durable, and what is still on its way, in the order in which it was asked for."""

    names: dict[str, int] = field(default_factory=dict)
    files: dict[int, bytes] = field(default_factory=dict)
    pending: list[Write | Named] = field(default_factory=list)
    epoch: int = 0

    def take(self, happening: Write | Named | Sync) -> None:
        if not isinstance(happening, Sync):
            self.pending.append(happening)
            return
        self.epoch += 1
        left: list[Write | Named] = []
        for one in self.pending:
            if isinstance(one, Write) and one.file == happening.what:
                self.files[one.file] = applied(self.files.get(one.file, b""), [(one, None, False)])
            elif isinstance(one, Named) and isinstance(happening.what, str):
                self._name(self.names, one)
            else:
                left.append(one)
        self.pending = left

    def left(self, chosen: Chosen) -> dict[str, bytes]:
        """The files by their paths, where of the pending only the chosen are there."""
        names = dict(self.names)
        writes: dict[int, list[tuple[Write, tuple[int, ...] | None, bool]]] = {}
        for number, sectors, zeros in chosen:
            one = self.pending[number]
            if isinstance(one, Named):
                self._name(names, one)
            else:
                writes.setdefault(one.file, []).append((one, sectors, zeros))
        return {
            path: applied(self.files.get(file, b""), writes[file])
            if file in writes
            else self.files.get(file, b"")
            for path, file in names.items()
        }

    def grows(self, write: Write) -> bool:
        """Whether it lies behind the durable end of its file, where zeros may stand in its place."""
        return write.offset >= len(self.files.get(write.file, b""))

    @staticmethod
    def _name(names: dict[str, int], one: Named) -> None:
        if one.file is None:
            names.pop(one.path, None)
        else:
            names[one.path] = one.file


def applied(content: bytes, writes: Sequence[tuple[Write, tuple[int, ...] | None, bool]]) -> bytes:
    """A file's bytes with writes done in order; of some only those sectors, or zeros in their place."""
    made = bytearray(content)
    for write, sectors, zeros in writes:
        if write.content is None:
            del made[write.offset :]
            made.extend(bytes(write.offset - len(made)))
            continue
        for start, piece in _pieces(write, sectors):
            if len(made) < start:
                made.extend(bytes(start - len(made)))
            made[start : start + len(piece)] = bytes(len(piece)) if zeros else piece
    return bytes(made)


def _pieces(write: Write, sectors: tuple[int, ...] | None) -> Iterator[tuple[int, bytes]]:
    """The parts of a write by sectors of the file, which may begin in the middle of one."""
    content = write.content or b""
    if sectors is None:
        yield write.offset, content
        return
    bounds = _bounds(write)
    for sector in sectors:
        start, stop = bounds[sector]
        yield write.offset + start, content[start:stop]


def _bounds(write: Write) -> list[tuple[int, int]]:
    length = len(write.content or b"")
    cuts = [0, *range(SECTOR - write.offset % SECTOR, length, SECTOR), length]
    return list(pairwise(cuts))


def states(disk: Disk, dice: random.Random, subsets: int) -> Iterator[Chosen]:
    """None of the pending, all, the last one torn at each sector or left as zeros, and random subsets."""
    count = len(disk.pending)
    yield ()
    if not count:
        return
    everything: Chosen = tuple((number, None, False) for number in range(count))
    yield everything
    last = disk.pending[-1]
    if isinstance(last, Write) and last.content is not None:
        if disk.grows(last):
            yield (*everything[:-1], (count - 1, None, True))
        sectors = range(len(_bounds(last)))
        for end in sectors[1:]:
            yield (*everything[:-1], (count - 1, tuple(sectors[:end]), False))
        if len(sectors) > 1:
            yield (*everything[:-1], (count - 1, tuple(sectors[1:]), False))
    for _ in range(subsets):
        yield tuple(_subset(disk, dice))


def _subset(disk: Disk, dice: random.Random) -> Iterator[tuple[int, tuple[int, ...] | None, bool]]:
    share = dice.choice((0.1, 0.5, 0.9, 0.98))
    torn = dice.random() < 0.5
    for number, one in enumerate(disk.pending):
        if dice.random() > share:
            continue
        if torn and isinstance(one, Write) and one.content is not None and dice.random() < 0.3:
            kept = tuple(sector for sector in range(len(_bounds(one))) if dice.random() < 0.5)
            yield number, kept, False
        else:
            yield number, None, isinstance(one, Write) and disk.grows(one) and dice.random() < 0.1
