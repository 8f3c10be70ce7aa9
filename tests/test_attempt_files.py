"""The files of an attempt: the latest comparison counts, and comes on top of the attempts before."""

from handlers.attempt import ATTEMPT
from schemas.attempt import FinishStep, NoteFiles
from tests.rule_bench import ANSWERED, OTHER_SHA, TURNING, Bench, claimed, interrupted, snapshot, types


def test_files_are_gathered_over_all_attempts() -> None:
    bench = Bench(*TURNING)
    bench.do(NoteFiles, files=({"path": "b", "change": "created"}, {"path": "a", "change": "created"}))
    bench.given(interrupted(), claimed(2), snapshot(2, OTHER_SHA))
    bench.do(NoteFiles, attempt=2, files=({"path": "b", "change": "modified"},))
    assert bench.state(ATTEMPT).files == ("a", "b")
    bench.do(NoteFiles, attempt=2, files=({"path": "b", "change": "deleted"},))
    assert bench.state(ATTEMPT).files == ("a",)


def test_a_comparison_replaces_the_one_before_and_is_news_only_when_it_differs() -> None:
    bench = Bench(*TURNING)
    first = ({"path": "a", "change": "created"},)
    assert bench.do(NoteFiles, files=()) == []
    assert types(bench.do(NoteFiles, files=first)) == ["files_modified"]
    assert bench.do(NoteFiles, files=first) == []
    assert types(bench.do(NoteFiles, files=({"path": "b", "change": "created"},))) == ["files_modified"]
    assert bench.state(ATTEMPT).files == ("b",)
    (undone,) = bench.do(NoteFiles, files=())
    assert undone.data["files"] == []
    assert bench.state(ATTEMPT).files == ()
    assert bench.do(NoteFiles, files=()) == []


def test_a_new_attempt_that_has_changed_nothing_leaves_what_the_one_before_did() -> None:
    bench = Bench(*TURNING)
    bench.do(NoteFiles)
    bench.given(interrupted(), claimed(2), snapshot(2, OTHER_SHA))
    assert bench.do(NoteFiles, attempt=2, files=()) == []
    assert bench.state(ATTEMPT).files == ("sum.py",)


def test_an_attempt_that_begins_where_the_one_before_began_starts_with_no_file() -> None:
    bench = Bench(*TURNING)
    bench.do(NoteFiles)
    bench.given(interrupted(), claimed(2), snapshot(2))
    assert bench.state(ATTEMPT).files == ()
    assert types(bench.do(NoteFiles, attempt=2)) == ["files_modified"]


def test_files_of_an_attempt_without_a_snapshot_are_not_taken() -> None:
    bench = Bench(*TURNING)
    bench.do(NoteFiles)
    bench.given(interrupted(), claimed(2))
    assert bench.do(NoteFiles, attempt=2, files=()) == []
    assert bench.state(ATTEMPT).files == ("sum.py",)


def test_a_comparison_that_failed_is_named_in_the_evidence() -> None:
    note = "what was changed could not be found out: no permission"
    bench = Bench(*ANSWERED)
    bench.do(FinishStep, phase="compare", percent_complete=100, blob=None, note=note)
    (event,) = bench.end()
    assert event.data["evidence"][-1] == note
