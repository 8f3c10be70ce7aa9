"""Checks of a task file that are cut off by a dead service: ended with all they started, and run again."""

import os
import signal
import sys
import time
from pathlib import Path

import psutil
import pytest

from schemas import names
from tests.service import PATIENCE_S, drop, events, evt, folder, home_at, running, task_text, until

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="kills by signal, and writes for a POSIX shell"
)


def living(marker: str) -> list[int]:
    """The processes whose arguments hold the marker."""
    return [
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if marker in (process.info["cmdline"] or [])
    ]


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
        while not living(seconds):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        service.send_signal(signal.SIGKILL)
        service.wait()
    assert living(seconds)
    assert not [event for event in events(home) if event.type in names.ENDS]

    (tmp_path / "go").touch()
    ended = evt(home, "run", "--drain", "--quiet")
    assert ended.returncode == 0, ended.stderr
    assert not living(seconds), "what a check started does not outlive it"
    told = events(home)
    (interrupted,) = [event for event in told if event.type == names.TASK_INTERRUPTED]
    assert interrupted.data["owes_checks"]
    assert len([event for event in told if event.type == names.TURN_STARTED]) == 1, "the agent is asked once"
    (end,) = [event for event in told if event.type in names.ENDS]
    assert (end.type, end.data["verified"], end.data["attempt"]) == (names.TASK_FAILED, "failed", 2)
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
