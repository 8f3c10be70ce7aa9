"""When a disk counts as low: said once, taken back with some room to spare; nothing is begun meanwhile."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.disk import ROOM_AGAIN, has_room, is_low
from handlers.scheduling import choose, low_disk
from projections import executors
from projections.live import LiveViews
from schemas import names
from schemas.disk import NoteDisk
from schemas.files import NoteArtifactTrouble
from tests.rule_bench import Bench, types

RESERVE = 1000


def note(bench: Bench, free: int, refused_since: int | None = None, reserve: int = RESERVE) -> list[str]:
    return types(
        bench.do(
            NoteDisk, path="/h/logs", free_bytes=free, reserve_bytes=reserve, refused_since=refused_since
        )
    )


def test_a_low_disk_is_said_once_and_taken_back_once() -> None:
    bench = Bench()
    assert note(bench, RESERVE) == []
    assert note(bench, RESERVE - 1) == ["disk_low"]
    assert note(bench, 0) == []
    assert note(bench, RESERVE) == []
    assert note(bench, int(RESERVE * ROOM_AGAIN) - 1) == []
    assert note(bench, int(RESERVE * ROOM_AGAIN)) == ["disk_restored"]
    assert note(bench, int(RESERVE * ROOM_AGAIN)) == []


def test_what_the_log_refused_counts_whatever_is_free_now_and_without_a_reserve() -> None:
    bench = Bench()
    assert note(bench, RESERVE * 9, refused_since=5) == ["disk_low"]
    assert note(bench, RESERVE * 9, refused_since=6) == []
    assert note(bench, RESERVE * 9) == ["disk_restored"]
    assert note(bench, 0, refused_since=7, reserve=0) == ["disk_low"]
    assert note(bench, 0, reserve=0) == ["disk_restored"]


def test_without_a_reserve_no_disk_is_low() -> None:
    assert note(Bench(), 0, reserve=0) == []


@given(free=st.integers(0, 3000), reserve=st.integers(0, 2000))
def test_no_disk_is_low_and_has_room_at_once(free: int, reserve: int) -> None:
    assert not (is_low(free, reserve) and has_room(free, reserve))


def test_nothing_is_chosen_while_the_disk_is_low() -> None:
    bench = Bench()
    row = {
        "task_id": "a",
        "status": "queued",
        "rank": 1,
        "received_position": 1,
        "not_before": None,
        "cwd": "/srv/a",
        "executor": "claude",
        "service_deaths": 0,
    }
    chosen = []
    for free in (RESERVE, RESERVE - 1, RESERVE * 2):
        note(bench, free)
        live = LiveViews([executors.PROJECTION])
        live.apply(bench.log.all())
        chosen.append(choose([row], bench.now, live.rows("executors")))
    assert chosen == [row, None, row]


def test_the_view_shows_what_is_low_and_since_when() -> None:
    bench = Bench()
    note(bench, 12)
    live = LiveViews([executors.PROJECTION])
    live.apply(bench.log.all())
    low = low_disk(live.rows("executors"))
    assert low == {"path": "/h/logs", "free_bytes": 12, "reserve_bytes": RESERVE, "since": bench.now}


@pytest.mark.parametrize("upto", [[3, 3], [3, 2]])
def test_an_artifact_that_cannot_be_written_is_told_of_once(upto: list[int]) -> None:
    bench = Bench()
    said = [bench.do(NoteArtifactTrouble, path="results/a.json", problem="full", upto=one) for one in upto]
    assert [types(one) for one in said] == [["artifact_failed"], []]
    (again,) = bench.do(NoteArtifactTrouble, path="results/a.json", problem="full", upto=4)
    assert (again.type, again.data["upto"]) == (names.ARTIFACT_FAILED, 4)
