"""The events that a mirror holds, whatever has become of the file, found by their global position."""

import os
from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, Self

from eventstore.event import Recorded
from eventstore.line import NotALine, parse
from eventstore.lineage import NotNext, whole
from eventstore.regular_file import opened
from eventstore.text.lines import LineTooLong, TextLine, text_lines

SHORTEST: Final = 150
"""Bytes; no event's line is shorter, so a file's size says how many there can be at most."""

NOWHERE: Final = -1


@dataclass(frozen=True)
class Fault:
    """The first place that is no line of a log. `number` counts lines from 1, `offset` bytes from 0."""

    number: int
    offset: int
    what: str
    torn: bool
    """Nothing but the end of the last line is missing, as a crash leaves it."""

    def __str__(self) -> str:
        return f"line {self.number} (byte {self.offset}): {self.what}"


class MirrorLines:
    """Reads the file once to find its lines; close it. A file that is not there holds nothing.

    `repeated` are positions at which it holds two different events; the first one is taken.
    Raises OSError.
    """

    def __init__(self, path: Path) -> None:
        self.fault: Fault | None = None
        self.repeated: list[int] = []
        self.last = 0
        self.bare = True
        """Nothing stands round its lines: no mark, no CR, no empty line, and each has its newline."""
        self._offsets = array("q")
        self._file: BinaryIO | None = None
        if path.exists():
            self._file = opened(path)
            self._most = os.fstat(self._file.fileno()).st_size // SHORTEST + 1
            self._find(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *why: object) -> None:
        self.close()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def event(self, position: int) -> Recorded | None:
        """The event at a global position; None where the file has none."""
        if self._file is None or not 1 <= position <= len(self._offsets):
            return None
        offset = self._offsets[position - 1]
        if offset == NOWHERE:
            return None
        self._file.seek(offset)
        try:
            return parse(next(text_lines(self._file)).undressed)
        except (NotALine, StopIteration):  # somebody has changed the file since
            return None

    def _find(self, file: BinaryIO) -> None:
        try:
            for line in text_lines(file):
                self._place(line)
        except LineTooLong as error:
            self._note(Fault(error.number, 0, str(error), torn=False))

    def _place(self, line: TextLine) -> None:
        content = line.undressed
        self.bare = self.bare and line.ended and content == line.content != b""
        if not content:
            if line.content:
                self._note(Fault(line.number, line.offset, "it holds no event", torn=not line.ended))
            return
        try:
            event = whole(content)
        except NotNext as error:
            self._note(Fault(line.number, line.offset, str(error), torn=not line.ended))
            return
        position = event.global_position
        if position > self._most:
            what = f"it claims to be event {position}, more than the file can hold"
            self._note(Fault(line.number, line.offset, what, torn=False))
            return
        if position != self.last + 1:
            what = f"it is event {position} after {self.last}"
            self._note(Fault(line.number, line.offset, what, torn=False))
        missing = position - len(self._offsets)
        if missing > 0:
            self._offsets.extend([NOWHERE] * missing)
        if self._offsets[position - 1] == NOWHERE:
            self._offsets[position - 1] = line.offset
        elif self._differs(position, content, line):
            self.repeated.append(position)
        self.last = max(self.last, position)

    def _differs(self, position: int, content: bytes, line: TextLine) -> bool:
        """Whether another event was found at this position before; the file is read on behind `line`."""
        if self._file is None:
            return False
        behind = self._file.tell()
        before = self.event(position)
        self._file.seek(behind)
        return before is None or before.line != content

    def _note(self, fault: Fault) -> None:
        if self.fault is None:
            self.fault = fault
