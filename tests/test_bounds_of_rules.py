"""Bounds that stand in promises as numbers and words: each is held at its edge."""

import pytest

from handlers.mediating.parse import ParsedWish, believed
from schemas import names
from tests.fakes import EPOCH
from tests.troubled import ends, events_of, nothing, with_checks, with_hands, world_of

WORK_S = 60


def over_at() -> float:
    """When a task whose check takes a minute is done with it, in seconds of virtual time."""
    world = world_of(a=with_checks("alpha", f"wait {WORK_S}"))
    with_hands(world, (200, nothing))
    (finished,) = events_of(world, names.CHECK_FINISHED)
    return (finished.time - EPOCH) / 1_000_000


@pytest.mark.parametrize(
    ("before_s", "interrupted"), [(29, False), (31, True)], ids=["in time", "not in time"]
)
def test_what_runs_when_a_service_is_told_to_stop_has_thirty_seconds(
    before_s: float, *, interrupted: bool
) -> None:
    world = world_of(a=with_checks("alpha", f"wait {WORK_S}"))
    with_hands(world, (over_at() - before_s, nothing))
    assert [one.data["grace_s"] for one in events_of(world, names.STOP_REQUESTED)] == [30.0]
    assert bool(events_of(world, names.TASK_INTERRUPTED)) is interrupted
    assert ends(world) == ({} if interrupted else {"a": [names.TASK_SUCCEEDED]})


def test_of_four_ways_to_understand_a_wish_three_are_told() -> None:
    """The rules have one by a word, the model another, and three more; analyze is always thought of."""
    wish = ParsedWish.model_validate(
        {
            "type": "documentation",
            "title": "Tell it",
            "target_files": [],
            "cwd": "",
            "ambiguous": True,
            "alternatives": [
                {"type": kind, "title": kind} for kind in ("summarize", "code_review", "analyze")
            ],
        }
    )
    spec = {
        "task_type": "bug_fix",
        "title": "fix the words of it",
        "prompt": "fix the words of it",
        "decided": {"type": "rules", "title": "rules", "cwd": "default", "target_files": "default"},
    }
    reading, _ = believed(wish, spec, None)
    assert [other.task_type for other in reading.alternatives] == ["analyze", "documentation", "summarize"]


def test_streams_are_named_as_whoever_reads_the_log_knows_them() -> None:
    assert names.SYSTEM == "system"
    assert names.task_stream("Nightly-Report") == "task-nightly-report"
    assert names.task_of("task-nightly-report") == "nightly-report"
    assert names.task_of("executor-claude") is names.task_of("system") is None
