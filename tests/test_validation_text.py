"""Two measures of texts: what a reshaped wish keeps of the wish, and how much an answer varies."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.validation_text import PIECE, SHORTEST, entropy, similarity

WISH = "Please fix the login bug in ./shop: a wrong password shows a blank page."
SHAPED = """## Goal
Fix the login bug in ./shop: a wrong password shows a blank page. Please.

## Steps
1. Reproduce it with a wrong password.
2. Find the cause, and change as little as you can.
3. Run the tests of the project.
"""
LICENSE = (Path(__file__).parents[1] / "LICENSE").read_text(encoding="utf-8")
WORDS = st.lists(st.text("abcdefgäßжק", min_size=1, max_size=8), min_size=1, max_size=12)


def test_structure_that_a_reshaping_adds_costs_nothing() -> None:
    assert similarity(WISH, SHAPED) == 1.0


@given(wish=WORDS, more=WORDS)
def test_whatever_is_added_around_all_the_words_of_a_wish_costs_nothing(
    wish: list[str], more: list[str]
) -> None:
    shaped = "\n- ".join([*more, *reversed(wish)])
    assert similarity(" ".join(wish).upper(), shaped.upper()) == 1.0


@pytest.mark.parametrize("part", ["Please fix the login bug", "Fix", "a page", "## Goal\n"])
def test_what_a_reshaping_leaves_out_costs_as_much_as_it_is(part: str) -> None:
    assert similarity(WISH, part) <= max(0.5, 1.2 * len(part) / len(WISH))
    assert similarity(part, WISH) >= similarity(WISH, part)


@pytest.mark.parametrize(
    "shaped",
    [
        "Write a poem about the sea and the wind, in four lines of eight syllables.",
        "I cannot help with that.",
        '{"error": "model is overloaded"}',
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "",
        "?!",
    ],
)
def test_another_text_is_below_every_threshold_that_an_agent_has(shaped: str) -> None:
    assert similarity(WISH, shaped) < 0.6


@given(st.text(max_size=200), st.text(max_size=200))
def test_similarity_is_a_share_for_any_two_texts(one: str, other: str) -> None:
    assert 0 <= similarity(one, other) <= 1
    assert similarity(one, one) == 1.0


def test_an_answer_of_a_few_words_has_no_entropy() -> None:
    assert entropy("x" * (SHORTEST - 1)) is None
    assert entropy("  Done.\n" + " " * 100) is None
    assert entropy("x" * SHORTEST) == 0.0


@pytest.mark.parametrize("length", [60, 200, 1000, 10**5])
def test_ordinary_prose_is_above_the_usual_threshold_at_any_length(length: int) -> None:
    found = entropy((LICENSE * (length // len(LICENSE) + 1))[:length])
    assert found is not None
    assert found > 0.8


@pytest.mark.parametrize(
    "text",
    [
        "." * 400 + "ok",
        "=" * 60 + "\nDone\n" + "=" * 60,
        ("-" * 40 + "|") * 50,
        "a" * (PIECE + 1),
        "0" * 10**6,
    ],
)
def test_a_text_of_few_signs_is_below_it(text: str) -> None:
    found = entropy(text)
    assert found is not None
    assert found < 0.5


def test_neither_case_nor_the_width_of_space_counts() -> None:
    assert entropy(LICENSE) == entropy(LICENSE.upper().replace(" ", " \n\t "))


@given(st.text(min_size=1, max_size=400))
def test_entropy_is_a_share_for_any_text(text: str) -> None:
    found = entropy(text)
    assert found is None or 0 <= found <= 1
