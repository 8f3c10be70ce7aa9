"""The verbs that write, as a person calls them, beside a real service and without one."""

import json
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from adapters.demo_home import agent_setting
from schemas import names
from tests.service import (
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


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return home_at(tmp_path / "home")


def types(home: Path) -> list[str]:
    """What has happened; that a tree head was signed over it is another matter."""
    return [event.type for event in events(home) if event.type != names.TREE_HEAD_SIGNED]


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8", newline="\n")
    return path


def test_a_text_added_without_a_service_waits_in_the_queue(home: Path) -> None:
    added = evt(home, "add", "explain", "the", "cart", "--json")
    assert added.returncode == 0, added.stderr
    row = json.loads(added.stdout)[0]
    assert row["status"] == "queued"
    assert types(home) == [names.HOME_CREATED, names.TASK_RECEIVED, names.TASK_QUEUED]
    assert events(home)[1].data["spec"]["shaped_by"] == "rules"
    assert (home / "logs" / "events.ndjson").read_bytes().count(b"\n") == len(events(home))


def test_a_file_added_is_done_by_the_next_service_and_the_exit_code_tells(home: Path, tmp_path: Path) -> None:
    cwd = folder(home)
    file = write(tmp_path / "tonight.task.md", task_text(cwd))
    assert evt(home, "add", str(file)).stdout.split() == ["tonight", "queued"]
    assert evt(home, "run", "--drain").returncode == 0
    waited = evt(home, "wait", "tonight")
    assert waited.returncode == 0, waited.stderr
    assert (cwd / "price.txt").read_text(encoding="utf-8") == "two\n"
    assert json.loads((home / "results" / "tonight.json").read_bytes())["success"] is True
    assert file.exists(), "a file that was added is not moved"


def test_the_same_stem_again_gets_a_number(home: Path, tmp_path: Path) -> None:
    file = write(tmp_path / "tonight.task.md", task_text(folder(home)))
    said = [evt(home, "add", str(file)).stdout.split()[0] for _ in range(3)]
    assert said == ["tonight", "tonight-2", "tonight-3"]


def test_a_written_id_is_one_task_for_ever(home: Path, tmp_path: Path) -> None:
    cwd = folder(home)
    file = write(tmp_path / "a.task.md", task_text(cwd, id="Nightly"))
    assert evt(home, "add", str(file)).returncode == 0
    before = types(home)
    again = evt(home, "add", str(file))
    assert (again.returncode, again.stdout) == (0, "Nightly  queued\n")
    assert "note: task Nightly was taken in before with the same bytes and is queued." in again.stderr
    assert "`evt retry Nightly`" in again.stderr
    (row,) = json.loads(evt(home, "add", str(file), "--json").stdout)
    assert (row["task_id"], row["status"], row["added"]) == ("Nightly", "queued", False)
    assert types(home) == before, "nothing was written"
    other = evt(home, "add", str(write(tmp_path / "b.task.md", task_text(cwd, "three", id="NIGHTLY"))))
    assert (other.returncode, "belongs to another task" in other.stderr) == (7, True)


def test_what_is_wrong_is_one_sentence_and_nothing_is_taken_in(home: Path, tmp_path: Path) -> None:
    good = write(tmp_path / "good.task.md", task_text(folder(home)))
    bad = write(tmp_path / "bad.task.md", task_text(folder(home), priority="no"))
    refused = evt(home, "add", str(good), str(bad))
    assert refused.returncode == 2
    assert refused.stderr.startswith("evt: bad.task.md: Line 4:")
    assert "Traceback" not in refused.stderr
    assert types(home) == [names.HOME_CREATED]


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["retry"], 2, "no task was named"),
        (["retry", "x", "--failed"], 2, "both ids and --failed"),
        (["retry", "nothing"], 6, "there is no task"),
        (["pause", "nothing"], 6, "there is no task"),
        (["resume", "nothing"], 6, "there is no task"),
        (["add"], 2, "the following arguments are required"),
        (["add", "missing.task.md"], 6, "there is no file missing.task.md"),
        (["add", "x y", "--cwd", "/"], 2, "outside the allowed root"),
        (["add", "x y", "--type", "dance"], 2, '--type: "dance" is none of these: it may be analyze,'),
        (["add", ""], 2, ""),
        (["cancel", "nothing"], 6, "there is no task"),
        (["run", "--workers", "0"], 2, "a whole number from 1 to 64"),
        (["run", "--workers", "2.5"], 2, '--workers is "2.5"; it must be a whole number.'),
        (["wait", "x", "--timeout", "soon"], 2, '--timeout is "soon"; it must be a number.'),
        (["erase", "one"], 2, 'P is "one"; it must be a whole number.'),
        (["run", "--drain", "--drain-wait", "nan"], 2, "a number of seconds"),
        (["run", "--drain-wait", "1"], 2, "means nothing without --drain"),
        (["add", "x y", "--timeout", "5"], 2, "means nothing without --wait"),
        (["add", "x y", "--after", "../x"], 2, "is no id"),
        (["add", "x y", "--cwd", "~nobody-at-all/x"], 2, "names no folder"),
        (["dance"], 2, "there is no verb 'dance'"),
        (["ad"], 2, "Did you mean `evt add`?"),
    ],
)
def test_a_mistake_is_answered_with_a_sentence_and_its_code(
    home: Path, words: list[str], code: int, sentence: str
) -> None:
    said = evt(home, *words)
    assert said.returncode == code, said.stderr
    assert sentence in said.stderr
    assert "Traceback" not in said.stderr
    assert types(home) == [names.HOME_CREATED]


def test_an_error_as_json_has_code_message_and_hint(home: Path) -> None:
    said = evt(home, "cancel", "nothing", "--json")
    assert json.loads(said.stderr)["error"].keys() == {"code", "message", "hint"}


def test_a_running_service_answers_what_is_added(home: Path, tmp_path: Path) -> None:
    cwd = folder(home)
    file = write(tmp_path / "tonight.task.md", task_text(cwd))
    with running(home):
        until(home, lambda event: event.type == names.ORCHESTRATOR_STARTED)
        added = evt(home, "add", str(file), "--wait", "--timeout", "30")
        assert added.returncode == 0, added.stderr
        assert "No service runs" not in added.stderr
    assert types(home).count(names.TASK_SUCCEEDED) == 1


def test_a_waiting_task_is_cancelled_and_has_its_artifact(home: Path) -> None:
    task = json.loads(evt(home, "add", "explain the cart", "--json").stdout)[0]["task_id"]
    assert evt(home, "cancel", task).returncode == 0
    assert types(home)[-2:] == [names.TASK_CANCELLED, names.ARTIFACT_WRITTEN]
    assert json.loads((home / "results" / f"{task}.json").read_bytes())["success"] is False
    assert evt(home, "cancel", task).returncode == 0, "twice is once"
    assert types(home).count(names.TASK_CANCELLED) == 1
    assert evt(home, "wait", task).returncode == 3


def test_a_running_task_is_cancelled_and_its_agent_is_gone(home: Path, tmp_path: Path) -> None:
    file = write(tmp_path / "long.task.md", task_text(folder(home)))
    with running(home, CLAUDE_CODE_RECORDED_PAUSE_MS="20000"):
        evt(home, "add", str(file))
        agent = until(home, lambda event: event.type == names.AGENT_STARTED)
        assert psutil.pid_exists(agent.data["process"]["pid"])
        assert evt(home, "cancel", "long").returncode == 0
        ended = until(home, lambda event: event.type in names.ENDS)
        assert ended.type == names.TASK_CANCELLED
        assert ended.data["by"].startswith("cli")
        assert not psutil.pid_exists(agent.data["process"]["pid"])
    assert evt(home, "cancel", "long").returncode == 0


def test_a_task_that_has_succeeded_cannot_be_cancelled(home: Path, tmp_path: Path) -> None:
    evt(home, "add", str(write(tmp_path / "a.task.md", task_text(folder(home)))))
    evt(home, "run", "--drain")
    said = evt(home, "cancel", "a")
    assert (said.returncode, "has already succeeded" in said.stderr) == (7, True)


def test_two_services_on_one_home_are_one(home: Path) -> None:
    with running(home) as first:
        until(home, lambda event: event.type == names.ORCHESTRATOR_STARTED)
        second = evt(home, "run", "--drain")
        assert second.returncode == 7
        assert f"pid {first.pid}" in second.stderr


def test_a_signal_ends_the_service_cleanly_and_the_task_keeps_its_place(home: Path, tmp_path: Path) -> None:
    file = write(tmp_path / "long.task.md", task_text(folder(home)))
    with running(home, CLAUDE_CODE_RECORDED_PAUSE_MS="20000") as service:
        evt(home, "add", str(file))
        agent = until(home, lambda event: event.type == names.AGENT_STARTED)
        service.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        service.send_signal(signal.SIGTERM)
        # Well below the grace that the first signal alone would give.
        assert service.wait(timeout=15) == 0
    assert types(home)[-1] == names.ORCHESTRATOR_STOPPED
    assert names.TASK_INTERRUPTED in types(home)
    assert not psutil.pid_exists(agent.data["process"]["pid"])
    assert evt(home, "run", "--drain").returncode == 0
    assert types(home).count(names.TASK_SUCCEEDED) == 1


def test_a_file_dropped_while_it_runs_is_taken_refused_or_ignored(home: Path) -> None:
    with running(home):
        until(home, lambda event: event.type == names.ORCHESTRATOR_STARTED)
        drop(home, "good", task_text(folder(home)))
        drop(home, "bad", "---\ntype: bug_fix\nenv: {A: b}\n---\nx\n")
        write(home / "tasks" / "notes.txt", "not for you")
        until(home, lambda event: event.type == names.TASK_SUCCEEDED)
        until(home, lambda event: event.type == names.TASK_ARCHIVED and event.data["status"] == "succeeded")
        until(home, lambda event: event.type == names.TASK_ARCHIVED and event.data["status"] == "refused")
    processed = {path.name.split(".", 1)[1] for path in (home / "tasks" / "processed").iterdir()}
    assert processed == {"succeeded.task.md", "refused.task.md", "refused.reason.txt"}
    assert [path.name for path in (home / "tasks").iterdir() if path.is_file()] == ["notes.txt"]


def test_the_same_file_dropped_on_two_nights_is_two_tasks(home: Path) -> None:
    cwd = folder(home)
    for night in range(2):
        drop(home, "nightly", task_text(cwd))
        assert evt(home, "run", "--drain").returncode == 0, night
    received = [event.data["task_id"] for event in events(home) if event.type == names.TASK_RECEIVED]
    assert received == ["nightly", "nightly-2"]


def test_a_home_found_upward_that_nobody_made_starts_nothing(home: Path, tmp_path: Path) -> None:
    ours = environment(XDG_CONFIG_HOME=str(tmp_path / "config"))
    said = subprocess.run(
        command("run", "--drain"), cwd=home, env=ours, capture_output=True, encoding="utf-8", check=False
    )
    assert said.returncode == 4
    assert "you have not made it" in said.stderr
    seen = subprocess.run(command("status"), cwd=home, env=ours, capture_output=True, check=False)
    assert seen.returncode == 0, "anybody may read it"


def test_a_home_that_was_made_here_is_found_upward_and_served(tmp_path: Path) -> None:
    ours = environment(XDG_CONFIG_HOME=str(tmp_path / "config"))
    place = tmp_path / "mine"
    assert (
        subprocess.run(command("init", str(place)), env=ours, capture_output=True, check=False).returncode
        == 0
    )
    (place / ".env").write_text(agent_setting(), encoding="utf-8", newline="\n")
    said = subprocess.run(command("run", "--drain"), cwd=place, env=ours, capture_output=True, check=False)
    assert said.returncode == 0, said.stderr


def test_without_the_agent_the_service_does_not_start_and_no_task_is_touched(home: Path) -> None:
    (home / ".env").write_text("CLAUDE_EXECUTABLE=no-such-agent\n", encoding="utf-8", newline="\n")
    evt(home, "add", "explain the cart")
    said = evt(home, "run", "--drain")
    assert said.returncode == 69
    assert "'no-such-agent' was not found" in said.stderr
    assert "CLAUDE_EXECUTABLE" in said.stderr
    assert types(home) == [names.HOME_CREATED, names.TASK_RECEIVED, names.TASK_QUEUED]


def test_an_agent_that_goes_while_the_service_runs_costs_no_task_its_place(
    home: Path, tmp_path: Path
) -> None:
    recorded = agent_setting().strip().partition("=")[2].strip("'")
    agent = write(tmp_path / "agent", f"#!/bin/sh\nexec '{recorded}' \"$@\"\n")
    agent.chmod(0o755)
    (home / ".env").write_text(f"CLAUDE_EXECUTABLE={agent}\n", encoding="utf-8", newline="\n")
    file = write(tmp_path / "night.task.md", task_text(folder(home)))
    with running(home):
        until(home, lambda event: event.type == names.ORCHESTRATOR_STARTED)
        agent.rename(tmp_path / "gone")
        evt(home, "add", str(file))
        waits = until(home, lambda event: event.type == names.RETRY_SCHEDULED)
        assert waits.data["reason"] == "agent_not_started"
        assert str(agent) in waits.data["sentence"]
        (tmp_path / "gone").rename(agent)
        # It would come by itself; whoever has mended it need not wait.
        assert evt(home, "retry", "night").returncode == 0
        assert evt(home, "wait", "night", "--timeout", "50").returncode == 0


def test_a_secret_in_a_prompt_never_reaches_the_disk(home: Path) -> None:
    secret = "ghp_" + "a1B2c3D4e5" * 4
    evt(home, "add", f"use the token {secret[:40]} to explain the cart")
    evt(home, "run", "--drain")
    assert names.SECRET_REDACTED in types(home)
    for path in home.rglob("*"):
        if path.is_file():
            assert secret[:40].encode() not in path.read_bytes(), path


def test_deleted_views_are_made_again_and_a_cut_mirror_is_mended(home: Path) -> None:
    evt(home, "add", "explain the cart")
    mirror = home / "logs" / "events.ndjson"
    whole = mirror.read_bytes()
    mirror.write_bytes(whole[:-20])
    (home / "logs" / "views.db").unlink()
    for beside in (home / "logs").glob("views.db-*"):
        beside.unlink()
    assert evt(home, "run", "--drain").returncode == 0
    assert mirror.read_bytes().startswith(whole)
    assert names.MIRROR_REPAIRED in types(home)
    assert "identical" in evt(home, "replay", "--verify").stdout


def test_artifacts_are_written_again_byte_for_byte(home: Path, tmp_path: Path) -> None:
    evt(home, "add", str(write(tmp_path / "a.task.md", task_text(folder(home)))))
    evt(home, "run", "--drain")
    before = {path.name: path.read_bytes() for path in (home / "results").iterdir()}
    summaries = {path.name: path.read_bytes() for path in (home / "summaries").iterdir()}
    shutil.rmtree(home / "results")
    shutil.rmtree(home / "summaries")
    assert evt(home, "project", "artifacts", "--write").returncode == 0
    assert {path.name: path.read_bytes() for path in (home / "results").iterdir()} == before
    assert {path.name: path.read_bytes() for path in (home / "summaries").iterdir()} == summaries
    assert evt(home, "validate-artifacts").returncode == 0


def test_two_files_with_one_id_are_both_left_out(home: Path, tmp_path: Path) -> None:
    cwd = folder(home)
    files = [str(write(tmp_path / f"{name}.task.md", task_text(cwd, id="Same"))) for name in "ab"]
    said = evt(home, "add", *files)
    assert (said.returncode, "has the id Same" in said.stderr) == (7, True)
    assert types(home) == [names.HOME_CREATED]


def test_a_reader_that_goes_away_does_not_stop_the_service(home: Path, tmp_path: Path) -> None:
    evt(home, "add", str(write(tmp_path / "a.task.md", task_text(folder(home)))))
    with Path("/dev/full").open("wb") as full:
        said = subprocess.run(
            [*command("run", "--drain"), "--home", str(home)],
            stdout=full,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            check=False,
            env=environment(),
        )
    assert said.returncode == 0, said.stderr
    assert "the service goes on" in said.stderr
    assert types(home)[-1] == names.ORCHESTRATOR_STOPPED
    assert names.TASK_SUCCEEDED in types(home)


def test_the_service_shows_its_events_as_json_lines(home: Path) -> None:
    said = evt(home, "run", "--drain", "--json")
    shown = [json.loads(line)["type"] for line in said.stdout.splitlines()]
    assert shown == [event.type for event in events(home)][1:]


def test_a_log_put_back_from_a_backup_takes_nothing_in_and_keeps_its_mirror(
    home: Path, tmp_path: Path
) -> None:
    """The mirror is then the only copy of what happened since."""
    logs, kept = home / "logs", tmp_path / "kept"
    shutil.copytree(logs, kept)
    evt(home, "add", "explain the cart")
    mirror = (logs / "events.ndjson").read_bytes()
    for old in logs.glob("events.db*"):
        old.unlink()
    for old in kept.glob("events.db*"):
        shutil.copy(old, logs / old.name)
    for words in (["add", "another one"], ["run", "--drain"]):
        said = evt(home, *words)
        assert (said.returncode, "`evt recover --from-mirror`" in said.stderr) == (1, True), said.stderr
    assert (logs / "events.ndjson").read_bytes() == mirror
    assert types(home) == [names.HOME_CREATED]


def test_what_looks_like_a_secret_in_a_name_is_refused_and_not_run_for_ever(home: Path) -> None:
    name = "ghp_" + "a1B2c3D4e5" * 3 + "F6g7H8"
    drop(home, name, task_text(folder(home)))
    assert evt(home, "run", "--drain").returncode == 0
    assert names.TASK_CLAIMED not in types(home)
    refused = next(event for event in events(home) if event.type == names.TASK_REFUSED)
    assert refused.data["code"] == "looks_secret"
    for path in home.rglob("*"):
        if path.is_file() and path.parent.name != "tasks":
            assert name.encode() not in path.read_bytes(), path


def test_a_home_that_nobody_made_cannot_have_processes_ended(home: Path, tmp_path: Path) -> None:
    ours = environment(XDG_CONFIG_HOME=str(tmp_path / "config"))
    said = subprocess.run(
        command("cancel", "x"), cwd=home, env=ours, capture_output=True, encoding="utf-8", check=False
    )
    assert said.returncode == 4


def test_a_value_of_the_environment_that_is_a_secret_never_reaches_the_disk(home: Path) -> None:
    secret = "correct horse battery staple"
    added = evt(home, "add", f"say {secret} to the cart", DEPLOY_PASSWORD=secret)
    assert added.returncode == 0, added.stderr
    assert names.SECRET_REDACTED in types(home)
    for path in home.rglob("*"):
        if path.is_file():
            assert secret.encode() not in path.read_bytes(), path
