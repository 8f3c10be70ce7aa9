"""Rows of faults around a running service: signals, clocks, watches, moves and programs that fail."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from eventstore.event import Recorded
from schemas import names
from tests.service import (
    PATIENCE_S,
    command,
    drop,
    environment,
    events,
    evt,
    folder,
    home_at,
    running,
    task_text,
    until,
)

posix = pytest.mark.skipif(sys.platform == "win32", reason="signals and modes of POSIX")
SHIFTED = """
import sys, time
from pathlib import Path
place, real = Path(sys.argv.pop(1)), time.time_ns
time.time_ns = lambda: real() + (int(place.read_text()) if place.exists() else 0) * 10**9
from adapters.cli import main
sys.exit(main.main())
"""
"""`evt`, but that the clock is so many seconds off as a file says."""
DAY_S = 86_400
NO_STORM = frozenset(
    {names.LEASE_EXPIRED, names.TASK_INTERRUPTED, names.STALE_RESULT_REJECTED, names.AUTOMATION_RESTARTED}
)


def of(task: str, kind: str) -> Callable[[Recorded], bool]:
    return lambda event: (event.stream, event.type) == (names.task_stream(task), kind)


def types_of(home: Path, task: str) -> list[str]:
    return [event.type for event in events(home) if event.stream == names.task_stream(task)]


def two_tasks(home: Path) -> None:
    for name in ("one", "two"):
        drop(home, name, task_text(folder(home, name)))


@posix
def test_one_signal_lets_what_runs_come_to_its_end_and_begins_nothing_more(tmp_path: Path) -> None:
    home = home_at(tmp_path / "home", "MAX_CONCURRENT_TASKS=1\n")
    two_tasks(home)
    with running(home, CLAUDE_CODE_RECORDED_PAUSE_MS="60") as service:
        first = until(home, lambda event: event.type == names.AGENT_STARTED).stream.removeprefix("task-")
        service.send_signal(signal.SIGTERM)
        assert service.wait(PATIENCE_S) == 0
    (second,) = {"one", "two"} - {first}
    assert types_of(home, first).count(names.TASK_SUCCEEDED) == 1
    assert names.TASK_INTERRUPTED not in types_of(home, first)
    assert names.TASK_CLAIMED not in types_of(home, second), "no new claim"


@posix
@pytest.mark.parametrize("jump", [-DAY_S, 3650 * DAY_S], ids=["a day back", "ten years on"])
def test_a_clock_that_jumps_changes_no_order_and_lets_nothing_expire(tmp_path: Path, jump: int) -> None:
    home, offset = home_at(tmp_path / "home", "MAX_CONCURRENT_TASKS=1\n"), tmp_path / "offset"
    two_tasks(home)
    words = [sys.executable, "-P", "-c", SHIFTED, str(offset), "run", "--home", str(home)]
    env = environment(CLAUDE_CODE_RECORDED_PAUSE_MS="60")
    with (
        (home / "service.txt").open("ab") as said,
        subprocess.Popen(words, stdout=said, stderr=said, env=env) as service,
    ):
        try:
            first = until(home, lambda event: event.type == names.AGENT_STARTED)
            offset.write_text(str(jump), encoding="utf-8")
            for task in ("one", "two"):
                until(home, of(task, names.ARTIFACT_WRITTEN))
            service.send_signal(signal.SIGTERM)
            assert service.wait(PATIENCE_S) == 0
        finally:
            service.kill()
    log = events(home)
    assert [event.global_position for event in log] == list(range(1, len(log) + 1))
    last = next(event for event in log if event.type == names.ORCHESTRATOR_STOPPED)
    assert abs((last.time - first.time) // 1_000_000 - jump) < DAY_S // 2, "the clock did jump"
    assert NO_STORM & {event.type for event in log} == set()
    assert [event.type for event in log if event.type in names.ENDS] == [names.TASK_SUCCEEDED] * 2
    assert "identical" in evt(home, "replay", "--verify").stdout
    assert evt(home, "audit").returncode == 0


def test_a_file_that_cannot_be_moved_stays_where_it_is_and_is_one_task(tmp_path: Path) -> None:
    home = home_at(tmp_path / "home")
    processed = home / "tasks" / "processed"
    if processed.exists():
        processed.rmdir()
    processed.write_text("in the way", encoding="utf-8", newline="\n")
    drop(home, "one", task_text(folder(home)))
    said = evt(home, "run", "--drain", "--quiet")
    assert said.returncode == 74, said.stderr
    assert "tasks/processed/one.succeeded.task.md" in said.stderr
    assert "Traceback" not in said.stderr
    assert (home / "tasks" / "one.task.md").is_file()
    processed.unlink()
    assert evt(home, "run", "--drain", "--quiet").returncode == 0
    assert (processed / "one.succeeded.task.md").is_file()
    assert not (home / "tasks" / "one.task.md").exists()
    log = events(home)
    assert [event.type for event in log if event.type in (names.TASK_RECEIVED, *names.ENDS)] == [
        names.TASK_RECEIVED,
        names.TASK_SUCCEEDED,
    ]


@posix
def test_where_no_watch_is_left_files_are_taken_in_all_the_same_and_the_log_says_so(tmp_path: Path) -> None:
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("there is no strace here")
    home = home_at(tmp_path / "home")
    fault = "inotify_add_watch:error=ENOSPC"
    words = [strace, "-f", "-qq", "-o", "/dev/null", "-e", "trace=inotify_add_watch", "-e", f"inject={fault}"]
    with (home / "service.txt").open("ab") as said:
        words += [*command("run"), "--home", str(home)]
        service = subprocess.Popen(words, stdout=said, stderr=said, env=environment())
        try:
            begun = until(home, lambda event: event.type == names.ORCHESTRATOR_STARTED)
            drop(home, "one", task_text(folder(home)))
            until(home, of("one", names.TASK_SUCCEEDED))
            (degraded,) = [event.data for event in events(home) if event.type == names.WATCH_DEGRADED]
            assert degraded["reason"].startswith("the folder tasks/ cannot be watched")
            os.kill(begun.data["process"]["pid"], signal.SIGTERM)  # strace hands none on
            assert service.wait(PATIENCE_S) == 0
        finally:
            service.kill()
            service.wait()
    assert "Traceback" not in (home / "service.txt").read_text(encoding="utf-8")


@posix
@pytest.mark.parametrize("what", ["no right", "a folder"])
def test_a_program_that_nobody_can_start_touches_no_task(tmp_path: Path, what: str) -> None:
    program = tmp_path / "agent"
    if what == "no right":
        program.write_text("#!/bin/sh\n", encoding="utf-8", newline="\n")
        program.chmod(0o644)
    else:
        program.mkdir()
    home = home_at(tmp_path / "home", f"CLAUDE_EXECUTABLE={program}\n")
    drop(home, "one", task_text(folder(home)))
    before = len(events(home))
    said = evt(home, "run", "--drain")
    assert said.returncode == 69
    assert f"the agent's program '{program}' is no program that may be run" in said.stderr
    assert (home / "tasks" / "one.task.md").is_file()
    assert len(events(home)) == before


@posix
def test_a_program_that_the_system_refuses_rests_after_three_tries_and_costs_no_task_its_place(
    tmp_path: Path,
) -> None:
    program = tmp_path / "agent"
    program.write_bytes(b"#!/no/such/interpreter\n")
    program.chmod(0o755)
    home = home_at(tmp_path / "home", f"CLAUDE_EXECUTABLE={program}\n")
    tasks = ("a", "b", "c", "d", "e")
    for task in tasks:
        drop(home, task, task_text(folder(home, task)))
    assert evt(home, "run", "--drain", "--drain-wait", "0").returncode == 0
    log = events(home)
    assert {event.type for event in log} & set(names.ENDS) == set()
    assert sum(event.type == names.TASK_CLAIMED for event in log) <= 2 * len(tasks), "no storm"
    told = evt(home, "list").stdout
    assert "waiting_retry" in told
    assert "could not be started" in told
