"""Ids that nobody wrote, and names that are safe to show."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.naming import free_id, id_from_stem, text_id
from schemas import shown as showing
from schemas.shown import has_text, quoted, shortened, shown
from schemas.task_id import problem_with_id


@pytest.mark.parametrize(
    ("file_name", "task_id"),
    [
        ("nightly.task.md", "nightly"),
        ("Nightly.TASK.MD", "Nightly"),
        ("notes.md", "notes"),
        ("v1.2.task.md", "v1.2"),
        ("résumé für alle.task.md", "resume-fur-alle"),
        ("../../x.task.md", "x"),
        ("C:\\x\\y.task.md", "y"),
        ("a..b.task.md", "a.b"),
        ("-rf $(id).task.md", "rf-id"),
        ("a\n\x1b[31mb.task.md", "a-31mb"),
        ("dot..task.md", "dot"),
        ("CON.task.md", "task_CON"),
        ("nul.txt.task.md", "task_nul.txt"),
        ("index.task.md", "task_index"),
        ("x" * 300 + ".task.md", "x" * 64),
        ("日本語.task.md", None),
        (".task.md", None),
        ("", None),
        ("...", None),
    ],
)
def test_a_stem_is_made_safe(file_name: str, task_id: str | None) -> None:
    assert id_from_stem(file_name) == task_id


@given(st.text() | st.text(st.characters(max_codepoint=127)).map(lambda stem: f"{stem}.task.md"))
def test_every_id_from_a_file_name_is_a_good_one(file_name: str) -> None:
    task_id = id_from_stem(file_name)
    assert task_id is None or problem_with_id(task_id) is None


def test_a_free_id_is_taken_as_it_is() -> None:
    assert free_id("nightly", lambda _: False) == "nightly"


def test_a_stem_used_before_gets_the_next_number() -> None:
    used = {"nightly", "nightly-2"}
    assert free_id("Nightly", lambda one: one.lower() in used) == "Nightly-3"


@given(st.from_regex(r"[a-z0-9][a-z0-9_-]{0,62}x", fullmatch=True), st.integers(1, 120))
def test_a_numbered_id_is_free_and_fits(wanted: str, times: int) -> None:
    used: set[str] = set()
    for _ in range(times):
        one = free_id(wanted, used.__contains__)
        assert one not in used
        assert problem_with_id(one) is None or problem_with_id(wanted) is not None
        used.add(one)


def test_a_text_gets_the_end_of_its_messages_own_id() -> None:
    assert text_id("0199a3c4-7b1e-7cc1-8f0e-3A5d1c9e7f42") == "task_1c9e7f42"
    assert text_id("0199a3c4-7b1e-7cc1-8f0e-3a5d1c9e7f43") == "task_1c9e7f43"


@given(st.text())
def test_any_message_id_gives_the_same_good_task_id_again(message_id: str) -> None:
    task_id = text_id(message_id)
    assert task_id == text_id(message_id)
    assert problem_with_id(task_id) is None
    assert len(task_id) == len("task_") + 8


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("plain wörds 日本 🚀", "plain wörds 日本 🚀"),
        ("a\nb\r\tc", "a\\nb\\r\\tc"),
        ("\x1b[31mred\x07", "\\x1b[31mred\\x07"),
        ("\x9b31m", "\\x9b31m"),
        ("a\u202eb\u2066\u200b", "a\\u202eb\\u2066\\u200b"),
        ("\u2028\x85", "\\u2028\\x85"),
        ("bad\udcff", "bad\\udcff"),
        ("\U000e0041\U000e0101", "\\U000e0041\\U000e0101"),
        ("\u3164", "\\u3164"),
        ("wide\u3000space\u00a0", "wide\u3000space\u00a0"),
        (r"C:\work", r"C:\work"),
    ],
)
def test_what_could_act_or_hide_is_shown_as_an_escape(text: str, safe: str) -> None:
    assert shown(text) == safe


def test_a_plain_text_is_looked_at_whole_and_not_by_its_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(showing, "_visible")
    assert shown("Fix the tests (all 3)") == shown("Fix the tests (all 3)", 21) == "Fix the tests (all 3)"


@given(st.text(st.characters()), st.integers(1, 40))
def test_what_is_shown_is_one_encodable_line_and_fits(text: str, limit: int) -> None:
    whole, cut = shown(text), shown(text, limit)
    assert whole.encode().decode() == whole
    assert len(whole.splitlines()) <= 1
    assert "\x1b" not in whole
    assert len(cut) <= limit
    assert cut == whole or cut.endswith("…")


def test_a_quoted_text_is_cut() -> None:
    assert quoted("x" * 100, 10) == '"xxxxxxxxx…"'
    assert quoted("a\nb") == '"a\\nb"'


@pytest.mark.parametrize(
    ("text", "seen"), [("a", True), (" \n\u200b\ufeff\u3164", False), ("", False), ("\u00a0", False)]
)
def test_a_text_that_nobody_can_see_is_none(text: str, seen: bool) -> None:
    assert has_text(text) is seen


@given(st.text(), st.integers(8, 80))
def test_a_shortened_text_is_one_line_that_fits(text: str, limit: int) -> None:
    line = shortened(text, limit)
    assert len(line) <= limit
    assert "\n" not in line
    assert bool(line) == bool(text.strip())
