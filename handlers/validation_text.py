"""Two measures of texts, each from 0 to 1: how near one is to another, and how much one varies.

Both are rough by nature: they know characters and words, and nothing of what is meant.
"""

import math
from collections import Counter
from typing import Final

from rapidfuzz import fuzz, utils

SHORTEST: Final = 20
"""Characters; of fewer no entropy is taken: nearly any word of three letters varies as much as it can."""
PIECE: Final = 200
COMPARED: Final = 16_384
"""So many characters from the beginning are compared: the cost grows with the product of both lengths."""

HELD: Final = 1_000
"""Characters of distinct words: a shaped wish of some length holds about so many."""


def similarity(wish: str, shaped: str) -> float:
    """How much of the wish is found in the text that was made of it.

    rapidfuzz's `token_set_ratio` over words without case, punctuation or order: it compares what both
    have in common with either, so that headings, steps and repetitions that a reshaping adds cost nothing,
    where a plain edit distance would punish each of them. It forgives what was left out just as well
    ("fix" against a page that begins with "fix" is 1.0), and only the first is harmless here: so it is
    scaled by how much shorter the new text is, in distinct words.
    """
    before, after = (utils.default_process(text[:COMPARED]) for text in (wish, shaped))
    if before == after:
        return 1.0
    # Of a long wish a shaped one can hold no more than its own bounds let it.
    kept = min(1.0, _length(after) / (min(_length(before), HELD) or 1))
    return round(kept * fuzz.token_set_ratio(before, after) / 100, 4)


def _length(words: str) -> int:
    """Of all distinct words together, in characters."""
    return sum(map(len, set(words.split())))


def entropy(text: str) -> float | None:
    """Shannon's entropy of the characters divided by the logarithm of how many there are; None if short.

    Case and the width of space do not count. A long text is measured in pieces of 200 characters, and
    the mean of them is told: with the length the rare characters grow in number, and so the first system's
    figure over the whole called most sound pages poor (of 4,000 characters of prose or code 85 in 100 came
    out below 0.8; in pieces it is fewer than one in 100).
    """
    plain = " ".join(text.casefold().split())
    if len(plain) < SHORTEST:
        return None
    pieces = [plain[start : start + PIECE] for start in range(0, len(plain), PIECE)]
    if len(pieces[-1]) < SHORTEST and len(pieces) > 1:
        pieces.pop()
    found = sum(_variety(piece) * len(piece) for piece in pieces) / sum(map(len, pieces))
    return round(found, 4)


def _variety(piece: str) -> float:
    counted = Counter(piece)
    if len(counted) == 1:
        return 0.0
    shares = [count / len(piece) for count in counted.values()]
    bits = -sum(share * math.log2(share) for share in shares)
    return min(1.0, bits / math.log2(len(counted)))
