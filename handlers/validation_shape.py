"""Whether an answer has the shape that its task's type should give it. Words are read, not meaning."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from handlers.verification import named_files

FEWEST_WORDS: Final[Mapping[str, int]] = MappingProxyType({"analyze": 8, "summarize": 8, "code_review": 8})
"""Of types whose answer is all that they make: with fewer words than these it says next to nothing."""

# What stands between two words has a bound, so that no text can make the search slow. What follows
# `if I` or `once we` tells of nothing that was done, and `I would have changed` does not match.
_EDITED = re.compile(
    r"""
    (?<!\bif\s) (?<!\bhad\s) (?<!\bwhen\s) (?<!\bonce\s) (?<!\bunless\s) (?<!\buntil\s) (?<!\bbefore\s)
    \b (?: I | we ) (?: ['\u2019]ve | \s{1,3} have )? \s{1,3}
    (?: (?: also | already | just | now | only | simply | successfully | then ) \s{1,3} ){0,2}
    (?: added (?! \s{1,3} up \b ) | changed | deleted | edited | fixed | implemented | modified | patched
      | refactored | removed | renamed | replaced | rewrote | updated ) \b
    [^.!?\n]{0,80}
    """,
    re.IGNORECASE | re.VERBOSE,
)
_LINE = re.compile(
    r"\b lines? \s{1,3} \d | \b L\d{1,6} \b | [a-z_)] : \d{1,6} \b", re.IGNORECASE | re.VERBOSE
)
_WORD = re.compile(r"\w+")


def talks_of_edits(text: str) -> str | None:
    """The first words in which somebody says that he changed something; None where nobody does."""
    found = _EDITED.search(text)
    return None if found is None else " ".join(found[0].split())


def names_a_place(text: str) -> bool:
    """Whether a file or a line is named: a review without either cannot be followed."""
    return _LINE.search(text) is not None or next(named_files(text), None) is not None


_LOOKED_AT = 4_000
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff]")


def words_short(text: str, task_type: str) -> tuple[int, int] | None:
    """How many words there are and how many there should be; None where they are enough."""
    wanted = FEWEST_WORDS.get(task_type, 0)
    if len(_UNSPACED.findall(text[:_LOOKED_AT])) >= 2 * wanted:
        return None  # scripts that put no space between words: two of their signs are about one
    found = 0
    for _ in _WORD.finditer(text):
        found += 1
        if found >= wanted:
            return None
    return (found, wanted) if wanted else None
