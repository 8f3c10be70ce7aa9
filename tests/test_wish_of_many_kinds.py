"""A wish that by its words may be of five kinds is one of them, and three others are told."""

from schemas.free_text import read_wish


def test_of_four_other_kinds_that_words_name_three_are_told() -> None:
    wish = read_wish("fix it, review it, summarize it, explain it and write the documentation", [])
    assert wish.type == "bug_fix"
    assert [other.task_type for other in wish.alternatives] == ["code_review", "summarize", "analyze"]
