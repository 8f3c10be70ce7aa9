"""What each view says after what has happened, and that every fold comes to the same rows."""

import copy

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from eventstore.memory_log import MemoryLog
from handlers.scheduling import order
from projections.all_views import ALL, BY_NAME, TO_DO
from projections.in_inbox import lookup
from projections.live import LiveViews
from projections.projection import Row
from projections.stored_form import decode, encode
from projections.view_rows import fold_at
from schemas import names
from schemas.attempt import FileChange, TaskInterrupted
from schemas.service import SecretRedacted
from schemas.task import CancelRequested, TaskReleased
from schemas.turn import AgentStarted
from tests.grown_lives import Grown
from tests.life_cycles import (
    PROCESS,
    Lives,
    archived,
    cancelled,
    checked,
    claimed,
    failed,
    files_modified,
    hash_of,
    queued,
    quota_wait_started,
    received,
    retry_requested,
    retry_scheduled,
    snapshot,
    succeeded,
    turn_finished,
    turn_started,
    written,
)

LIVES = st.lists(st.integers(0, 5000), max_size=120)


@pytest.fixture
def lives() -> Lives:
    return Lives(MemoryLog())


def folded(lives: Lives) -> LiveViews:
    live = LiveViews(ALL)
    live.apply(lives.log.all())
    return live


def row(lives: Lives, view: str, key: str) -> Row:
    found = folded(lives).row(view, key)
    assert found is not None, f"{view} has no row {key}"
    return found


def status(lives: Lives, key: str) -> object:
    return row(lives, "tasks", key)["status"]


def everything(live: LiveViews) -> dict[str, object]:
    return {projection.name: live.written(projection.name) for projection in ALL}


@given(LIVES, st.integers(0, 120))
def test_views_folded_in_two_parts_equal_views_folded_at_once(numbers: list[int], cut: int) -> None:
    lives = Grown(MemoryLog())
    lives.grow(numbers)
    at_once, in_parts = LiveViews(ALL), LiveViews(ALL)
    at_once.apply(lives.log.all())
    in_parts.apply(lives.log.all(0, cut))
    # What is given twice is folded once.
    in_parts.apply(lives.log.all())
    assert everything(in_parts) == everything(at_once)
    assert in_parts.position == at_once.position == lives.log.head()


@given(LIVES, st.integers(0, 120))
def test_views_loaded_from_their_stored_form_go_on_like_those_in_memory(numbers: list[int], cut: int) -> None:
    lives = Grown(MemoryLog())
    lives.grow(numbers)
    cut = min(cut, lives.log.head())
    at_once, first, second = LiveViews(ALL), LiveViews(ALL), LiveViews(ALL)
    at_once.apply(lives.log.all())
    first.apply(lives.log.all(0, cut))
    for projection in ALL:
        rows = first.written(projection.name)
        stored = {key: found._replace(row=decode(encode(found.row))) for key, found in rows.items()}
        second.load(projection.name, stored, cut)
    assert second.position == cut
    second.apply(lives.log.all(cut))
    assert everything(second) == everything(at_once)


@given(LIVES)
def test_a_projection_reads_only_its_types_and_changes_no_row_that_it_was_given(numbers: list[int]) -> None:
    lives = Grown(MemoryLog())
    lives.grow(numbers)
    everything_live = LiveViews(ALL)
    for event in lives.log.all():
        before = everything(everything_live)
        kept = copy.deepcopy(before)
        everything_live.apply([event])
        assert before == kept
    for projection in ALL:
        alone = fold_at(lives.log, projection, lives.log.head())
        assert alone.written(projection.name) == everything_live.written(projection.name)


@given(LIVES)
@example(list(range(1, 5000, 11)))
def test_the_to_do_lists_hold_no_more_than_the_tasks_view_calls_open(numbers: list[int]) -> None:
    lives = Grown(MemoryLog())
    lives.grow(numbers)
    live = folded(lives)
    tasks = live.rows("tasks")
    left = {key: found for key, found in tasks.items() if found["status"] not in names.ENDED}
    arrived = {key for key, found in left.items() if found["beneath"] == "received"}
    assert set(live.rows("received")) == arrived
    assert set(live.rows("queue")) == left.keys() - arrived
    same = ("status", "beneath", "paused", "attempt", "worker", "claimed_at", "cancel_requested")
    for key, found in live.rows("queue").items():
        assert {name: found[name] for name in same} == {name: tasks[key][name] for name in same}


@given(LIVES, st.integers(0, 120))
def test_a_look_back_sees_what_a_fold_saw_then(numbers: list[int], upto: int) -> None:
    lives = Grown(MemoryLog())
    lives.grow(numbers)
    upto = min(upto, lives.log.head())
    then = LiveViews(ALL)
    then.apply(lives.log.all(0, upto))
    for projection in ALL:
        back = fold_at(lives.log, projection, upto)
        assert back.position == upto
        assert back.written(projection.name) == then.written(projection.name)


def test_a_task_goes_through_its_statuses(lives: Lives) -> None:
    steps = [
        (received("T"), "received"),
        (queued(("a",)), "waiting_dependency"),
        (TaskReleased(waited_for=("a",)), "queued"),
        (claimed(1), "running"),
        (TaskInterrupted(attempt=1, reason="service_died"), "queued"),
        (claimed(2), "running"),
        (failed(2), "failed"),
    ]
    seen = []
    for fact, _ in steps:
        lives.tell("T", fact)
        seen.append(status(lives, "t"))
    assert seen == [wanted for _, wanted in steps]


def test_a_task_keeps_its_id_as_it_was_written_under_a_key_in_lower_case(lives: Lives) -> None:
    lives.tell("Nightly", received("Nightly"))
    assert row(lives, "tasks", "nightly")["task_id"] == "Nightly"
    assert row(lives, "to_archive", "nightly")["want"] == "tasks/processed/Nightly.queued.task.md"


def test_a_tasks_row_tells_cost_tokens_files_and_outcome(lives: Lives) -> None:
    lives.whole("T")
    found = row(lives, "tasks", "t")
    assert found["cost_usd"] == 0.0125
    assert found["tokens"] == {"input": 10, "output": 20, "cache_read": 30, "cache_creation": 0}
    assert (found["files_modified"], found["verified"], found["attempt"]) == (1, "unchecked", 1)
    assert found["last_event"] == names.TASK_SUCCEEDED
    assert found["ended_at"] == found["last_at"] == lives.now


def test_receipts_and_redactions_are_not_a_tasks_last_event(lives: Lives) -> None:
    lives.whole("T")
    end = row(lives, "tasks", "t")
    lives.tell("T", SecretRedacted(patterns={"token": 1}, event_type=end["last_event"]))
    lives.tell("T", written("T", lives.log.head()), archived("T", "succeeded"))
    assert row(lives, "tasks", "t") == end


def test_a_refusal_is_a_row_with_its_sentence(lives: Lives) -> None:
    place = lives.refuse("r1")
    found = row(lives, "tasks", f"refused-{place.global_position}")
    assert (found["status"], found["sentence"], found["reason"]) == ("refused", "the file is empty.", "empty")


def test_an_event_of_a_later_version_is_told_as_the_last_one(lives: Lives) -> None:
    lives.tell("T", received("T"))
    lives.raw("task-t", "task_dreamt_of", {})
    found = row(lives, "tasks", "t")
    assert (found["last_event"], found["status"]) == ("task_dreamt_of", "received")


def test_the_queue_is_ordered_by_priority_then_age(lives: Lives) -> None:
    for task_id, priority in (("low", 2), ("old", 1), ("young", 1), ("high", 0)):
        lives.tell(task_id, received(task_id), queued(priority=priority))
    rows = folded(lives).rows("queue").values()
    assert [found["task_id"] for found in sorted(rows, key=order)] == ["high", "old", "young", "low"]


def test_an_interrupted_task_keeps_its_place_and_its_snapshot_and_forgets_its_worker(lives: Lives) -> None:
    lives.tell("T", received("T"), queued())
    age = row(lives, "queue", "t")["received_position"]
    lives.tell("T", claimed(1), snapshot(1), turn_started(1))
    lives.tell("T", AgentStarted(attempt=1, turn_index=0, process=PROCESS), CancelRequested(reason="stop"))
    held = row(lives, "queue", "t")
    assert held["process"] == held["agent_process"] == PROCESS.model_dump(mode="json")
    assert held["session_id"] == "session-1-0"
    lives.tell("T", TaskInterrupted(attempt=1, reason="service_died"))
    free = row(lives, "queue", "t")
    assert (free["status"], free["received_position"], free["attempt"]) == ("queued", age, 1)
    assert free["snapshot"] == hash_of("before")
    assert free["cancel_requested"] is True
    assert {free[name] for name in ("worker", "lease_until", "process", "agent_process", "session_id")} == {
        None
    }


def test_what_arrived_is_to_be_queued_in_the_order_of_its_arrival(lives: Lives) -> None:
    lives.tell("z", received("z"))
    lives.tell("a", received("a"))
    assert list(folded(lives).rows("received")) == ["z", "a"]
    lives.tell("z", queued())
    assert list(folded(lives).rows("received")) == ["a"]


def test_a_success_is_marked_for_those_who_wait_however_they_wrote_the_id(lives: Lives) -> None:
    lives.tell("First", received("First"), queued())
    lives.tell("second", received("second", after=("FIRST",)), queued(("FIRST",)))
    waiting = row(lives, "waiting", "second")
    assert (waiting["waits_for"], set(waiting)) == (["FIRST"], {"waits_for", "event_id"})
    assert row(lives, "waiting", "first") == {"waiters": ["second"], "succeeded": False}
    lives.tell("First", claimed(1), succeeded())
    assert row(lives, "waiting", "first") == {"waiters": ["second"], "succeeded": True}
    lives.tell("second", TaskReleased(waited_for=("FIRST",)))
    assert folded(lives).rows("waiting") == {}


def test_a_failure_releases_nobody(lives: Lives) -> None:
    lives.tell("a", received("a"), queued())
    lives.tell("b", received("b"), queued(("a",)))
    lives.tell("a", claimed(1), failed())
    assert row(lives, "waiting", "a")["succeeded"] is False


def test_a_chain_shares_a_row_between_waiting_and_being_waited_for(lives: Lives) -> None:
    lives.tell("b", received("b"), queued(("a",)))
    lives.tell("c", received("c"), queued(("b",)))
    both = row(lives, "waiting", "b")
    assert both.pop("event_id")
    assert both == {"waits_for": ["a"], "waiters": ["c"], "succeeded": False}
    lives.tell("b", cancelled())
    assert row(lives, "waiting", "b") == {"waiters": ["c"], "succeeded": False}


def test_a_timer_stands_until_the_claim_or_the_end(lives: Lives) -> None:
    for task_id in ("a", "b", "c"):
        lives.tell(task_id, received(task_id), queued(not_before=77 if task_id != "c" else None))
    assert row(lives, "timers", "a") == {"task_id": "a", "kind": "not_before", "wake_at": 77}
    assert set(folded(lives).rows("timers")) == {"a", "b"}
    lives.tell("a", claimed(1))
    lives.tell("b", cancelled())
    assert folded(lives).rows("timers") == {}


def test_a_receipt_older_than_the_newest_turn_leaves_the_artifact_to_be_written(lives: Lives) -> None:
    lives.tell("T", received("T"), queued(), claimed(1), turn_started(1))
    turn = lives.tell("T", turn_finished(1)).global_position
    end = lives.tell("T", succeeded()).global_position
    lives.tell("T", written("T", turn))
    assert row(lives, "to_write", "t") == {"task_id": "t", "upto": end}
    receipt = lives.tell("T", written("T", end)).global_position
    assert folded(lives).row("to_write", "t") is None
    artifact = row(lives, "artifacts", "t")
    assert (artifact["task_id"], artifact["upto"], artifact["written_position"]) == ("T", end, receipt)


def test_a_task_that_is_done_again_is_queued_anew_behind_the_others(lives: Lives) -> None:
    lives.tell("a", received("a"), queued(), claimed(1), failed())
    lives.tell("b", received("b"), queued())
    lives.tell("a", retry_requested("a", 1))
    again = row(lives, "queue", "a")
    assert again["received_position"] > row(lives, "queue", "b")["received_position"]
    assert (again["status"], again["attempt"], again["worker"]) == ("queued", 1, None)
    told = row(lives, "tasks", "a")
    forgotten = ("ended_at", "claimed_at", "reason", "sentence", "error_class", "verified", "worker")
    assert {told[name] for name in forgotten} == {None}


def test_a_task_that_waits_says_why_and_until_when(lives: Lives) -> None:
    lives.tell("a", received("a"), queued(), claimed(1), retry_scheduled(1, 99))
    told = row(lives, "tasks", "a")
    assert (told["status"], told["not_before"], told["error_class"]) == ("waiting_retry", 99, "network")
    assert (told["sentence"], told["worker"]) == ("no answer from the model.", None)
    lives.tell("a", claimed(2), quota_wait_started(2, 111))
    told = row(lives, "tasks", "a")
    assert (told["status"], told["not_before"], told["error_class"]) == ("waiting_quota", 111, "quota")


def test_checks_and_what_nobody_proved_stand_in_the_row_of_a_task(lives: Lives) -> None:
    lives.tell("a", received("a"), queued(), claimed(1), checked(1, 0), checked(1, 2, passed=False))
    assert row(lives, "tasks", "a")["checks"] == [
        {"index": 0, "command": "make test", "passed": True},
        {"index": 2, "command": "make test", "passed": False},
    ]
    proofs = ("check passed: `make test` (1.2 s)", "unproved: reads well", "unproved claim: a.py")
    lives.tell("a", failed().model_copy(update={"evidence": proofs}))
    assert row(lives, "tasks", "a")["unproved"] == 2
    lives.tell("a", retry_requested("a", 1), claimed(2))
    told = row(lives, "tasks", "a")
    assert (told["checks"], told["unproved"]) == ([], 0)


def test_a_task_done_again_waits_for_what_it_waited_for(lives: Lives) -> None:
    lives.tell("b", received("b", after=("a",)), queued(("a",)), cancelled())
    lives.tell("b", retry_requested("b", 0, "cancelled", waits_for=("a",)))
    assert row(lives, "waiting", "b")["waits_for"] == ["a"]
    assert row(lives, "waiting", "a") == {"waiters": ["b"], "succeeded": False}
    assert status(lives, "b") == "waiting_dependency"


def test_a_file_of_the_inbox_is_known_by_name_and_content_until_it_is_moved(lives: Lives) -> None:
    lives.tell("T", received("T"))
    lives.refuse("r1")
    known = lookup(folded(lives).rows("in_inbox").values())
    assert known == {
        ("T.task.md", hash_of("T")): "T",
        ("r1.task.md", hash_of("r1")): "refused-r1",
    }
    lives.tell("T", archived("T", "queued"))
    lives.say(names.SYSTEM, archived("refused-r1", "refused"))
    assert folded(lives).rows("in_inbox") == {}


def test_files_modified_counts_what_the_last_comparison_of_each_attempt_found(lives: Lives) -> None:
    a, b = FileChange(path="a", change="created"), FileChange(path="b", change="created")
    lives.tell("T", received("T"), queued(), claimed(1), snapshot(1), files_modified(1, a, b))
    lives.tell("T", files_modified(1, a), TaskInterrupted(attempt=1, reason="x"), claimed(2))
    lives.tell("T", snapshot(2, "later"))
    assert row(lives, "tasks", "t")["files_modified"] == 1
    lives.tell("T", files_modified(2, a.model_copy(update={"change": "modified"}), b))
    assert row(lives, "tasks", "t")["files_modified"] == 2
    lives.tell("T", files_modified(2, b), failed(2))
    found = row(lives, "tasks", "t")
    assert (found["files_modified"], found["changes"]) == (2, None)


def test_every_view_has_a_name_of_its_own() -> None:
    assert len(BY_NAME) == len(ALL)
    assert set(TO_DO) < set(ALL)


def test_live_views_know_which_event_wrote_a_row() -> None:
    lives = Lives(MemoryLog())
    place = lives.tell("T", received("T"))
    lives.raw("chat-1", "said", {})
    live = folded(lives)
    assert live.written_at("tasks", "t") == place.global_position == live.position - 1
    assert live.written_at("tasks", "nobody") is None
