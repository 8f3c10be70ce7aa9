"""Short versions of the programme of crashes; the long ones are `python -m tools.crash`."""

from collections.abc import Iterator

import pytest

from tools.crash import faults, mirror, oracle, power, small_disk, sweep, tracing, writers
from tools.crash.sandbox import Rehearsal, rehearsed
from tools.crash.script import SHORT
from tools.crash.tracing import tampering

NO_STRACE = tracing.why_not()
NO_MOUNT = small_disk.why_not()

pytestmark = [
    pytest.mark.skipif(NO_STRACE is not None, reason=str(NO_STRACE)),
    pytest.mark.timeout(600),  # many processes, and the machine may be busy
]


@pytest.fixture(scope="module")
def play() -> Iterator[Rehearsal]:
    with rehearsed(SHORT) as play:
        yield play


def test_the_program_killed_at_calls_of_each_kind_loses_nothing_and_goes_on(play: Rehearsal) -> None:
    told = sweep.sweep(play, 10, drain_every=5)
    assert told.wrong == []
    # What threads do in which order differs: a run may end before its point comes.
    assert told.killed + told.missed >= 10
    assert told.killed >= 5
    assert len(told.points) >= 3
    assert told.acks > 0


def test_no_state_of_a_lost_power_lacks_what_was_acknowledged() -> None:
    told = power.power(30, subsets=1, seed=1)
    assert (told.wrong, told.lost) == ([], 0)
    assert told.states > 500
    assert told.gone_on > 10


def test_the_same_oracle_sees_the_losses_of_a_log_that_is_not_synced() -> None:
    told = power.power(20, subsets=1, seed=1, synchronous="NORMAL")
    assert told.wrong == []
    assert told.lost > 100


def test_writes_and_syncs_that_fail_are_told_and_lose_nothing(play: Rehearsal) -> None:
    told = faults.faults(play, verbs=8, service=1)
    assert told.wrong == []
    assert told.runs.total() >= 5
    assert told.codes[74] > 0


def test_a_command_needs_no_views_to_settle_what_it_decided(play: Rehearsal) -> None:
    scene = next(scene for scene in play.scenes if scene.step.words[0] == "cancel")
    play.sandbox.put_back(scene)
    home = play.sandbox.home
    refused = tampering("pwrite64", "error=EIO", "1+", path=str(home / f"{oracle.VIEWS}-wal"))
    ran = play.player.evt(scene.step.said(home), home, refused)
    assert ran.code == 0, ran.err
    assert any(call.injected for call in ran.trace)
    assert "the views could not be brought up to date" in ran.err
    assert oracle.wrong_log(home, scene.lines, ran.acks) == []
    assert oracle.wrong_mirror(home) == []
    assert (home / "results" / "beta.json").is_file()


@pytest.mark.skipif(NO_MOUNT is not None, reason=str(NO_MOUNT))
def test_a_disk_that_was_full_and_is_freed_holds_all_that_was_acknowledged() -> None:
    told = small_disk.small_disks((1_500_000,))
    assert told.wrong == []
    assert told.codes[74] > 0
    assert told.acks > 10


def test_a_mirror_cut_anywhere_in_its_last_lines_is_the_log_after_the_next_command() -> None:
    told = mirror.cut_mirror(every=97)
    assert told.wrong == []
    assert told.torn == told.repairs > 0


def test_two_services_and_four_writers_share_a_home_without_a_gap() -> None:
    told = writers.write(4, 20)
    assert told.wrong == []
    assert "is owned by the service with pid" in told.services
    assert told.acks == told.events > 80
