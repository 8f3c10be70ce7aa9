"""The list of files to be moved: each follows its task from the inbox to its last end, retries included."""

import pytest

from eventstore.memory_log import MemoryLog
from projections import in_inbox, to_archive
from projections.live import LiveViews
from projections.projection import Row
from schemas import names
from schemas.word import Fact
from tests.life_cycles import (
    Lives,
    archived,
    cancelled,
    claimed,
    failed,
    queued,
    received,
    retry_requested,
    succeeded,
)


@pytest.fixture
def lives() -> Lives:
    return Lives(MemoryLog())


def folded(lives: Lives) -> LiveViews:
    live = LiveViews([to_archive.PROJECTION, in_inbox.PROJECTION])
    live.apply(lives.log.all())
    return live


def row(lives: Lives, view: str, key: str) -> Row:
    found = folded(lives).row(view, key)
    assert found is not None, f"{view} has no row {key}"
    return found


def test_a_file_is_moved_once_while_its_task_is_open_and_once_at_its_end(lives: Lives) -> None:
    lives.tell("T", received("T"))
    assert row(lives, "to_archive", "t")["pending"] is True
    lives.tell("T", archived("T", "queued"))
    resting = row(lives, "to_archive", "t")
    assert (resting["pending"], resting["have"]) == (False, "tasks/processed/T.queued.task.md")
    lives.tell("T", queued(), claimed(1), failed())
    moving = row(lives, "to_archive", "t")
    assert (moving["pending"], moving["want"]) == (True, "tasks/processed/T.failed.task.md")
    lives.tell("T", archived("T", "failed"))
    assert folded(lives).row("to_archive", "t") is None


def test_a_receipt_for_the_first_place_that_comes_after_the_end_leaves_the_last_move_to_do(
    lives: Lives,
) -> None:
    lives.tell("T", received("T"), cancelled(), archived("T", "queued"))
    found = row(lives, "to_archive", "t")
    assert (found["pending"], found["have"]) == (True, "tasks/processed/T.queued.task.md")
    assert found["want"] == "tasks/processed/T.cancelled.task.md"


PLACE = "tasks/processed/T"


@pytest.mark.parametrize("then", [failed(2), succeeded(2), cancelled(2)], ids=lambda fact: fact.TYPE)
def test_a_file_that_rests_follows_the_next_end_of_its_task(lives: Lives, then: Fact) -> None:
    lives.tell("T", received("T"), archived("T", "queued"), queued(), claimed(1), failed())
    lives.tell("T", archived("T", "failed"), retry_requested("T", 1, archived=f"{PLACE}.failed.task.md"))
    resting = row(lives, "to_archive", "t")
    assert (resting["pending"], resting["have"]) == (False, f"{PLACE}.failed.task.md")
    lives.tell("T", claimed(2), then)
    status = names.STATUS_OF_END[then.TYPE]
    if status == "failed":
        assert folded(lives).row("to_archive", "t") is None, "it lies where it belongs already"
        return
    moving = row(lives, "to_archive", "t")
    assert (moving["pending"], moving["have"]) == (True, f"{PLACE}.failed.task.md")
    assert moving["want"] == f"{PLACE}.{status}.task.md"
    lives.tell("T", archived("T", status))
    assert folded(lives).row("to_archive", "t") is None


def test_a_retry_before_the_last_move_was_done_leaves_the_file_where_it_lies(lives: Lives) -> None:
    lives.tell("T", received("T"), archived("T", "queued"), queued(), claimed(1), failed())
    lives.tell("T", retry_requested("T", 1, archived=f"{PLACE}.queued.task.md"))
    found = row(lives, "to_archive", "t")
    assert (found["pending"], found["have"]) == (False, f"{PLACE}.queued.task.md")
    # The archiver had begun: its receipt comes late, and the file has farther to go.
    lives.tell("T", archived("T", "failed"))
    late = row(lives, "to_archive", "t")
    assert (late["pending"], late["have"]) == (True, f"{PLACE}.failed.task.md")
    assert late["want"] == f"{PLACE}.queued.task.md"
    lives.tell("T", archived("T", "queued"), claimed(2), succeeded(2))
    assert row(lives, "to_archive", "t")["want"] == f"{PLACE}.succeeded.task.md"


def test_a_retry_before_the_first_move_was_done_leaves_that_move_to_do(lives: Lives) -> None:
    lives.tell("T", received("T"), queued(), claimed(1), failed(), retry_requested("T", 1))
    found = row(lives, "to_archive", "t")
    assert (found["pending"], found["have"], found["status"]) == (True, None, "queued")
    lives.tell("T", claimed(2), succeeded(2))
    found = row(lives, "to_archive", "t")
    assert (found["pending"], found["want"]) == (True, f"{PLACE}.succeeded.task.md")


def test_a_file_that_is_gone_is_never_moved_again(lives: Lives) -> None:
    gone = archived("T", "queued").model_copy(update={"path": None})
    lives.tell("T", received("T"), gone)
    assert folded(lives).row("to_archive", "t") is None
    lives.tell("T", queued(), claimed(1), failed(), retry_requested("T", 1))
    assert folded(lives).row("to_archive", "t") is None


def test_a_text_without_a_file_that_is_done_again_has_no_file_to_move(lives: Lives) -> None:
    lives.tell("T", received("T", file_name=None), cancelled(), retry_requested("T", 0, "cancelled"))
    assert folded(lives).row("to_archive", "t") is None


def test_a_refused_file_is_moved_with_its_reason(lives: Lives) -> None:
    lives.refuse("r1")
    found = row(lives, "to_archive", "refused-r1")
    assert found["want"] == "tasks/processed/r1.refused.task.md"
    assert found["reason"]["remedy"] == "Write a task into it."
    lives.say(names.SYSTEM, archived("refused-r1", "refused"))
    assert folded(lives).rows("to_archive") == {}


def test_text_without_a_file_is_never_archived(lives: Lives) -> None:
    lives.tell("T", received("T", file_name=None), cancelled())
    live = folded(lives)
    assert live.rows("to_archive") == live.rows("in_inbox") == {}
