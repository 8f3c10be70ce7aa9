"""A lost session is told from every other failure, and a question is found where a person would see it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.session import LINE_LIMIT, asks_outright, looks_like_a_question, session_lost
from schemas.turn import Captured, TurnReport

LOST = "No conversation found with session ID: 00000000-0000-4000-8000-000000000000\n"


def report(**changed: Any) -> TurnReport:
    said = Captured(head=LOST, tail=LOST, text=LOST, size=len(LOST))
    plain = {"ended": "exited", "exit_code": 1, "elapsed_ms": 5, "has_result": False, "stderr": said}
    return TurnReport.model_validate({**plain, **changed})


def test_a_session_that_the_cli_does_not_know_is_lost() -> None:
    assert session_lost(report())
    told = {"has_result": True, "is_error": True, "subtype": "error_during_execution"}
    assert session_lost(report(**told, errors=(LOST.strip(),)))


@pytest.mark.parametrize(
    "changed",
    [
        {"exit_code": 0},
        {"exit_code": None},
        {"exit_code": 143},
        {"has_result": True},
        {"has_result": True, "is_error": True, "errors": ("another",)},
        {"has_result": True, "is_error": True, "errors": (LOST,), "num_turns": 3},
        {"stderr": Captured()},
        {"stderr": Captured(text="Error: Session ID 1 is already in use.")},
        {"stderr": Captured(), "stdout": Captured(text=LOST), "result_text": LOST},
    ],
)
def test_any_other_failure_is_no_lost_session(changed: dict[str, Any]) -> None:
    assert not session_lost(report(**changed))


@pytest.mark.parametrize(
    "line",
    [
        "Continue? (y/n)",
        "Overwrite the file [y/N]",
        "Proceed with the deletion? (yes/no)",
        "press y to go on",
        "Press Enter to continue",
        "Do you trust the files in this folder?",
        "Do you want me to apply the patch?",
        "I am waiting for your approval.",
        "Waiting for user input",
        "Should I proceed?",
        "Shall I delete the old file as well?",
        "Would you like me to run the tests?",
        "I need permission to write to shop/cart.py.",
        "Claude requested permissions to edit a.py, but you haven't granted it yet.",
        "Please confirm before I go on.",
        "Proceed?",
    ],
)
def test_a_question_at_the_end_is_found(line: str) -> None:
    assert looks_like_a_question(line) == line
    assert looks_like_a_question(f"I looked at it.\n\n  {line}  \r\n\nThank you.\n") == line


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n",
        "Done: the total takes the discount off once.",
        "All 12 tests pass. The y/n ratio was wrong; continue reading in README.md.",
        "The user is asked to trust the folder by the installer.",
        "You can press the red button of the machine.",
        "Why did it fail? Because the index began at 1.",
    ],
)
def test_a_summary_is_no_question(text: str) -> None:
    assert looks_like_a_question(text) is None


def test_what_was_asked_long_before_the_end_is_no_matter() -> None:
    told = "Should I proceed? I decided to.\n" + "I did this.\n" * 5
    assert looks_like_a_question(told) is None


def test_the_last_question_is_told() -> None:
    assert looks_like_a_question("Shall I stop?\nContinue? (y/n)") == "Continue? (y/n)"


def test_of_a_long_line_the_part_with_the_question_is_told() -> None:
    found = looks_like_a_question("word " * 1_000 + "Should I proceed? " + "more " * 500)
    assert found is not None
    assert found.startswith("Should I proceed?")
    assert len(found) <= LINE_LIMIT
    assert looks_like_a_question("x" * 500 + " [y/n]") == ("x" * 500 + " [y/n]")[-LINE_LIMIT:]


@given(
    st.text(st.sampled_from("should I may press y(/n)[]?\n do you waiting for permission to"), max_size=3_000)
)
def test_whatever_is_said_a_short_line_of_it_is_told_or_none(text: str) -> None:
    found = looks_like_a_question(text)
    assert found is None or (len(found) <= LINE_LIMIT and found in text and "\n" not in found)


def test_a_hostile_text_takes_no_long_search() -> None:
    for part in ("waiting for ", "should I ", "would you like ", "(y", "press "):
        assert looks_like_a_question(part * 50_000) is None


@pytest.mark.parametrize(
    "text",
    [
        "I found it.\nShould I change cart.py?",
        "Done so far.\n\n**Would you like me to go on?**",
        "Do you want me to overwrite it? [y/N]",
        "Proceed with your change (y/n):",
        "Shall we keep both of them?\n\n```\n",
    ],
)
def test_a_question_put_to_somebody_is_one(text: str) -> None:
    assert asks_outright(text) is not None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "It fails when the user lacks permissions to write there.",
        "Users may press enter to continue.",
        "It prints [y/N] and waits.",
        "Should I change it? I did, and the tests pass.",
        "Why does it fail? The sum is wrong.",
        "The heading reads: what is a cart?",
        "Please let me know if anything is unclear.",
    ],
)
def test_a_report_that_speaks_of_questions_asks_none(text: str) -> None:
    assert asks_outright(text) is None
