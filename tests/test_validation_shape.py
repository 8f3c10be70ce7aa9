"""The shape that an answer should have for its task's type."""

import pytest

from handlers.validation_shape import names_a_place, talks_of_edits, words_short


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("I fixed the bug in cart.py. It was small.", "I fixed the bug in cart"),
        ("Then we've also updated\nthe tests!", "we've also updated"),
        ("I\u2019ve just now removed it", "I\u2019ve just now removed it"),
        ("As asked, I have successfully refactored total().", "I have successfully refactored total()"),
        ("i edited it", "i edited it"),
    ],
)
def test_who_says_that_he_changed_something_is_heard(text: str, told: str) -> None:
    assert talks_of_edits(text) == told


@pytest.mark.parametrize(
    "text",
    [
        "I would have fixed it otherwise.",
        "I have not changed anything.",
        "I did not edit cart.py, and I cannot.",
        "If I changed total(), the tests would fail.",
        "Once we removed the cache it would be slower.",
        "The author changed cart.py in May; it was fixed later.",
        "You should have updated the tests. I suggest that you fix it.",
        "I added up the prices.",
        "WIFI fixed, API updated",
        "",
    ],
)
def test_who_does_not_is_not_accused(text: str) -> None:
    assert talks_of_edits(text) is None


@pytest.mark.parametrize(
    "text",
    ["See cart.py.", "The sum in src/total.sh.", "line 12 is dead", "Lines 3 to 4", "L120", "f:7"],
)
def test_a_review_that_names_a_file_or_a_line_can_be_followed(text: str) -> None:
    assert names_a_place(text)


@pytest.mark.parametrize(
    "text", ["Looks good to me.", "The design is sound, e.g. the loop.", "At 12:30.", ""]
)
def test_a_review_that_names_neither_cannot(text: str) -> None:
    assert not names_a_place(text)


def test_an_answer_is_short_only_where_the_answer_is_all_that_is_made() -> None:
    assert words_short("All is well.", "analyze") == (3, 8)
    assert words_short("", "code_review") == (0, 8)
    assert words_short("one two three four five six seven eight", "summarize") is None
    assert words_short("Done.", "bug_fix") is None
    assert words_short("", "documentation") is None


@pytest.mark.parametrize(
    "part", ["I ", "I have ", "if I fixed ", "I've also just ", "line ", "a/", "a.", "we\n", "L1"]
)
def test_a_megabyte_of_one_kind_is_read_to_its_end(part: str) -> None:
    text = part * (10**6 // len(part))
    assert (talks_of_edits(text) is None) == ("fixed" not in part or part.startswith("if"))
    names_a_place(text)
    words_short(text, "analyze")
