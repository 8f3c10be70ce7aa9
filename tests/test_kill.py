"""`kill -9` of the real service at the first sight of eleven event types: nothing is lost or done twice."""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from adapters.demo_home import agent_setting
from adapters.home_making import make_home
from eventstore.sqlite_log import SqliteLog
from schemas import names

KILLED_AT = (
    names.TASK_RECEIVED,
    names.TASK_QUEUED,
    names.TASK_CLAIMED,
    names.STEP_FINISHED,
    names.TURN_STARTED,
    names.AGENT_STARTED,
    names.TOOL_USED,
    names.FILES_MODIFIED,
    names.TURN_FINISHED,
    names.TASK_SUCCEEDED,
    names.ARTIFACT_WRITTEN,
)
PATIENCE_S = 30.0


def evt(home: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "adapters.cli", *words, "--home", str(home)]


def drop(home: Path, number: int) -> None:
    """A fresh task with a directory and a file of its own."""
    folder = home / "shops" / f"shop-{number}"
    folder.mkdir(parents=True)
    (folder / "price.txt").write_text("one\n", encoding="utf-8", newline="\n")
    text = (
        f"---\ntype: bug_fix\ncwd: '{folder}'\n---\n# Task {number}\n\n**Prompt:**\n"
        f"Mend it.\nRECORDED-EDIT: price.txt: one => two {number}\n"
    )
    hidden = home / "tasks" / f".task-{number}.tmp"
    hidden.write_text(text, encoding="utf-8", newline="\n")
    hidden.replace(home / "tasks" / f"task-{number}.task.md")


@contextmanager
def running(home: Path) -> Iterator[subprocess.Popen[bytes]]:
    with (home / "service.txt").open("ab") as said:
        service = subprocess.Popen(evt(home, "run", "--workers", "2"), stdout=said, stderr=said)
        try:
            yield service
        finally:
            service.kill()
            service.wait()


def wait_for(home: Path, event_type: str, after: int, service: subprocess.Popen[bytes]) -> None:
    log = SqliteLog(home / "logs" / "events.db", read_only=True)
    deadline = time.monotonic() + PATIENCE_S
    try:
        while not any(True for _ in log.all(after, types=frozenset({event_type}))):
            assert service.poll() is None, (home / "service.txt").read_text(encoding="utf-8")
            assert time.monotonic() < deadline, f"{event_type} was never seen"
            time.sleep(0.002)
    finally:
        log.close()


def agents_of(home: Path) -> list[int]:
    """Living recorded agents whose working directory is in this home."""
    found = []
    for process in psutil.process_iter(["cmdline", "cwd", "status"]):
        info = process.info
        is_agent = "evt-recorded-agent" in " ".join(info["cmdline"] or ())
        if is_agent and info["status"] != psutil.STATUS_ZOMBIE and str(home) in str(info["cwd"]):
            found.append(process.pid)
    return found


@pytest.mark.timeout(240)
def test_the_service_killed_at_eleven_kinds_of_event_ends_every_task_once(tmp_path: Path) -> None:
    home = make_home(tmp_path / "home", register=False).root
    (home / ".env").write_text(agent_setting(), encoding="utf-8", newline="\n")
    for number in range(10):
        drop(home, number)
    for number, event_type in enumerate(KILLED_AT, start=10):
        drop(home, number)
        log = SqliteLog(home / "logs" / "events.db", read_only=True)
        head = log.head()
        log.close()
        with running(home) as service:
            wait_for(home, event_type, head, service)
    tasks = 10 + len(KILLED_AT)
    ended = subprocess.run(
        evt(home, "run", "--drain", "--quiet"), capture_output=True, encoding="utf-8", check=False
    )
    assert ended.returncode == 0, ended.stderr

    log = SqliteLog(home / "logs" / "events.db", read_only=True)
    events = list(log.all())
    log.close()
    ends = Counter(event.stream for event in events if event.type in names.ENDS)
    assert ends == {names.task_stream(f"task-{number}"): 1 for number in range(tasks)}
    assert {event.type for event in events if event.type in names.ENDS} == {names.TASK_SUCCEEDED}
    for number in range(tasks):
        text = (home / "shops" / f"shop-{number}" / "price.txt").read_text(encoding="utf-8")
        assert text == f"two {number}\n"
        artifact = json.loads((home / "results" / f"task-{number}.json").read_bytes())
        assert artifact["files_modified"] == [{"path": "price.txt", "change": "modified"}]
    assert agents_of(home) == []
    assert not list((home / "tasks").glob("*.task.md"))
    verified = subprocess.run(
        evt(home, "replay", "--verify"), capture_output=True, encoding="utf-8", check=False
    )
    assert (verified.returncode, "identical" in verified.stdout) == (0, True), (
        verified.stdout + verified.stderr
    )
    mirror = (home / "logs" / "events.ndjson").read_bytes()
    assert mirror == b"".join(event.line + b"\n" for event in events)


def test_an_agent_that_outlives_its_service_is_ended_before_the_next_one_begins(tmp_path: Path) -> None:
    home = make_home(tmp_path / "home", register=False).root
    (home / ".env").write_text(agent_setting(), encoding="utf-8", newline="\n")
    drop(home, 1)
    slow = {**os.environ, "CLAUDE_CODE_RECORDED_PAUSE_MS": "60000"}
    with (home / "service.txt").open("ab") as said:
        service = subprocess.Popen(evt(home, "run"), stdout=said, stderr=said, env=slow)
        try:
            wait_for(home, names.AGENT_STARTED, 0, service)
        finally:
            service.kill()
            service.wait()
    (agent,) = agents_of(home)
    with running(home) as service:
        wait_for(home, names.ORCHESTRATOR_STARTED, 5, service)
        deadline = time.monotonic() + PATIENCE_S
        log = SqliteLog(home / "logs" / "events.db", read_only=True)
        while not (interrupted := list(log.all(types=frozenset({names.TASK_INTERRUPTED})))):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        log.close()
        assert interrupted[0].data["agent_was_alive"] is True
        assert agent not in agents_of(home)
