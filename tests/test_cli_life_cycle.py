"""`evt retry`, `pause`, `resume` and `cancel` with the real program, beside a service and without one."""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from adapters.desk import desk
from adapters.home import Home
from eventstore.event import Recorded
from schemas import names
from schemas.attempt import InterruptAttempt
from tests.reading_evt import Evt
from tests.service import command, drop, environment, events, folder, home_at, running, task_text, until
from tests.service import evt as program


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return home_at(tmp_path / "home")


def types(home: Path) -> list[str]:
    """What has happened; that a tree head was signed over it is another matter."""
    return [event.type for event in events(home) if event.type != names.TREE_HEAD_SIGNED]


def of_type(home: Path, kind: str) -> list[Recorded]:
    return [event for event in events(home) if event.type == kind]


@pytest.fixture
def evt(home: Path, capsys: pytest.CaptureFixture[str]) -> Evt:
    """The verbs in this process: only agents and services need one of their own."""
    return Evt(home, capsys)


def added(evt: Evt, *texts: str) -> list[str]:
    """The ids of as many tasks, which wait in the queue."""
    return [evt("add", text, "--json").document[0]["task_id"] for text in texts]


def listed(evt: Evt) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in evt("list", "--json").document}


def said(evt: Evt, *words: str) -> tuple[int, list[str]]:
    """Exit code and lines on stdout."""
    done = evt(*words)
    return done.code, done.lines


def told_by(home: Path, *words: str) -> tuple[int, list[str]]:
    """The same of a process of its own."""
    done = program(home, *words)
    return done.returncode, done.stdout.splitlines()


# without a service


def test_what_waits_is_paused_and_resumed_and_twice_is_once(home: Path, evt: Evt) -> None:
    one, two = added(evt, "look at it", "look again")
    assert said(evt, "pause", one, two) == (0, [f"{one} is paused", f"{two} is paused"])
    assert said(evt, "pause", two, one) == (0, [f"{two} was paused already", f"{one} was paused already"])
    assert types(home).count(names.TASK_PAUSED) == 2
    assert {row["status"] for row in listed(evt).values()} == {"paused"}
    assert said(evt, "resume", one) == (0, [f"{one} goes on: it is queued"])
    assert said(evt, "resume", one) == (0, [f"{one} was not paused: it is queued"])
    assert types(home).count(names.TASK_RESUMED) == 1


def test_a_paused_task_is_not_done_until_it_is_resumed(home: Path, evt: Evt) -> None:
    cwd = folder(home)
    drop(home, "night", task_text(cwd))
    assert evt("pause").code == 0
    assert program(home, "run", "--drain").returncode == 0
    assert evt("pause", "night").code == 0
    assert evt("resume").code == 0
    drained = program(home, "run", "--drain")
    assert "evt: night stays paused: until `evt resume night`" in drained.stderr
    assert names.TASK_CLAIMED not in types(home)
    assert evt("resume", "night").code == 0
    assert program(home, "run", "--drain").returncode == 0
    assert listed(evt)["night"]["status"] == "succeeded"


def test_a_paused_queue_begins_nothing_and_says_so(home: Path, evt: Evt) -> None:
    (one,) = added(evt, "look at it")
    assert said(evt, "pause", "--reason", "lunch")[1] == [
        "the queue is paused: what runs goes on, nothing new is begun"
    ]
    assert said(evt, "pause") == (0, ["the queue was paused already"])
    drained = program(home, "run", "--drain")
    assert (drained.returncode, f"evt: {one} stays queued: the queue is paused" in drained.stderr) == (
        0,
        True,
    )
    assert names.TASK_CLAIMED not in types(home)
    assert any(line.endswith("look at it: the queue is paused") for line in said(evt, "list")[1])
    status = said(evt, "status")[1]
    (line,) = [line for line in status if line.startswith("queue")]
    (paused,) = of_type(home, names.QUEUE_PAUSED)
    assert line == f"queue    paused by {paused.actor}: lunch; `evt resume` lets it go on"
    assert paused.actor.startswith("cli")
    assert said(evt, "resume") == (0, ["the queue goes on"])
    assert said(evt, "resume") == (0, ["the queue was not paused"])
    assert not [line for line in said(evt, "status")[1] if line.startswith("queue")]
    assert types(home).count(names.QUEUE_PAUSED) == types(home).count(names.QUEUE_RESUMED) == 1


def test_whoever_asks_for_a_task_while_the_queue_is_paused_is_told(home: Path, evt: Evt) -> None:
    (one,) = added(evt, "look at it")
    assert evt("cancel", one).code == 0
    assert evt("pause").code == 0
    assert "The queue is paused" in evt("retry", one).err
    waited = evt("wait", one, "--timeout", "0")
    assert (waited.code, "note: the queue is paused" in waited.err) == (3, True)


def test_each_verb_gives_one_json_document(home: Path, evt: Evt) -> None:
    (one,) = added(evt, "look at it")

    def told(*words: str) -> Any:
        done = evt(*words, "--json")
        assert (done.code, done.err) == (0, "")
        return done.document

    def row(was: str, status: str, changed: bool) -> list[dict[str, Any]]:
        return [{"task_id": one, "was": was, "status": status, "changed": changed}]

    assert told("pause", one) == row("queued", "paused", True)
    assert told("pause", one) == row("paused", "paused", False)
    assert told("resume", one) == row("paused", "queued", True)
    assert told("retry", one) == row("queued", "queued", False)
    assert told("cancel", one) == row("queued", "cancelled", True)
    assert told("retry", one) == row("cancelled", "queued", True)
    assert told("retry", "--failed") == []
    assert told("pause") == {"queue": "paused", "changed": True}
    assert told("resume") == {"queue": "open", "changed": True}
    assert told("resume") == {"queue": "open", "changed": False}


def test_several_are_cancelled_and_one_that_is_named_twice_once(home: Path, evt: Evt) -> None:
    one, two = added(evt, "look at it", "look again")
    assert said(evt, "cancel", one, two.upper(), one) == (0, [f"{one} is cancelled", f"{two} is cancelled"])
    assert types(home).count(names.TASK_CANCELLED) == 2


def test_what_has_ended_is_a_conflict_and_then_nothing_is_done_to_the_others(home: Path, evt: Evt) -> None:
    drop(home, "done", task_text(folder(home)))
    assert program(home, "run", "--drain").returncode == 0
    (one,) = added(evt, "look at it")
    head = len(events(home))
    for verb in ("pause", "resume", "cancel"):
        refused = evt(verb, one, "done")
        assert (refused.code, refused.out) == (7, "")
        assert "evt: task done has already succeeded.\n" in refused.err
    assert len(events(home)) == head


def test_what_was_refused_is_a_conflict_with_what_to_do(home: Path, evt: Evt) -> None:
    drop(home, "bad", "---\ntype: bug_fix\nenv: {A: b}\n---\nx\n")
    assert program(home, "run", "--drain").returncode == 0
    for verb in ("retry", "pause", "resume", "cancel"):
        refused = evt(verb, "refused")
        assert refused.code == 7
        assert f"was refused: no task came of it, so there is nothing to {verb}." in refused.err
        assert "Mend the file and add it again" in refused.err


def test_a_paused_task_is_resumed_and_not_retried(home: Path, evt: Evt) -> None:
    (one,) = added(evt, "look at it")
    assert evt("pause", one).code == 0
    refused = evt("retry", one)
    assert (refused.code, f"`evt resume {one}`" in refused.err) == (7, True)


def test_a_failed_task_is_done_again_and_its_file_follows_its_end(home: Path, evt: Evt) -> None:
    cwd = folder(home)
    (cwd / "price.txt").write_text("three\n", encoding="utf-8", newline="\n")
    drop(home, "night", task_text(cwd))
    assert program(home, "run", "--drain").returncode == 0
    processed = home / "tasks" / "processed"
    assert [path.name for path in processed.iterdir()] == ["night.failed.task.md"]
    (cwd / "price.txt").write_text("one\n", encoding="utf-8", newline="\n")
    assert said(evt, "retry", "night") == (0, ["night is queued again; it was failed"])
    assert said(evt, "retry", "night") == (0, ["night is queued already"])
    assert [path.name for path in processed.iterdir()] == ["night.failed.task.md"], "until its next end"
    assert any(line.endswith("Mend it: is to be done again") for line in said(evt, "list")[1])
    assert program(home, "run", "--drain").returncode == 0
    assert [path.name for path in processed.iterdir()] == ["night.succeeded.task.md"]
    assert evt("wait", "night").code == 0
    artifact = json.loads((home / "results" / "night.json").read_bytes())
    assert (artifact["success"], artifact["linkage"]["attempt"]) == (True, 2)
    assert said(evt, "retry", "night") == (0, ["night is queued again; it was succeeded"])


def test_all_that_failed_are_done_again_and_twice_is_once(home: Path, evt: Evt) -> None:
    one, two = added(evt, "look at it", "look again")
    assert evt("retry", "--failed").out == "no task is failed: there is nothing to do again\n"
    assert program(home, "run", "--drain").returncode == 0
    (three,) = added(evt, "and again")
    assert said(evt, "retry", "--failed", "--reason", "the agent is here now") == (
        0,
        [f"{one} is queued again; it was failed", f"{two} is queued again; it was failed", "2 tasks in all"],
    )
    assert said(evt, "retry", "--failed") == (0, ["no task is failed: there is nothing to do again"])
    asked = of_type(home, names.RETRY_REQUESTED)
    assert {event.data["reason"] for event in asked} == {"the agent is here now"}
    assert {event.actor.partition(":")[0] for event in asked} == {"cli"}
    assert program(home, "run", "--drain").returncode == 0
    assert {row["id"]: row["attempt"] for row in listed(evt).values()} == {one: 2, two: 2, three: 1}


def test_a_home_that_nobody_made_cannot_have_processes_ended(home: Path, tmp_path: Path) -> None:
    ours = environment(XDG_CONFIG_HOME=str(tmp_path / "config"))
    for verb in ("retry", "pause", "resume"):
        done = subprocess.run(command(verb, "x"), cwd=home, env=ours, capture_output=True, check=False)
        assert done.returncode == 4


# beside a service


def agent_of(home: Path, after: int = 0) -> Recorded:
    return until(home, lambda event: event.type == names.AGENT_STARTED, after)


def test_a_running_task_is_paused_its_agent_ended_and_its_session_goes_on(home: Path) -> None:
    cwd = folder(home)
    with running(home, CLAUDE_CODE_RECORDED_PAUSE_MS="20000"):
        drop(home, "long", task_text(cwd))
        agent = agent_of(home)
        paused = program(home, "pause", "long")
        assert (paused.returncode, paused.stdout.startswith("long is ")) == (0, True)
        interrupted = until(home, lambda event: event.type == names.TASK_INTERRUPTED)
        assert not psutil.pid_exists(agent.data["process"]["pid"])
        assert interrupted.data["reason"] == "the task was paused"
        assert json.loads(program(home, "list", "--json").stdout)[0]["status"] == "paused"
        waited = program(home, "wait", "long", "--timeout", "0")
        assert (waited.returncode, "note: it is paused" in waited.stderr) == (3, True)
    with running(home, CLAUDE_CODE_RECORDED_PAUSE_MS="0"):
        until(home, lambda event: event.type == names.ORCHESTRATOR_STARTED, interrupted.global_position)
        assert told_by(home, "pause", "long") == (0, ["long was paused already"])
        resumed = program(home, "resume", "long")
        assert (resumed.returncode, resumed.stdout.startswith("long goes on: it is ")) == (0, True)
        assert program(home, "wait", "long", "--timeout", "30").returncode == 0
    first, second = of_type(home, names.TURN_STARTED)
    assert (first.data["resumed"], second.data["resumed"]) == (False, True)
    assert first.data["session_id"] == second.data["session_id"]
    assert (cwd / "price.txt").read_bytes() == b"two\n"
    page = "\n".join(told_by(home, "show", "long")[1])
    assert f"session {first.data['session_id']}, interrupted: the task was paused" in page
    assert f"session {first.data['session_id']} resumed, succeeded" in page


def test_a_paused_queue_of_a_running_service_takes_in_and_begins_nothing(home: Path) -> None:
    with running(home):
        until(home, lambda event: event.type == names.ORCHESTRATOR_STARTED)
        assert program(home, "pause").returncode == 0
        drop(home, "night", task_text(folder(home)))
        until(home, lambda event: event.type == names.TASK_QUEUED)
        # The service goes on with all else: what comes after shows that it was not merely slow.
        drop(home, "bad", "---\ntype: bug_fix\nenv: {A: b}\n---\nx\n")
        until(home, lambda event: event.type == names.TASK_ARCHIVED and event.data["status"] == "refused")
        assert program(home, "resume").returncode == 0
        assert program(home, "wait", "night", "--timeout", "30").returncode == 0
    (resumed,) = of_type(home, names.QUEUE_RESUMED)
    (claimed,) = of_type(home, names.TASK_CLAIMED)
    assert claimed.global_position > resumed.global_position


def test_a_running_service_does_again_what_failed(home: Path) -> None:
    cwd = folder(home)
    (cwd / "price.txt").write_text("three\n", encoding="utf-8", newline="\n")
    with running(home, CLAUDE_CODE_RECORDED_PAUSE_MS="0"):
        drop(home, "night", task_text(cwd))
        until(home, lambda event: event.type == names.TASK_FAILED)
        (cwd / "price.txt").write_text("one\n", encoding="utf-8", newline="\n")
        again = program(home, "retry", "--failed")
        assert (again.returncode, again.stdout.splitlines()[-1]) == (0, "1 task in all")
        assert "No service" not in again.stderr
        assert program(home, "wait", "night", "--timeout", "30").returncode == 0
        until(home, lambda event: event.type == names.TASK_ARCHIVED and event.data["status"] == "succeeded")
    assert [path.name for path in (home / "tasks" / "processed").iterdir()] == ["night.succeeded.task.md"]


def test_a_service_whose_attempt_was_taken_away_ends_with_a_sentence(home: Path) -> None:
    with running(home, "--quiet", CLAUDE_CODE_RECORDED_PAUSE_MS="20000") as service:
        drop(home, "long", task_text(folder(home)))
        agent = agent_of(home)
        with desk(Home(home, named=True), environment()) as other:
            taking = InterruptAttempt(
                **other.stamp("service"),
                task_id="long",
                attempt=1,
                reason="its worker was not heard of in time",
                lease_expired=True,
            )
            other.dispatch(taking)
        assert service.wait(60) == 7
    assert not psutil.pid_exists(agent.data["process"]["pid"])
    told = (home / "service.txt").read_text(encoding="utf-8")
    assert f"evt: another service has taken over the home {home}: " in told
    assert "`evt status` tells who works" in told
    assert "Traceback" not in told
    assert names.STALE_RESULT_REJECTED in types(home)
    assert sequence(home, "long")[-1] not in names.ENDS


def sequence(home: Path, task_id: str) -> Sequence[str]:
    return [event.type for event in events(home) if event.stream == names.task_stream(task_id)]
