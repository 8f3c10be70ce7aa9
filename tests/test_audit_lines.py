"""What a log says of itself: columns and places are compared, however a line is written."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventstore.audit.heads import stated_in
from eventstore.audit.lines import LineChecks, Row, claimed
from eventstore.audit.place import place
from eventstore.audit.text_rows import TextRows
from eventstore.event import Event
from eventstore.line import render
from eventstore.tree.head import TreeHead
from eventstore.tree.merkle import leaf_hash
from eventstore.tree.signed_note import sign
from tests.signed_trees import ORIGIN, key_of

TIMES = st.integers(0, 253_402_300_799_999_999)
NAMES = st.text(st.characters(codec="utf-8"), max_size=8)


def row(
    place: int, stream: str, position: int, prev: int, type: str = "done", time: int = 0, schema: int = 1
) -> Row:
    event = Event(
        id="0190a0b0-0000-7000-8000-000000000000",
        type=type,
        data={"text": ',"global_position":7,"id":"'},
        time=time,
        actor="service",
        source=ORIGIN,
        schema=schema,
    )
    return place, stream, position, prev, type, time, render(stream, event).splice(place, position)


@given(st.lists(st.tuples(NAMES, NAMES, TIMES, st.integers(1, 3)), max_size=30))
def test_columns_that_are_copies_are_right_whatever_they_hold(facts: list[tuple[str, str, int, int]]) -> None:
    heads: dict[str, tuple[int, int]] = {}
    rows = []
    for number, (stream, type_, time, schema) in enumerate(facts, 1):
        position, prev = heads.get(stream, (-1, 0))
        rows.append(row(number, stream, position + 1, prev, type_, time, schema))
        heads[stream] = position + 1, number
    checks = LineChecks()
    checks.take(rows[:3])
    checks.take(rows[3:])
    assert checks.finding is None
    texts = LineChecks()
    texts.claims(list(claimed([one[6] for one in rows])))
    assert texts.finding is None


@pytest.mark.parametrize(
    ("column", "value", "word"),
    [
        (1, "b", "stream"),
        (2, 9, "position"),
        (3, 2, "prev"),
        (4, "undone", "type"),
        (5, 61_000_001, "time"),
        (5, 2**62, "another kind"),
        (1, None, "another kind"),
        (5, "noon", "another kind"),
        (6, None, "another kind"),
        (6, b"{}", "its line is none"),
    ],
)
def test_a_column_that_is_no_copy_is_found_at_its_event(column: int, value: Any, word: str) -> None:
    rows = [row(number, "a", number - 1, number - 1) for number in range(1, 6)]
    changed = list(rows[3])
    changed[column] = value
    rows[3] = tuple(changed)  # type: ignore[assignment]
    checks = LineChecks()
    checks.take(rows)
    assert checks.finding is not None
    assert (checks.finding.kind, checks.finding.first) == ("EDITED", 4)
    assert word in checks.finding.text


def test_many_minutes_are_not_all_remembered() -> None:
    rows = [row(number, "a", number - 1, number - 1, time=number * 60_000_000) for number in range(1, 10_100)]
    checks = LineChecks()
    checks.take(rows)
    assert checks.finding is None
    assert len(checks._minutes) < 10_002


def test_a_text_with_other_line_ends_or_without_an_event_is_edited_there(tmp_path: Path) -> None:
    lines = [row(number, "a", number - 1, number - 1)[6] for number in range(1, 4)]
    path = tmp_path / "log.ndjson"
    for text, first in ((b"\n".join([lines[0], b"", *lines[1:]]), 2), (b"no line\n" + lines[0] + b"\n", 1)):
        path.write_bytes(text)
        checks = LineChecks()
        checks.claims(list(TextRows(path).rows()))
        assert checks.finding is not None
        assert (checks.finding.kind, checks.finding.first) == ("EDITED", first)


@given(st.lists(st.integers(0, 60), unique=True, min_size=2, max_size=30), st.data())
def test_the_place_is_that_of_the_first_line_that_is_another(numbers: list[int], data: st.DataObject) -> None:
    """Lines without numbers of their own, changed in one of the ways there are."""
    truth = [b"line %d" % number for number in numbers]
    at = data.draw(st.integers(0, len(truth) - 2))
    how = data.draw(st.sampled_from(("EDITED", "REMOVED", "INSERTED", "REORDERED")))
    lines = list(truth)
    if how == "EDITED":
        lines[at] = b"another"
    elif how == "REMOVED":
        del lines[at]
    elif how == "INSERTED":
        lines.insert(at, b"another")
    else:
        other = data.draw(st.integers(at + 1, len(truth) - 1))
        lines[at], lines[other] = lines[other], lines[at]
    leaves, wanted = [leaf_hash(line) for line in lines], [leaf_hash(line) for line in truth]
    found = place(at, lines[at:], leaves[at:], wanted[at:])
    assert (found.kind, found.first) == (how, at + 1)


@given(st.lists(st.integers(1, 500), unique=True, min_size=1, max_size=5), st.data())
def test_each_tree_head_that_is_whole_is_read_whatever_stands_between(
    sizes: list[int], data: st.DataObject
) -> None:
    notes = [sign(TreeHead(ORIGIN, size, bytes(32)).text(), [key_of(1)]) for size in sizes]
    content = b"".join(note + b"\n" for note in notes)
    assert [one.note for one in stated_in(content, "x")[0]] == notes
    torn = data.draw(st.integers(0, len(notes[-1])))
    found, _ = stated_in(content + notes[-1][:torn], "x")
    assert [one.note for one in found][: len(notes)] == notes
    hurt = data.draw(st.integers(0, len(notes) - 1))
    kept = [note for number, note in enumerate(notes) if number != hurt]
    damaged = b"".join(
        (note.replace(b"\n\n", b"\n", 1) if note == notes[hurt] else note) + b"\n" for note in notes
    )
    assert set(kept) <= {one.note for one in stated_in(damaged, "x")[0]}
