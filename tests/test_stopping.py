"""A service that is told to stop lets what runs come to its end, and begins nothing new."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.last_resort import IO_FAILED, LastResort
from schemas import names
from tests.service import drop, environment, events, evt, folder, home_at, running, task_text, until


def test_what_runs_when_the_service_is_told_to_stop_is_done_and_what_waits_is_not_begun(
    tmp_path: Path,
) -> None:
    home = home_at(tmp_path)
    drop(home, "first", task_text(folder(home)))
    with running(home, "--workers", "1", CLAUDE_CODE_RECORDED_PAUSE_MS="1500") as service:
        until(home, lambda event: event.type == names.AGENT_STARTED)
        drop(home, "second", task_text(folder(home, "other")))
        until(home, lambda event: (event.stream, event.type) == ("task-second", names.TASK_QUEUED))
        service.send_signal(signal.SIGTERM)
        assert service.wait(timeout=60) == 0
    log = events(home)
    assert [event.stream for event in log if event.type == names.TASK_CLAIMED] == ["task-first"]
    assert [event.type for event in log if event.type in names.ENDS] == [names.TASK_SUCCEEDED]


@pytest.mark.skipif(sys.platform == "win32", reason="no signal can be sent to a process there")
def test_the_second_signal_ends_a_service_of_which_a_thread_hangs_in_a_call_to_a_file(tmp_path: Path) -> None:
    home, hung = home_at(tmp_path / "home"), tmp_path / "hung"
    drop(home, "first", task_text(folder(home)))
    drop(home, "second", task_text(folder(home, "other")))
    service = subprocess.Popen(
        [sys.executable, "-P", "-m", "tests.stuck_service", "run", "--quiet", "--home", str(home)],
        stderr=subprocess.PIPE,
        env=environment(HUNG=str(hung), CLAUDE_CODE_RECORDED_PAUSE_MS="100"),
    )
    try:
        while not hung.exists():
            assert service.poll() is None
            time.sleep(0.01)
        service.send_signal(signal.SIGTERM)
        until(home, lambda event: event.type == names.STOP_REQUESTED)
        service.send_signal(signal.SIGTERM)
        said = service.communicate(timeout=60)[1].decode("utf-8")
    finally:
        service.kill()
        service.wait()
    assert service.returncode == IO_FAILED
    assert "a call to a file has not come back" in said
    requests = [event.data for event in events(home) if event.type == names.STOP_REQUESTED]
    assert [request["reason"] for request in requests] == ["signal SIGTERM", "signal SIGTERM, the second one"]
    # Nothing is lost: the next service takes up what the hanging one has left.
    assert evt(home, "run", "--drain").returncode == 0
    ended = [event.stream for event in events(home) if event.type == names.TASK_SUCCEEDED]
    assert sorted(ended) == ["task-first", "task-second"]


def test_a_process_that_ends_in_time_is_not_ended() -> None:
    ends: list[int] = []
    resort = LastResort(patience_s=0.0, tell=lambda: None, end=ends.append)
    resort.disarm()
    resort.arm()
    joined("last resort")
    assert ends == []


def test_last_words_that_nobody_takes_do_not_keep_a_process() -> None:
    never, ends = threading.Event(), list[int]()
    resort = LastResort(patience_s=0.0, tell=waiting(never), end=ends.append)
    resort.arm()
    resort.arm()
    joined("last resort")
    never.set()
    assert ends == [IO_FAILED]


def waiting(event: threading.Event) -> Callable[[], None]:
    def tell() -> None:
        event.wait()

    return tell


def joined(name: str) -> None:
    for thread in threading.enumerate():
        if thread.name == name:
            thread.join()
