"""Bytes of an agent's output: cut into lines, and its two ends kept, in bounded memory."""

from collections.abc import Callable
from dataclasses import dataclass

from schemas.turn import Captured

TEXT_LIMIT = 64 * 1024
END_LIMIT = 2048
# Kept beyond what is shown, so that a secret is redacted whole before the cut.
_SLACK = 16 * 1024
# Where an output is cut before it is redacted, a secret may be cut, too, and is known no more: so much of the
# redacted text is not shown there.
_REACH = 8 * 1024


@dataclass(frozen=True, slots=True)
class Line:
    """A whole line with its newline, or a piece of one that is too long to be held."""

    data: bytes
    whole: bool


class LineFramer:
    """Cuts chunks into lines. Of a line over `limit` bytes only pieces come out, as they come in."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held = bytearray()
        self._passing = False
        self.too_long = 0

    def feed(self, chunk: bytes) -> list[Line]:
        """What the chunk completes, in order; every byte comes out exactly once."""
        lines, start = [], 0
        while (end := chunk.find(b"\n", start)) >= 0:
            lines.append(self._release(chunk[start : end + 1]))
            self._passing, start = False, end + 1
        rest = chunk[start:]
        if rest and (self._passing or len(self._held) + len(rest) > self._limit):
            lines.append(self._release(rest))
        else:
            self._held += rest
        return lines

    def rest(self) -> list[Line]:
        """What stands after the last newline when nothing more will come."""
        return [self._release(b"")] if self._held else []

    def _release(self, last: bytes) -> Line:
        data = bytes(self._held) + last
        self._held = bytearray()
        if self._passing:
            return Line(data, whole=False)
        if len(data) > self._limit:
            self._passing = True
            self.too_long += 1
            return Line(data, whole=False)
        return Line(data, whole=True)


class Ends:
    """Keeps the beginning and the end of an output of any length."""

    def __init__(self) -> None:
        self._first = bytearray()
        self._last = bytearray()
        self._size = 0

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        self._size += len(data)
        room = TEXT_LIMIT + _SLACK - len(self._first)
        if room > 0:
            self._first += data[:room]
        self._last += data[-2 * _SLACK :]
        if len(self._last) > 4 * _SLACK:
            del self._last[: -2 * _SLACK]

    def captured(self, redact: Callable[[str], str], sha256: str | None) -> Captured:
        """What is shown of it, redacted before anything is cut; `size` counts what was said."""
        if self._size == 0:
            return Captured(sha256=sha256)
        whole = redact(self._first.decode("utf-8", "replace"))
        complete = self._size == len(self._first)
        shown = whole if complete else whole[:-_REACH]
        text = shown.encode("utf-8", "replace")[:TEXT_LIMIT].decode("utf-8", "ignore")
        end = whole if complete else redact(self._last.decode("utf-8", "replace"))[_REACH:]
        return Captured(
            head=text[:END_LIMIT],
            tail=end[-END_LIMIT:],
            text=text,
            size=self._size,
            sha256=sha256,
            truncated=not complete or len(text) < len(whole),
        )
