"""What scripts rely on in an event: whose home it is of, who did it, and the words it may say."""

import json
from getpass import getuser
from pathlib import Path
from typing import get_args

import pytest

from eventstore.event import Recorded
from schemas import names
from schemas.attempt import ErrorClass
from tests.service import drop, events, evt, folder, home_at, task_text


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> list[Recorded]:
    """A home's log: one task from the inbox, one from the command line, both done."""
    home = home_at(tmp_path_factory.mktemp("home"))
    drop(home, "dropped", task_text(folder(home, "one")))
    file = home / "given.task.md"
    file.write_text(task_text(folder(home, "two")), encoding="utf-8", newline="\n")
    assert evt(home, "add", str(file)).returncode == 0
    assert evt(home, "run", "--drain").returncode == 0
    return events(home)


def actors(night: list[Recorded], event_type: str) -> set[str]:
    return {event.actor for event in night if event.type == event_type}


def test_every_event_names_the_home_that_event_one_made(night: list[Recorded]) -> None:
    assert night[0].type == names.HOME_CREATED
    assert {event.envelope["source"] for event in night} == {f"urn:evt:{night[0].data['home_id']}"}


def test_an_event_says_who_did_it(night: list[Recorded]) -> None:
    assert actors(night, names.TASK_RECEIVED) == {"inbox", f"cli:{getuser()}"}
    assert actors(night, names.TASK_CLAIMED) <= {f"worker:w{number}" for number in range(1, 65)}
    assert actors(night, names.ORCHESTRATOR_STARTED) == {"service"}
    assert {kind.partition(":")[0] for kind in (event.actor for event in night)} == {
        *("cli", "inbox", "policy", "service", "worker"),
    }


def test_a_line_of_the_mirror_is_a_line_of_the_log_with_all_its_keys(night: list[Recorded]) -> None:
    keys = {
        *("global_position", "stream", "position", "id", "type", "schema", "time", "source", "actor"),
        *("correlation_id", "causation_id", "data"),
    }
    assert all(json.loads(event.line).keys() == keys for event in night)


def test_the_statuses_of_a_task_are_these_words() -> None:
    assert (
        *("received", "queued", "running", "waiting_retry", "waiting_quota", "waiting_approval"),
        *("waiting_dependency", "paused"),
        *("succeeded", "failed", "cancelled", "refused", "dropped"),
    ) == names.STATUSES


def test_the_error_classes_are_these_words() -> None:
    assert set(get_args(ErrorClass)) - {"none"} == {
        *("interactive", "rate_limit", "quota", "timeout", "inactivity", "network", "auth", "turn_cap"),
        *("budget", "validation", "security", "worker_lost", "fatal"),
    }


def test_a_verb_leaves_the_mirror_at_the_head(tmp_path: Path) -> None:
    home = home_at(tmp_path)
    assert evt(home, "add", "explain the cart").returncode == 0
    mirror = (home / "logs" / "events.ndjson").read_bytes()
    assert mirror == b"".join(event.line + b"\n" for event in events(home))
