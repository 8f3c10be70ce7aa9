"""The events of an exported file, in whichever of the formats it is, one after the other."""

from collections.abc import Iterator
from typing import BinaryIO, Final

import orjson

from eventstore.cloud_event import NoCloudEvent, line_of
from eventstore.event import Recorded, Upcasts
from eventstore.lineage import Lineage, NotNext, Row
from eventstore.text.lines import MARK, LineTooLong, TextLine, text_lines

DATABASE: Final = b"SQLite format 3\0"


class BadLine(ValueError):
    """A line of the file cannot be taken; the text says which and why."""

    def __init__(self, number: int, what: str) -> None:
        super().__init__(f"line {number}: {what}")
        self.number = number


def exported(
    file: BinaryIO, lineage: Lineage, upcasts: Upcasts | None = None
) -> Iterator[tuple[Recorded, Row]]:
    """Each event with its row, from the first on. The format is that of the first line. Raises BadLine."""
    clouds: bool | None = None
    try:
        for line in text_lines(file):
            _refuse_dressing(line)
            if clouds is None:
                clouds = _is_cloud_event(line.content)
            try:
                content = line_of(line.content) if clouds else line.content
                row = lineage.take(content)
            except (NoCloudEvent, NotNext) as error:
                torn = "" if line.ended else ", and the file ends in it: it was cut off"
                raise BadLine(line.number, f"{error}{torn}") from error
            yield Recorded(row[0], row[1], row[2], row[4], row[5], row[6], upcasts), row
    except LineTooLong as error:
        raise BadLine(error.number, str(error)) from error


def _refuse_dressing(line: TextLine) -> None:
    """What an editor or a file system has added: the bytes would not be those of an event."""
    if line.number == 1 and line.content.startswith(DATABASE):
        raise BadLine(1, "it is a database, not a text of events")
    if line.content.startswith(MARK):
        raise BadLine(line.number, "it begins with a byte order mark, which no event does")
    if line.content.endswith(b"\r"):
        raise BadLine(line.number, "it ends with a carriage return (CR LF), which no event does")
    if b"\0" in line.content:
        raise BadLine(line.number, "it holds zero bytes, as a crash or another encoding leaves them")
    if not line.content.strip():
        raise BadLine(line.number, "it is empty")


def _is_cloud_event(content: bytes) -> bool:
    try:
        found = orjson.loads(content)
    except orjson.JSONDecodeError:
        return False
    return isinstance(found, dict) and "specversion" in found
