"""The word that somebody may have meant. Loaded where a word is wrong: a right one waits for nothing."""

import difflib
from collections.abc import Collection


def nearest(word: str, known: Collection[str]) -> str | None:
    """The known word that is most like it; None where none is."""
    return next(iter(difflib.get_close_matches(word, known, n=1)), None)
