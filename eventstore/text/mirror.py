"""The mirror: the log's lines as a text file, byte for byte, which can always be made again."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BufferedReader, FileIO
from itertools import count
from pathlib import Path
from typing import Final

from eventstore.file_lock import lock, unlock
from eventstore.line import NotALine, parse
from eventstore.log import Log
from eventstore.regular_file import regular

LINES_COMPARED: Final = 3
"""The last lines are those that a crash or an editor has hurt."""

CHUNK: Final = 2**20
BLOCK: Final = 2**16
OWNER_WRITES: Final = 0o644
OTHERS_WRITE: Final = 0o022
TRIES: Final = 8


@dataclass(frozen=True, slots=True)
class Repair:
    """What was wrong with the mirror, what was cut off, and how many lines were written."""

    problem: str
    bytes_cut: int
    lines_written: int


class MirrorAhead(Exception):
    """The mirror holds events that the log lacks; the text says what to do. Nothing was touched."""

    def __init__(self, path: Path, position: int, head: int) -> None:
        super().__init__(
            f"{path} holds event {position}, but the log ends at {head}: the log is older than its mirror "
            "(was it restored from a backup, or its -wal file removed?). "
            "`evt recover --from-mirror` brings back what the log lacks"
        )
        self.path = path
        self.position = position
        self.head = head


class Mirror:
    """Whoever has appended brings it up to the head, in whole lines, under the file's own lock.

    It needs no fsync: what a crash takes away is written again from the log. It is only ever cut
    back to lines that agree with the log, and grows from there, so each state of it is a beginning
    of the log, but for a torn last line.
    """

    def __init__(self, path: Path, log: Log) -> None:
        self.path = path
        self._log = log

    def catch_up(self, *, thorough: bool = False) -> Repair | None:
        """Bring it up to the log's head; what had to be mended, None where it agreed.

        The first line and the last three are compared with the log, with `thorough` each one.
        A mirror of an empty log is an empty file; one that is missing later counts as lost.
        Raises MirrorAhead, OSError.
        """
        with self._locked() as (file, made):
            head = self._log.head()
            problem = "it was missing" if made and head else None
            size = os.fstat(file.fileno()).st_size
            position, end = self._last_whole_line(file, size)
            if thorough or not self._agrees(file, position, end, head):
                position, end = self._common_beginning(file, size, head)
                if end < size:
                    problem = f"it differed from the log after line {position}"
            elif end < size:
                problem = "its last line was torn"
            if end < size:
                if self._holds_other_events(file, end, head):
                    # Whole lines that the log does not have so may be the only copy of what was
                    # recorded before the log was put back from a backup: they are kept beside.
                    problem = f"{problem}; what it held was kept as {self._keep_beside(file).name}"
                file.truncate(end)
            written = self._write(file, end, position, head)
        return Repair(problem, size - end, written) if problem else None

    def rewrite(self) -> None:
        """Write all of it anew from the log, and keep nothing of what it held. Raises OSError."""
        with self._locked() as (file, _):
            file.truncate(0)
            self._write(file, 0, 0, self._log.head())

    @contextmanager
    def _locked(self) -> Iterator[tuple[FileIO, bool]]:
        """The open, locked file, and whether it was made just now."""
        for _ in range(TRIES):
            made = not self.path.exists()
            with FileIO(self.path, "a+", opener=regular) as file:
                lock(file.fileno(), blocking=True)
                try:
                    if self._is_current(file):
                        self._close_to_others(file)
                        yield file, made
                        return
                finally:
                    unlock(file.fileno())
        raise OSError(f"{self.path} was replaced {TRIES} times while it was being opened")

    def _is_current(self, file: FileIO) -> bool:
        """False when the file was removed or replaced while we waited for its lock."""
        try:
            return os.path.samestat(os.fstat(file.fileno()), self.path.stat())
        except FileNotFoundError:
            return False

    def _close_to_others(self, file: FileIO) -> None:
        if os.fstat(file.fileno()).st_mode & OTHERS_WRITE:
            # Some file systems keep no modes; the mirror is of use there too.
            with suppress(OSError):
                self.path.chmod(OWNER_WRITES)

    def _last_whole_line(self, file: FileIO, size: int) -> tuple[int, int]:
        """The position that the last whole line claims, 0 where it claims none, and where it ends."""
        end = _after_newline_before(file, size)
        if not end:
            return 0, 0
        return _claimed(_read(file, _after_newline_before(file, end - 1), end)), end

    def _agrees(self, file: FileIO, position: int, end: int, head: int) -> bool:
        """Whether the first and the last whole lines stand in the log like this."""
        if not end:
            return True
        if not 1 <= position <= head:
            return False
        start, lines = end, 0
        while start and lines < LINES_COMPARED:
            start, lines = _after_newline_before(file, start - 1), lines + 1
        if lines > position or (not start and lines != position):
            return False
        first = self._text(0, 1)
        last = self._text(position - lines, position)
        return _read(file, start, end) == last and _read(file, 0, len(first)) == first

    def _text(self, after: int, upto: int) -> bytes:
        return b"".join(event.line + b"\n" for event in self._log.all(after, upto))

    def _common_beginning(self, file: FileIO, size: int, head: int) -> tuple[int, int]:
        """The last position up to which file and log agree, and where its line ends in the file."""
        position = end = 0
        for event in self._log.all(0, head):
            stop = end + len(event.line) + 1
            if stop > size or _read(file, end, stop) != event.line + b"\n":
                break
            position, end = event.global_position, stop
        return position, end

    def check(self) -> None:
        """Raise MirrorAhead when it names events past the log's head; changes nothing.

        For whoever is about to append: the next positions would be given out a second time.
        """
        try:
            with FileIO(self.path, opener=regular) as file:
                size = os.fstat(file.fileno()).st_size
                position, _ = self._last_whole_line(file, size)
        except FileNotFoundError:
            return
        # Somebody may have appended to both since the head was asked.
        if position > (head := self._log.head()):
            raise MirrorAhead(self.path, position, head)

    def behind(self) -> int:
        """How many events of the log it lacks; all of them where it cannot be read."""
        head = self._log.head()
        try:
            with FileIO(self.path, opener=regular) as file:
                position, _ = self._last_whole_line(file, os.fstat(file.fileno()).st_size)
        except OSError:
            return head
        return max(0, head - position)

    def _holds_other_events(self, file: FileIO, start: int, head: int) -> bool:
        """Whether events that the log does not have so are about to be cut.

        Raises MirrorAhead for some past the head: then nothing may be cut at all.
        """
        found = False
        file.seek(start)
        reader = BufferedReader(file)
        try:
            for text in reader:
                if (position := _claimed(text)) > head:
                    raise MirrorAhead(self.path, position, head)
                found = found or (position > 0 and text.strip() != self._text(position - 1, position).strip())
        finally:
            reader.detach()  # it would close the file, and with it the lock
        return found

    def _keep_beside(self, file: FileIO) -> Path:
        """A copy of all that it holds, under the first free name."""
        numbers = (self.path.with_name(f"{self.path.name}.aside-{number}") for number in count(1))
        target = next(path for path in numbers if not path.exists())
        file.seek(0)
        reader = BufferedReader(file)
        try:
            with target.open("xb") as copy:
                shutil.copyfileobj(reader, copy)
                copy.flush()
                os.fsync(copy.fileno())
        finally:
            reader.detach()
        return target

    def _write(self, file: FileIO, end: int, after: int, head: int) -> int:
        """Append the log's lines past `after`, in whole lines; how many."""
        waiting, size, written = [], 0, 0
        try:
            for event in self._log.all(after, head):
                waiting.append(event.line)
                size += len(event.line) + 1
                written += 1
                if size >= CHUNK:
                    end = _append(file, end, waiting)
                    waiting, size = [], 0
            _append(file, end, waiting)
        except OSError:
            # A full disk must not leave half a line behind for readers; the next round would cut it.
            with suppress(OSError):
                file.truncate(end)
            raise
        return written


def _append(file: FileIO, end: int, lines: list[bytes]) -> int:
    content = b"".join(line + b"\n" for line in lines)
    left = memoryview(content)
    while left:
        left = left[file.write(left) or 0 :]
    return end + len(content)


def _after_newline_before(file: FileIO, end: int) -> int:
    """The offset behind the last newline of the file's first `end` bytes, 0 when there is none."""
    while end:
        start = max(0, end - BLOCK)
        found = _read(file, start, end).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0


def _read(file: FileIO, start: int, stop: int) -> bytes:
    file.seek(start)
    parts = []
    while start < stop and (part := file.read(stop - start)):
        parts.append(part)
        start += len(part)
    return b"".join(parts)


def _claimed(text: bytes) -> int:
    """The global position that a line claims, however an editor has dressed it; 0 for no line."""
    try:
        return parse(text.removeprefix(b"\xef\xbb\xbf").strip(b"\0\r\n\t ")).global_position
    except NotALine:
        return 0
