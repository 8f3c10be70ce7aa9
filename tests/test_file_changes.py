"""Two comparisons, one after the other, are told as one change of each file."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.work_tree import _differences
from schemas.file_changes import FileChanges, composed

State = Mapping[str, str]
PATHS = ("a", "b", "c", "d")
STATES = st.dictionaries(st.sampled_from(PATHS), st.sampled_from("vwxyz"), max_size=4)


def found(before: State, now: State) -> list[dict[str, Any]]:
    """What a real comparison says of two states."""

    def entries(state: State) -> dict[str, tuple[int, int, int, int, str]]:
        return {path: (len(content), 0, 0, 0, content) for path, content in state.items()}

    return [change.model_dump(mode="json") for change in _differences(entries(before), entries(now))]


def change(path: str, kind: str, moved_from: str | None = None, **more: bool) -> dict[str, Any]:
    return {"path": path, "change": kind, "moved_from": moved_from, **more}


@given(STATES, STATES)
def test_nothing_before_or_after_a_comparison_leaves_it_as_it_is(first: State, second: State) -> None:
    once = found(first, second)
    assert list(composed([], once)) == list(composed(once, [])) == once


@given(STATES, STATES, STATES)
def test_two_comparisons_name_every_file_that_is_different_and_say_truly_how(
    first: State, second: State, third: State
) -> None:
    told = composed(found(first, second), found(second, third))
    assert [one["path"] for one in told] == sorted({one["path"] for one in told})
    gone = {one["moved_from"] for one in told if one["moved_from"]}
    for one in told:
        path, kind = one["path"], one["change"]
        assert (path in first) == (kind in ("modified", "deleted"))
        assert (path in third) == (kind != "deleted")
        assert (one["moved_from"] is not None) == (kind == "renamed")
        if kind == "renamed":
            assert one["moved_from"] in first.keys() - third.keys()
            assert one.get("touched", False) or first[one["moved_from"]] == third[path]
    assert len(gone) == sum(one["moved_from"] is not None for one in told)
    named = {one["path"] for one in told} | gone
    assert first.keys() ^ third.keys() <= named
    assert {path for path in first.keys() & third.keys() if first[path] != third[path]} <= named


@given(STATES, STATES, STATES, STATES)
def test_three_comparisons_are_composed_as_two_and_one(a: State, b: State, c: State, d: State) -> None:
    told = composed(composed(found(a, b), found(b, c)), found(c, d))
    named = {one["path"] for one in told} | {one["moved_from"] for one in told}
    assert {path for path in a.keys() | d.keys() if a.get(path) != d.get(path)} <= named
    for one in told:
        assert (one["path"] in a, one["path"] in d) == (
            one["change"] in ("modified", "deleted"),
            one["change"] != "deleted",
        )


@pytest.mark.parametrize(
    ("first", "second", "together"),
    [
        ([change("a", "deleted")], [change("a", "renamed", "b")], [("modified", "a"), ("deleted", "b")]),
        ([change("a", "created")], [change("b", "renamed", "a")], [("created", "b")]),
        ([change("a", "renamed", "b")], [change("b", "created")], [("created", "a"), ("modified", "b")]),
        ([change("a", "renamed", "b")], [change("b", "renamed", "a")], []),
        (
            [change("a", "renamed", "b")],
            [change("a", "modified")],
            [("renamed", "a")],
        ),
        ([change("a", "renamed", "b", touched=True)], [change("b", "renamed", "a")], [("modified", "b")]),
        ([change("a", "modified")], [change("a", "modified")], [("modified", "a")]),
        ([change("a", "created")], [change("a", "modified")], [("created", "a")]),
        ([change("a", "created")], [change("a", "deleted")], []),
        ([change("a", "deleted")], [change("a", "created")], [("modified", "a")]),
        # A person has put the file back between two attempts.
        ([change("a", "deleted")], [change("a", "modified")], [("modified", "a")]),
    ],
)
def test_what_two_changes_are_together(
    first: list[dict[str, Any]], second: list[dict[str, Any]], together: list[tuple[str, str]]
) -> None:
    assert [(one["change"], one["path"]) for one in composed(first, second)] == together


def test_a_comparison_with_the_same_snapshot_replaces_and_one_with_another_adds() -> None:
    a, b = change("a", "created"), change("b", "created")
    changes = FileChanges().measured_from("s").found([a, b]).found([b])
    assert changes.current == (b,)
    assert changes.measured_from("t").current == (b,)
    assert changes.measured_from("t").found([a]).current == (a, b)
    assert changes.measured_from("t").found([a]).found([]).current == (b,)


def test_a_snapshot_seen_again_means_that_all_since_is_undone() -> None:
    changes = FileChanges().measured_from("s").found([change("a", "created")]).measured_from("s")
    assert changes.current == changes.latest == ()
