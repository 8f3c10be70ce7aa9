"""Checks of a task file that are cut off by a dead service: ended with all they started, and run again."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from schemas import names
from tests.living import living
from tests.service import PATIENCE_S, drop, events, evt, folder, home_at, running, task_text, until

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="kills by signal, and writes for a POSIX shell"
)


def test_a_service_killed_during_a_check_leaves_no_check_and_no_unproved_success(tmp_path: Path) -> None:
    home = home_at(tmp_path / "home")
    shop = folder(home)
    seconds = str(100_000 + os.getpid())
    check = f"test -e {tmp_path}/go || {{ touch made-by-the-check; env -i setsid sleep {seconds}; }}; false"
    criteria = f"\n**Success Criteria:**\n- [ ] $ `{check}`\n"
    drop(home, "one", task_text(shop) + criteria)
    with running(home) as service:
        until(home, lambda event: event.type == names.CHECK_STARTED)
        deadline = time.monotonic() + PATIENCE_S
        while not living(seconds, whole=True):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        service.send_signal(signal.SIGKILL)
        service.wait()
    assert living(seconds, whole=True)
    assert not [event for event in events(home) if event.type in names.ENDS]

    (tmp_path / "go").touch()
    ended = evt(home, "run", "--drain", "--quiet")
    assert ended.returncode == 0, ended.stderr
    assert not living(seconds, whole=True), "what a check started does not outlive it"
    told = events(home)
    (interrupted,) = [event for event in told if event.type == names.TASK_INTERRUPTED]
    assert interrupted.data["owes_checks"]
    turns = [event.data for event in told if event.type == names.TURN_STARTED]
    attempts = [(turn["attempt"], turn["resumed"]) for turn in turns]
    assert attempts == [(1, False), (3, True)], "the second one only runs the check again"
    (end,) = [event for event in told if event.type in names.ENDS]
    assert (end.type, end.data["verified"], end.data["attempt"]) == (names.TASK_FAILED, "failed", 3)
    changed = {
        change["path"]
        for event in told
        if event.type == names.FILES_MODIFIED
        for change in event.data["files"]
    }
    assert changed == {"price.txt"}, "what a check made is not the agent's"
    artifact = evt(home, "show", "one", "--json")
    assert "made-by-the-check" not in artifact.stdout.replace(check, "")
    assert evt(home, "validate-artifacts").returncode == 0
    assert '"ended": "exited"' in (home / "results" / "one.json").read_text(encoding="utf-8")


def test_a_check_that_fails_is_told_to_the_agent_and_its_second_answer_is_checked_anew(
    tmp_path: Path,
) -> None:
    home = home_at(tmp_path / "home")
    check = f"test -e {tmp_path}/tried || {{ touch {tmp_path}/tried; echo 'the sum is wrong'; false; }}"
    drop(home, "one", task_text(folder(home)) + f"\n**Success Criteria:**\n- [ ] $ `{check}`\n")
    ended = evt(home, "run", "--drain", "--quiet")
    assert ended.returncode == 0, ended.stderr
    told = events(home)
    (again,) = [event.data for event in told if event.type == names.RETRY_SCHEDULED]
    assert (again["error_class"], again["reason"], again["resume"]) == ("validation", "check_failed", True)
    assert "exit code 1: the sum is wrong" in again["sentence"]
    turns = [event.data["resumed"] for event in told if event.type == names.TURN_STARTED]
    assert turns == [False, True]
    (end,) = [event for event in told if event.type in names.ENDS]
    assert (end.type, end.data["verified"], end.data["attempt"]) == (names.TASK_SUCCEEDED, "passed", 2)
    page = evt(home, "show", "one").stdout
    assert "failed by check_failed" in page
    assert "tried again after" in page
    assert evt(home, "validate-artifacts").returncode == 0
