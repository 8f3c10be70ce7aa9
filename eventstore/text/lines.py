"""A text file of events, line by line, each with its number and the byte at which it begins."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

LONGEST: Final = 1_000_000_000
"""Bytes; SQLite holds no longer line, and a file without a newline must not fill the memory."""

DRESSING: Final = b"\0\r\n\t "
MARK: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class TextLine:
    """`number` counts from 1, `offset` from 0; `content` is without its newline."""

    number: int
    offset: int
    content: bytes
    ended: bool

    @property
    def undressed(self) -> bytes:
        """Without what editors and file systems put around it: a mark, CR, NUL, blanks."""
        return self.content.removeprefix(MARK).strip(DRESSING)


class LineTooLong(ValueError):
    """No event is as long as this."""

    def __init__(self, number: int) -> None:
        super().__init__(f"line {number} is longer than {LONGEST} bytes")
        self.number = number


def text_lines(file: BinaryIO) -> Iterator[TextLine]:
    """From where the file stands to its end; a last line without a newline is one too. Raises LineTooLong."""
    number = offset = 0
    while content := file.readline(LONGEST):
        number += 1
        ended = content.endswith(b"\n")
        if not ended and len(content) >= LONGEST:
            raise LineTooLong(number)
        yield TextLine(number, offset, content[:-1] if ended else content, ended)
        offset += len(content)
