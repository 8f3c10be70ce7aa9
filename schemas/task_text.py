"""From the bytes of a task file to its text: size, encoding, line ends."""

from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from typing import Final

from schemas.shown import has_text
from schemas.unreadable import Unreadable

MAX_BYTES: Final = 1024 * 1024
"""The largest task file. Who reads one needs `MAX_BYTES + 1` bytes of it and no more."""

MARKS: Final = {BOM_UTF8: "UTF-8", BOM_UTF16_LE: "UTF-16-LE", BOM_UTF16_BE: "UTF-16-BE"}


def read_text(content: bytes, notes: list[str]) -> str:
    """The text with `\\n` line ends and no byte order mark. Raises Unreadable."""
    if len(content) > MAX_BYTES:
        raise Unreadable(
            "too_large",
            "The file is larger than 1 MiB, the most that a task file may have.",
            "Put the long material into a file of the working directory and name that file in the prompt.",
        )
    mark, encoding = next((pair for pair in MARKS.items() if content.startswith(pair[0])), (b"", "UTF-8"))
    text = _decoded(content, len(mark), encoding)
    if encoding != "UTF-8":
        notes.append(f"The file is {encoding}; it was read all the same. Task files are UTF-8.")
    text = text.replace("\r\n", "\n").replace("\r", "\n").lstrip("\ufeff")
    if "\0" in text:
        line = _line_of(text, text.index("\0"))
        raise Unreadable(
            "not_text",
            f"Line {line}: there is a NUL character; a task file is text.",
            "Save the file as plain text in UTF-8.",
            line,
        )
    if not has_text(text):
        raise Unreadable(
            "empty",
            "The file is empty: there is nothing in it to read.",
            "Write what is to be done, or take the file away.",
        )
    return text


def _decoded(content: bytes, start: int, encoding: str) -> str:
    try:
        return content[start:].decode(encoding)
    except UnicodeDecodeError as error:
        offset = start + error.start
        before = content[start:offset].decode(encoding, errors="replace")
        line = _line_of(before.replace("\r\n", "\n").replace("\r", "\n"), None)
        raise Unreadable(
            "not_text",
            f"Line {line}: the byte 0x{content[offset]:02X} at offset {offset} is not {encoding}.",
            "Save the file as plain text in UTF-8.",
            line,
        ) from error


def _line_of(text: str, index: int | None) -> int:
    return text.count("\n", 0, index) + 1
