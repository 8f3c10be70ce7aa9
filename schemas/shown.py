"""Text of unknown origin, made safe to show on a terminal. Imports nothing, so that a reading verb may."""

BLANK_LETTERS = frozenset("\u115f\u1160\u3164\uffa0")
"""Characters that count as letters and are drawn as nothing."""


def shown(text: str, limit: int | None = None) -> str:
    """One line without control characters, terminal escapes, direction marks or lone surrogates.

    What could act on a terminal or hide stands as `\\n`, `\\x1b`, `\\u202e` or `\\U000e0041`.
    With a `limit` the answer has at most that many characters and ends in `…` where it was cut.
    """
    if text.isascii() and text.isprintable() and (limit is None or len(text) <= limit):
        return text  # nearly every text of a long list
    if limit is None:
        return "".join(map(_visible, text))
    pieces: list[str] = []
    size = 0
    for character in text:
        piece = _visible(character)
        if size + len(piece) > limit:
            return _ending_in_dots(pieces, limit)
        pieces.append(piece)
        size += len(piece)
    return "".join(pieces)


def quoted(text: str, limit: int = 60) -> str:
    """The text as a sentence shows it: escaped, cut to `limit` characters, between quotes."""
    return f'"{shown(text, limit)}"'


def has_text(text: str) -> bool:
    """Whether a reader would see anything at all."""
    return any(not character.isspace() and _visible(character) == character for character in text)


def shortened(text: str, limit: int) -> str:
    """One line of at most `limit` characters, cut between words where there are any, for a title."""
    text = text.strip()
    line = " ".join(text[: limit * 8].split())
    if len(line) <= limit and len(text) <= limit * 8:
        return line
    head = line[:limit].rpartition(" ")[0]
    return (head if len(head) > limit // 2 else line[: limit - 1]).rstrip() + "…"


def _visible(character: str) -> str:
    code = ord(character)
    if character in BLANK_LETTERS or 0xE0100 <= code <= 0xE01EF:
        return _escape(code)
    # A space of another width (U+00A0, U+3000) is not "printable" for Python and does no harm.
    if character.isprintable() or (character.isspace() and code >= 0xA0 and code not in (0x2028, 0x2029)):
        return character
    return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(character) or _escape(code)


def _escape(code: int) -> str:
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _ending_in_dots(pieces: list[str], limit: int) -> str:
    size = sum(map(len, pieces))
    while pieces and size + 1 > limit:
        size -= len(pieces.pop())
    return "".join(pieces) + "…"
