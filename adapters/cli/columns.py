"""Text in columns of a terminal: wide signs take two, combining ones none."""

import unicodedata


def width(text: str) -> int:
    """How many columns the text takes."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def padded(text: str, columns: int) -> str:
    """The text with spaces behind it, up to so many columns."""
    return text + " " * max(0, columns - width(text))


def cut(text: str, columns: int) -> str:
    """At most so many columns of the text, ending in `…` where something was left out."""
    if width(text) <= columns:
        return text
    kept: list[str] = []
    room = columns - 1
    for sign in text:
        room -= _columns(sign)
        if room < 0:
            break
        kept.append(sign)
    return "".join(kept) + "…"


def cut_within(text: str, columns: int) -> str:
    """At most so many columns of a name, with `…` within it: names that are alike differ at their ends."""
    if width(text) <= columns:
        return text
    end = cut(text[::-1], columns // 2)[::-1].removeprefix("…")
    return cut(text, columns - width(end)) + end


def _columns(sign: str) -> int:
    if unicodedata.combining(sign) or unicodedata.category(sign) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(sign) in ("W", "F") else 1
