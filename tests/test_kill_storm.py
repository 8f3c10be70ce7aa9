"""The storm of kills, a short one; and what it would find is seen in logs in which it is planted."""

import os
import subprocess
import sys
import uuid
from collections import Counter
from pathlib import Path

import psutil
import pytest

from eventstore.memory_log import MemoryLog
from handlers.agent_call import SESSION_VARIABLE
from schemas import names
from schemas.attempt import TaskInterrupted
from schemas.service import AutomationRestarted
from schemas.word import Fact
from tests.life_cycles import (
    Lives,
    cancelled,
    claimed,
    failed,
    queued,
    received,
    retry_requested,
    retry_scheduled,
    snapshot,
    succeeded,
    turn_finished,
    turn_started,
)
from tools.kill_storm.__main__ import main, wrong_files
from tools.kill_storm.agents import doubled, living
from tools.kill_storm.findings import Reading, wrong_deaths
from tools.kill_storm.storm import AGENT_KILLED, SERVICE_KILLED, Blow, StormHome, noticed

SEED = "20261"
DIED = TaskInterrupted(attempt=1, reason="killed", agent_died=True)
BEGUN = (queued(), claimed(1), snapshot(1), turn_started(1))


@pytest.mark.skipif(sys.platform == "win32", reason="signals that Windows does not have")
@pytest.mark.timeout(300)
def test_a_short_storm_leaves_all_well(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["--tasks", "12", "--seconds", "6", "--seed", SEED])
    told = capsys.readouterr().out
    assert code == 0, told
    assert f"seed {SEED}: 12 tasks" in told
    assert "kill -9 of the service" in told


def life(*facts: Fact) -> Lives:
    lives = Lives(MemoryLog())
    lives.tell("t", received("t"), *facts)
    return lives


def wrong(lives: Lives) -> list[str]:
    return Reading().read(lives.log.all()).wrong


@pytest.mark.parametrize(
    "facts",
    [
        (*BEGUN, turn_finished(1), succeeded()),
        (*BEGUN, DIED, claimed(2), turn_started(2), turn_finished(2), succeeded(2)),
        (*BEGUN, turn_finished(1), retry_scheduled(1), cancelled(1)),
        (queued(), failed(0)),
        (*BEGUN, turn_finished(1), failed(), retry_requested("t", 1), claimed(2), succeeded(2)),
        (
            *(*BEGUN, DIED, claimed(2), DIED.model_copy(update={"attempt": 2}), claimed(3)),
            *(DIED.model_copy(update={"attempt": 3}), failed(3, "worker_lost", "worker_lost")),
        ),
    ],
    ids=["at once", "after a death", "cancelled while it waits", "never begun", "asked again", "lost"],
)
def test_a_life_as_it_should_be_is_not_found_fault_with(facts: tuple[Fact, ...]) -> None:
    assert wrong(life(*facts)) == []


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        ((*BEGUN, turn_finished(1), succeeded(), failed()), "wanted 1 times and ended 2 times"),
        ((*BEGUN, DIED), "wanted 1 times and ended 0 times"),
        (BEGUN, "attempt 1 of t is open still"),
        ((*BEGUN, claimed(2), succeeded(2)), "of which attempt 1 is open"),
        ((*BEGUN, DIED, turn_finished(1), claimed(2), succeeded(2)), "was accepted from attempt 1 of t"),
        ((*BEGUN, DIED, claimed(2), turn_finished(1), succeeded(2)), "was accepted from attempt 1 of t"),
        ((*BEGUN, DIED, claimed(2), succeeded(1)), "ends t for an attempt that is over"),
        ((*BEGUN, DIED, succeeded(1)), "ends t for an attempt that is over"),
        ((*BEGUN, DIED, claimed(3), succeeded(3)), "is attempt 3 after 1"),
        ((*BEGUN, DIED, failed(1, "worker_lost", "worker_lost")), "given up as lost after 1 deaths"),
        (
            (
                *(*BEGUN, DIED, claimed(2), DIED.model_copy(update={"attempt": 2}), claimed(3)),
                *(DIED.model_copy(update={"attempt": 3}), claimed(4), succeeded(4)),
            ),
            "went on after 3 deaths",
        ),
    ],
)
def test_a_planted_fault_is_found(facts: tuple[Fact, ...], sentence: str) -> None:
    assert any(sentence in found for found in wrong(life(*facts))), wrong(life(*facts))


def test_two_tasks_at_once_in_one_directory_are_found() -> None:
    lives = life(*BEGUN)
    lives.tell("u", received("u"), queued(), claimed(1), succeeded())
    lives.tell("t", turn_finished(1), succeeded())
    (sentence,) = wrong(lives)
    assert "claims u in /srv/roof, where another task is at work" in sentence


def test_a_part_of_the_service_that_died_is_found() -> None:
    lives = life(*BEGUN, succeeded())
    lives.say(names.SYSTEM, AutomationRestarted(automation="leases", error="oh", restarts=1, delay_s=0.5))
    (sentence,) = wrong(lives)
    assert "leases died of oh" in sentence


def test_a_death_that_nobody_brought_about_and_an_end_for_another_reason_are_found() -> None:
    lives = life(*BEGUN, DIED, claimed(2), failed(2))
    read = Reading().read(lives.log.all()).lives
    assert wrong_deaths(read, Counter()) == [
        "t counts 1 deaths of its agent, of which 0 were killed",
        "t ended as task_failed: no_result",
    ]
    assert len(wrong_deaths(read, Counter({"t": 1}))) == 1


def test_a_death_is_timed_only_where_the_service_lived_on() -> None:
    lives = life(*BEGUN, DIED, claimed(2), succeeded(2))
    events = list(lives.log.all())
    died = next(event.time for event in events if event.type == names.TASK_INTERRUPTED)
    blow, service = Blow(AGENT_KILLED, died - 500_000, "t"), Blow(SERVICE_KILLED, died - 100_000)
    assert list(noticed([blow], events)) == [0.5]
    assert list(noticed([blow, service], events)) == []


def test_an_edit_that_is_missing_or_made_twice_and_a_file_that_was_left_are_found(tmp_path: Path) -> None:
    home = StormHome(tmp_path / "home", 3)
    read = {f"mark-{number}": life(*BEGUN, succeeded()) for number in range(2)}
    lives = {name: Reading().read(told.log.all()).lives["t"] for name, told in read.items()}
    for name in lives:
        (home.root / "results" / f"{name}.json").write_text('{"success": true}', encoding="utf-8")
    (home.folder(0) / "marks.txt").write_text("[0]\n[1]xx\n", encoding="utf-8", newline="\n")
    home.drop(2)
    assert wrong_files(home, lives) == [
        "the edit of mark-0 left ['[0]']",
        "the edit of mark-1 left ['[1]xx']",
        "mark-2 was never taken in",
        "mark-2.task.md lies in the inbox still",
    ]


def test_two_living_agents_of_one_task_are_found_by_their_sessions() -> None:
    first, second, stranger = (str(uuid.uuid4()) for _ in range(3))
    wait = [sys.executable, "-c", "print(flush=True); input()"]
    env = {**os.environ, SESSION_VARIABLE: first}
    with (
        subprocess.Popen(wait, stdin=-1, stdout=-1, env=env) as one,
        subprocess.Popen([*wait, f"--resume={second}"], stdin=-1, stdout=-1) as two,
        subprocess.Popen([*wait, f"--resume={stranger}"], stdin=-1, stdout=-1) as other,
    ):
        for process in (one, two, other):
            assert process.stdout is not None
            process.stdout.readline()
        found = living({first: "t", second: "t"})
        assert {(agent.process.pid, agent.session_id) for agent in found} == {
            (one.pid, first),
            (two.pid, second),
        }
        assert doubled(found) == {"t": sorted((one.pid, two.pid))}
        two.communicate(b"\n")
        assert doubled(found) == {}, "one of them has ended meanwhile"
        assert not psutil.pid_exists(two.pid)
        for process in (one, other):
            process.communicate(b"\n")
    assert living({first: "t", second: "t"}) == []
