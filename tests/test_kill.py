"""`kill -9` of the real service at the first sight of fourteen event types: nothing is lost or done twice."""

import json
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from eventstore.event import Recorded
from schemas import names
from tests.service import drop, events, evt, folder, home_at, running, task_text
from tools.kill_storm.agents import living
from tools.kill_storm.findings import Reading

KILLED_AT: Final = (
    names.TASK_RECEIVED,
    names.TASK_QUEUED,
    names.TASK_CLAIMED,
    names.STEP_FINISHED,
    names.TURN_STARTED,
    names.AGENT_STARTED,
    names.TOOL_USED,
    names.FILES_MODIFIED,
    names.TURN_FINISHED,
    names.CHECK_FINISHED,
    names.TASK_INTERRUPTED,
    names.RETRY_SCHEDULED,
    names.TASK_SUCCEEDED,
    names.ARTIFACT_WRITTEN,
)
MORE: Final[Mapping[str, str]] = {
    names.CHECK_FINISHED: "\n**Success Criteria:**\n- [ ] $ `grep two price.txt`\n",
    names.TASK_INTERRUPTED: "RECORDED-MISBEHAVE: die-9 1\n",
    names.RETRY_SCHEDULED: "RECORDED-MISBEHAVE: rate-limit 1\n",
}
"""What a task's text says besides, so that such an event comes of it."""
BEFORE: Final = 10
"""Tasks that lie in the inbox before the first service begins."""
PATIENCE_S: Final = 60.0


def drop_task(home: Path, number: int, more: str = "") -> None:
    """A fresh task with a directory and a file of its own."""
    name = f"task-{number}"
    drop(home, name, task_text(folder(home, name), f"two {number}") + more)


@contextmanager
def serving(home: Path) -> Iterator[subprocess.Popen[bytes]]:
    with running(home, "--workers", "2", CLAUDE_CODE_RECORDED_DIR=str(home / "memory")) as service:
        yield service


def wait_for(home: Path, event_type: str, after: int, service: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not any(event.type == event_type for event in events(home, after)):
        assert service.poll() is None, (home / "service.txt").read_text(encoding="utf-8")
        assert time.monotonic() < deadline, f"{event_type} was never seen"
        time.sleep(0.002)


def said_by_the_next(log: list[Recorded]) -> Iterator[bool]:
    """Of each attempt that a dead service left: whether the next one had said before that it is at work."""
    at_work, claimed = None, dict[str, object]()
    for event in log:
        if event.type == names.ORCHESTRATOR_STARTED:
            at_work = event.data["process"]
        elif event.type == names.TASK_CLAIMED:
            claimed[event.stream] = event.data["process"]
        elif event.type == names.TASK_INTERRUPTED and event.data["reason"].startswith("the service died"):
            yield at_work != claimed[event.stream]


def drain(home: Path) -> None:
    ended = evt(home, "run", "--drain", "--quiet", CLAUDE_CODE_RECORDED_DIR=str(home / "memory"))
    assert ended.returncode == 0, ended.stderr


@pytest.mark.timeout(300)
def test_the_service_killed_at_fourteen_kinds_of_event_ends_every_task_once(tmp_path: Path) -> None:
    home = home_at(tmp_path / "home")
    (home / "memory").mkdir()
    for number in range(BEFORE):
        drop_task(home, number)
    for number, event_type in enumerate(KILLED_AT, start=BEFORE):
        drop_task(home, number, MORE.get(event_type, ""))
        head = events(home)[-1].global_position
        with serving(home) as service:
            wait_for(home, event_type, head, service)
    tasks = BEFORE + len(KILLED_AT)
    drain(home)
    # Which of them the service died of it cannot know: those that were at work each time are paused.
    held = {one.stream.removeprefix("task-") for one in events(home) if one.actor == names.QUARANTINE}
    if held:
        assert evt(home, "resume", *sorted(held)).returncode == 0
        drain(home)

    log = events(home)
    reading = Reading().read(log)
    assert reading.wrong == []
    assert {task: life.ends for task, life in reading.lives.items()} == {
        f"task-{number}": [names.TASK_SUCCEEDED] for number in range(tasks)
    }
    for number in range(tasks):
        text = (home / "shops" / f"task-{number}" / "price.txt").read_text(encoding="utf-8")
        assert text == f"two {number}\n"
        artifact = json.loads((home / "results" / f"task-{number}.json").read_bytes())
        assert artifact["files_modified"] == [{"path": "price.txt", "change": "modified"}]
    assert all(said_by_the_next(log))
    begun = (event for event in log if event.type == names.TURN_STARTED)
    assert living({event.data["session_id"]: event.stream for event in begun}) == []
    assert not list((home / "tasks").glob("*.task.md"))
    verified = evt(home, "replay", "--verify")
    assert (verified.returncode, "identical" in verified.stdout) == (0, True), verified.stdout
    assert (home / "logs" / "events.ndjson").read_bytes() == b"".join(event.line + b"\n" for event in log)
