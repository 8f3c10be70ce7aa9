"""The lines of a text file, such as a mirror, as the rows of a log, by what each says of itself."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from eventstore.audit.lines import Row, claimed
from eventstore.line import NotALine, parse
from eventstore.log import LogUnreadable
from eventstore.regular_file import opened
from eventstore.text.lines import LineTooLong, text_lines


class TextRows:
    """`torn`: the last line was cut off while it was written, and does not count.

    Each call raises LogUnreadable for a line that is too long for an event, and OSError.
    """

    tabular: Final = False

    def __init__(self, path: Path) -> None:
        self.torn = False
        self._path = path

    def rows(self) -> Iterator[Row]:
        """Every line that ends, and the last one if it is whole all the same."""
        for line in self._lines():
            yield from claimed([line])

    def of_types(self, types: frozenset[str]) -> Iterator[bytes]:
        """The lines that end with one of these types."""
        ends = tuple(f'"type":"{name}"}}'.encode() for name in sorted(types))
        return (line for line in self._lines() if line.endswith(ends))

    def strange(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """A text has nothing but its lines."""
        return (), ()

    def broken(self) -> str:
        """A text has no structure beside its lines."""
        return ""

    def _lines(self) -> Iterator[bytes]:
        try:
            with opened(self._path) as file:
                for line in text_lines(file):
                    if not line.ended and not _is_whole(line.content):
                        self.torn = True
                        return
                    yield line.content
        except LineTooLong as error:
            raise LogUnreadable(f"{self._path}: {error}") from error


def _is_whole(content: bytes) -> bool:
    try:
        parse(content)
    except NotALine:
        return False
    return True
