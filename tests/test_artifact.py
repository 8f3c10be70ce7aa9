"""The artifact: every name of schema 1.1, from the task's stream alone, the same bytes each time."""

import json
from collections.abc import Sequence
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from eventstore.event import Recorded
from eventstore.memory_log import MemoryLog
from projections import artifacts
from projections.artifact import build, index, render, summary
from projections.live import LiveViews
from projections.story import NothingToWrite, artifact_path, summary_path
from schemas import names
from schemas.artifact import Artifact
from schemas.attempt import FileChange, TaskInterrupted
from schemas.service import SecretRedacted
from schemas.turn import Spent
from schemas.word import Fact
from tests.grown_lives import Grown
from tests.life_cycles import (
    Lives,
    archived,
    cancelled,
    checked,
    claimed,
    failed,
    files_modified,
    hash_of,
    queued,
    received,
    retry_requested,
    snapshot,
    succeeded,
    turn_finished,
    turn_started,
    written,
)

NAMES_OF_1_0 = {
    "schema_version", "task_id", "success", "return_code", "timestamp", "execution_time", "errors",
    "files_modified", "raw_stdout", "raw_stderr", "triage", "parsed_output", "retry", "orchestrator",
    "bridge", "llama", "validation", "suggested_actions", "parent_task_id", "turn_of",
}  # fmt: skip
NAMES_OF_1_1 = {"security", "linkage", "outcome", "cost", "conversation", "git"}


@pytest.fixture
def lives() -> Lives:
    return Lives(MemoryLog())


def stream(lives: Lives, task_id: str = "T") -> list[Recorded]:
    return list(lives.log.stream(names.task_stream(task_id)))


def built(lives: Lives, task_id: str = "T") -> Artifact:
    """The artifact as a reader gets it: written, read, checked."""
    return Artifact.model_validate_json(render(build(stream(lives, task_id))))


def replayed(events: Sequence[Recorded]) -> list[Recorded]:
    """The same events from another copy of the log."""
    return [
        Recorded(
            event.global_position, event.stream, event.position, event.type, event.time, bytes(event.line)
        )
        for event in events
    ]


@given(st.lists(st.integers(0, 5000), max_size=150))
def test_every_artifact_is_valid_and_the_same_bytes_from_a_replayed_log(numbers: list[int]) -> None:
    lives = Grown(MemoryLog())
    lives.grow(numbers)
    for task_id in lives.IDS:
        events = stream(lives, task_id)
        if not any(event.type == names.TURN_FINISHED or event.type in names.ENDS for event in events):
            with pytest.raises(NothingToWrite):
                build(events)
            continue
        document = render(build(events))
        assert render(build(replayed(events))) == document
        assert summary(replayed(events)) == summary(events)
        read = Artifact.model_validate_json(document)
        # What the model writes is what was read: nothing is hidden in it, nothing added.
        assert json.loads(read.model_dump_json(by_alias=True, exclude_unset=True)) == json.loads(document)


def test_a_receipt_never_changes_the_artifact(lives: Lives) -> None:
    lives.whole("T")
    before, told = render(build(stream(lives))), summary(stream(lives))
    lives.tell("T", written("T", lives.log.head()), archived("T", "succeeded"))
    lives.tell("T", SecretRedacted(patterns={"token": 1}, event_type=names.TASK_ARCHIVED))
    assert (render(build(stream(lives))), summary(stream(lives))) == (before, told)


def test_the_names_are_those_of_both_schemas(lives: Lives) -> None:
    lives.whole("T")
    document = build(stream(lives))
    assert set(document) == NAMES_OF_1_0 | NAMES_OF_1_1
    assert set(document["validation"]["llama"]) == {"valid", "similarity", "entropy", "issues"}
    assert set(document["bridge"]) == {
        "available",
        "claude_executable",
        "max_turns",
        "timeout",
        "skip_permissions",
    }


def test_the_bytes_are_canonical(lives: Lives) -> None:
    lives.whole("T")
    document = render(build(stream(lives)))
    again = json.dumps(json.loads(document), indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    assert document.decode() == again


def test_a_task_that_succeeded_says_so_in_three_parts(lives: Lives) -> None:
    lives.whole("Roof")
    found = built(lives, "Roof")
    assert (found.success, found.return_code, found.task_id) == (True, 0, "Roof")
    assert found.outcome.model_dump() == {
        "ended": "exited",
        "claimed": "The roof is mended.",
        "verified": "unchecked",
        "evidence": ("1 file modified",),
        "checks": (),
    }
    assert found.execution_time == 2.0
    assert found.raw_stdout == "hello"
    assert (found.triage.stdout_head, found.triage.stdout_tail) == ("he", "ad")
    assert found.cost.model_dump(exclude={"by_attempt"}) == {
        "usd": 0.0125,
        "input_tokens": 10,
        "output_tokens": 20,
        "cache_read_tokens": 30,
    }
    assert [(said.role, said.content) for said in found.conversation] == [
        ("user", "Mend it."),
        ("assistant", "The roof is mended."),
    ]


def test_the_linkage_ends_at_the_end_and_names_the_blobs(lives: Lives) -> None:
    lives.raw("chat-1", "said", {})
    lives.whole("T")
    end = lives.log.head()
    lives.tell("T", written("T", end))
    linkage = built(lives).linkage
    assert (linkage.first_global_position, linkage.last_global_position) == (2, end)
    assert (linkage.correlation_id, linkage.session_id, linkage.attempt) == ("task-t", "session-1-0", 1)
    assert linkage.blobs == {"attempt-1-snapshot": hash_of("before"), "stdout": hash_of("hello")}


def test_a_task_that_failed_names_error_and_what_to_do(lives: Lives) -> None:
    lives.tell("T", received("T"), queued(), claimed(1), turn_started(1))
    lives.tell("T", turn_finished(1, errors=("it broke",), exit_code=1, is_error=True), failed())
    found = built(lives)
    assert (found.success, found.return_code, found.retry.error_class) == (False, 1, "fatal")
    assert found.errors == ("the agent left no result.", "it broke")
    assert found.suggested_actions == ("Look at stderr.",)


def test_a_refused_directory_is_a_violation(lives: Lives) -> None:
    lives.tell("T", received("T"), queued(), failed(0, "security", "outside_root"))
    violations = built(lives).security.violations
    assert [(found.type, found.path) for found in violations] == [("outside_root", "/srv/roof")]


def test_a_task_cancelled_before_it_began_claims_to_know_nothing(lives: Lives) -> None:
    lives.tell("T", received("T"), cancelled())
    found = built(lives)
    assert (found.return_code, found.parsed_output, found.outcome.ended) == (None, None, "not_started")
    assert found.bridge.available is found.orchestrator.components.claude_available is None
    assert (found.conversation, found.cost.by_attempt) == ((), ())
    assert found.errors == ("cancelled by cli:me: not needed",)


def test_a_turn_that_is_not_the_end_has_an_artifact_too(lives: Lives) -> None:
    lives.tell("T", received("T"), queued(), claimed(1), turn_started(1))
    turn = lives.tell("T", turn_finished(1))
    lives.tell("T", TaskInterrupted(attempt=1, reason="service_died"), claimed(2), turn_started(2))
    found = built(lives)
    assert (found.success, found.linkage.last_global_position) == (False, turn.global_position)
    assert found.execution_time == 1.5
    assert found.retry.retries == 0


def test_attempts_are_told_apart_in_cost_and_blobs(lives: Lives) -> None:
    lives.tell("T", received("T"), queued(), claimed(1), turn_started(1), turn_finished(1))
    lives.tell("T", TaskInterrupted(attempt=1, reason="service_died"), claimed(2))
    lives.tell("T", turn_started(2, 1), turn_finished(2, 1), succeeded(2))
    found = built(lives)
    assert [(row.attempt, row.usd) for row in found.cost.by_attempt] == [(1, 0.0125), (2, 0.0125)]
    assert (found.cost.usd, found.retry.retries) == (0.025, 1)
    assert set(found.linkage.blobs) == {"attempt-1-turn-0-stdout", "stdout"}


def test_the_output_of_an_attempt_that_left_none_is_not_that_of_the_one_before(lives: Lives) -> None:
    lives.tell("T", received("T"), queued(), claimed(1), turn_started(1), turn_finished(1))
    lives.tell("T", TaskInterrupted(attempt=1, reason="service_died"), claimed(2), failed(2, "worker_lost"))
    found = built(lives)
    assert (found.raw_stdout, found.return_code, found.outcome.ended) == ("", None, "not_started")
    assert set(found.linkage.blobs) == {"attempt-1-turn-0-stdout"}


def test_an_attempt_s_cost_is_the_sum_of_what_its_turns_spent(lives: Lives) -> None:
    again = turn_finished(1, 1, cost_usd=0.0325)
    more = again.model_copy(update={"spent": Spent(usd=0.02, input_tokens=1)})
    lives.tell("T", received("T"), queued(), claimed(1), turn_started(1), turn_finished(1))
    lives.tell("T", turn_started(1, 1), more, succeeded())
    cost = built(lives).cost
    assert [(row.attempt, row.usd, row.input_tokens) for row in cost.by_attempt] == [(1, 0.0325, 11)]
    assert cost.usd == 0.0325


@pytest.mark.parametrize(
    ("end", "errors"), [(succeeded(), ()), (failed(), ("the agent left no result.", "cut"))]
)
def test_what_is_noted_of_a_good_end_is_no_error(lives: Lives, end: Fact, errors: tuple[str, ...]) -> None:
    lives.tell("T", received("T"), queued(), claimed(1), turn_started(1), turn_finished(1, note="cut"), end)
    assert built(lives).errors == errors


def test_what_a_check_said_is_linked_by_attempt_and_criterion(lives: Lives) -> None:
    lives.tell("T", received("T"), queued(), claimed(1), turn_started(1), checked(1, 0, "red", passed=False))
    lives.tell(
        "T", TaskInterrupted(attempt=1, reason="x"), claimed(2), turn_started(2, 1), turn_finished(2, 1)
    )
    lives.tell("T", checked(2, 0, "green"), checked(2, 1, ""), succeeded(2))
    assert built(lives).linkage.blobs == {
        "stdout": hash_of("hello"),
        "attempt-1-check-0": hash_of("red"),
        "attempt-2-check-0": hash_of("green"),
    }


def test_a_task_that_was_done_again_is_told_by_its_last_end(lives: Lives) -> None:
    lives.tell("T", received("T"), queued(), claimed(1), turn_started(1))
    lives.tell("T", turn_finished(1, is_error=True, errors=("it broke",)), failed())
    lives.tell("T", retry_requested("T", 1))
    assert not built(lives).success
    assert built(lives).errors == ("the agent left no result.", "it broke"), "until then it is what it was"
    lives.tell("T", claimed(2), turn_started(2, 1), turn_finished(2, 1))
    halfway = built(lives)
    assert (halfway.success, halfway.errors, halfway.retry.error_class) == (False, (), "none")
    end = lives.tell("T", succeeded(2))
    found = built(lives)
    assert (found.success, found.errors, found.retry.retries) == (True, (), 1)
    assert found.linkage.last_global_position == end.global_position
    assert [row.attempt for row in found.cost.by_attempt] == [1, 2]


def test_a_silence_is_how_an_agent_ended(lives: Lives) -> None:
    turn = turn_finished(1, ended="inactivity", exit_code=-15, has_result=False, result_text="")
    lives.tell("T", received("T"), queued(), claimed(1), turn_started(1), turn, failed(1, "inactivity"))
    assert built(lives).outcome.ended == "inactivity"


def change(path: str, kind: str, moved_from: str | None = None) -> FileChange:
    return FileChange.model_validate({"path": path, "change": kind, "moved_from": moved_from})


@pytest.mark.parametrize(
    ("first", "second_snapshot", "second", "together"),
    [
        # Measured from the same state, the later comparison is the whole truth.
        ([change("a", "created")], "before", [change("b", "modified")], [("b", "modified")]),
        ([change("a", "created")], "before", [], []),
        # Measured from a new state, it comes on top of the earlier one.
        ([change("a", "created")], "later", [change("b", "modified")], [("a", "created"), ("b", "modified")]),
        ([change("a", "created")], "later", [change("a", "modified")], [("a", "created")]),
        ([change("a", "created")], "later", [change("a", "deleted")], []),
        ([change("a", "modified")], "later", [change("a", "deleted")], [("a", "deleted")]),
        ([change("a", "deleted")], "later", [change("a", "created")], [("a", "modified")]),
        ([change("a", "created")], "later", [change("b", "renamed", "a")], [("b", "created")]),
        ([change("b", "renamed", "a")], "later", [change("c", "renamed", "b")], [("c", "renamed", "a")]),
        ([change("b", "renamed", "a")], "later", [change("b", "modified")], [("b", "renamed", "a")]),
        ([change("b", "renamed", "a")], "later", [change("b", "deleted")], [("a", "deleted")]),
        ([change("b", "renamed", "a")], "later", [change("a", "renamed", "b")], []),
        ([change("a", "modified")], "later", [change("b", "renamed", "a")], [("b", "renamed", "a")]),
    ],
)
def test_files_changed_in_two_attempts_are_told_as_one_change(
    lives: Lives,
    first: list[FileChange],
    second_snapshot: str,
    second: list[FileChange],
    together: list[tuple[str, ...]],
) -> None:
    lives.tell("T", received("T"), queued(), claimed(1), snapshot(1), files_modified(1, *first))
    lives.tell("T", TaskInterrupted(attempt=1, reason="service_died"), claimed(2))
    lives.tell("T", snapshot(2, second_snapshot), files_modified(2, *second), failed(2))
    assert [tuple(found.values()) for found in build(stream(lives))["files_modified"]] == together


def test_redactions_are_counted_by_pattern(lives: Lives) -> None:
    redacted = SecretRedacted(patterns={"token": 2, "pem": 1}, event_type=names.TASK_RECEIVED)
    lives.tell("T", received("T"), redacted, redacted, cancelled())
    assert built(lives).security.redactions == {"token": 4, "pem": 2}


def test_raw_output_is_at_most_64_kib_of_utf_8(lives: Lives) -> None:
    loud = {"text": "ü" * 40_000, "size": 80_000, "head": "ü" * 3000, "tail": "ü" * 3000}
    lives.tell(
        "T", received("T"), queued(), claimed(1), turn_started(1), turn_finished(1, stderr=loud), failed()
    )
    found = built(lives)
    assert found.raw_stderr == "ü" * 32_768
    assert len(found.triage.stderr_head) == len(found.triage.stderr_tail) == 2048


def test_an_output_that_stands_only_in_a_blob_is_read_from_there(lives: Lives) -> None:
    quiet = {"text": "", "size": 5, "sha256": hash_of("blob")}
    lives.tell(
        "T", received("T"), queued(), claimed(1), turn_started(1), turn_finished(1, stdout=quiet), failed()
    )
    assert build(stream(lives), {hash_of("blob"): b"whole"}.__getitem__)["raw_stdout"] == "whole"
    assert build(stream(lives))["raw_stdout"] == ""


@pytest.mark.parametrize(
    "spoil",
    [
        {"schema_version": "1.0"},
        {"success": "perhaps"},
        {"files_modified": ["Created: a.py"]},
        {"surprise": 1},
        {"outcome": {"ended": "exited"}},
        {"timestamp": "yesterday"},
    ],
)
def test_the_schema_refuses_what_is_no_artifact(lives: Lives, spoil: dict[str, object]) -> None:
    lives.whole("T")
    with pytest.raises(ValidationError):
        Artifact.model_validate_json(orjson.dumps({**build(stream(lives)), **spoil}))


def test_a_stream_without_a_task_has_nothing_to_write(lives: Lives) -> None:
    lives.tell("T", cancelled())
    with pytest.raises(NothingToWrite):
        build(stream(lives))


def test_the_index_names_the_artifact_of_each_task_as_its_id_was_written(lives: Lives) -> None:
    lives.tell("Nightly.v2", written("Nightly.v2", 1))
    lives.tell("b", written("b", 1))
    live = LiveViews([artifacts.PROJECTION])
    live.apply(lives.log.all())
    assert json.loads(index(live.rows("artifacts"))) == {
        "Nightly.v2": artifact_path("Nightly.v2"),
        "b": artifact_path("b"),
    }


def test_the_summary_tells_people_what_became_of_the_task(lives: Lives) -> None:
    lives.whole("T")
    told = summary(stream(lives))
    assert told.startswith("Mend the roof\n")
    assert "\nStatus:    succeeded" in told
    for line in (
        "  ended:    the agent exited with code 0",
        "  claimed:  The roof is mended.",
        "  verified: unchecked",
        "            - 1 file modified",
        "Files changed: 1",
        "  modified a.py",
        "Cost: 0.0125 USD in 1 attempt; 10 tokens in, 20 out, 30 from the cache",
        f"  - See everything: evt show T, and {artifact_path('T')}",
    ):
        assert line in told.splitlines()


def test_the_summary_of_a_failure_says_why_and_what_to_do_next(lives: Lives) -> None:
    lives.tell("T", received("T"), queued(), claimed(1), failed(error_class="timeout"))
    told = summary(stream(lives))
    assert "Status:    failed (timeout, no_result): the agent left no result." in told
    assert "  - Look at stderr." in told
    assert "No file was changed." in told


def test_a_summary_holds_nothing_that_a_terminal_would_obey(lives: Lives) -> None:
    titled = queued().model_copy(update={"title": "\x1b[2Jroof\u202e"})
    lives.tell("T", received("T"), titled, claimed(1), turn_started(1))
    lives.tell("T", turn_finished(1, result_text="\x1b]0;mine\x07\tend"))
    told = summary(stream(lives))
    assert all(sign.isprintable() or sign == "\n" for sign in told)
    assert "\\x1b[2Jroof" in told


def test_paths_are_those_of_the_contract() -> None:
    assert artifact_path("t-1") == str(Path("results") / "t-1.json").replace("\\", "/")
    assert summary_path("t-1") == "summaries/t-1_summary.txt"
