"""The recorded agent misbehaves and the real service copes: the right events and end, told by `evt show`."""

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from eventstore.event import Recorded
from schemas import names
from tests.service import drop, events, evt, folder, home_at, running, task_text
from tools.kill_storm.findings import Reading

pytestmark = pytest.mark.timeout(300)

LONG_S = 90.0
SILENCE_S = 10
STORY: Final = frozenset(
    {
        *(names.TASK_CLAIMED, names.TURN_STARTED, names.TURN_FINISHED, names.INACTIVITY_TIMEOUT),
        *(names.TASK_INTERRUPTED, names.RETRY_SCHEDULED, names.QUOTA_WAIT_STARTED, *names.ENDS),
    }
)
TURN: Final = (names.TURN_STARTED, names.TURN_FINISHED)
TRY: Final = (names.TASK_CLAIMED, *TURN)
SILENT_TRY: Final = (names.TASK_CLAIMED, names.TURN_STARTED, names.INACTIVITY_TIMEOUT, names.TURN_FINISHED)
DIED: Final = (*TRY, names.TASK_INTERRUPTED)
AGAIN: Final = names.RETRY_SCHEDULED
GOOD: Final = names.TASK_SUCCEEDED
BAD: Final = names.TASK_FAILED


class Case(NamedTuple):
    """What a task asks of its agent, what then stands in the log, and words of its page."""

    wishes: tuple[str, ...]
    story: tuple[str, ...]
    page: tuple[str, ...]


# Three failures in a row of the agent's service would open its circuit: here there are two.
CASES: Final = {
    "hang": Case(("hang",), (*TRY, GOOD), ("it did not go after its result",)),
    "silent": Case(("silent 1",), (*SILENT_TRY, AGAIN, *TRY, GOOD), (f"said nothing for {SILENCE_S} s",)),
    "killed": Case(("die-9 1",), (*DIED, *TRY, GOOD), ("the agent was killed before it answered",)),
    "told-to-stop": Case(("die-15 1",), (*DIED, *TRY, GOOD), ("the agent was told to stop",)),
    "poison": Case(("die-9",), (*DIED * 3, BAD), ("worker_lost", "died 3 times")),
    "no-result": Case(("no-result",), (*TRY, BAD), ("fatal, no_result", "never printed a result")),
    "half-line": Case(("half-line",), (*TRY, BAD), ("fatal, no_result",)),
    "limited": Case(("rate-limit 1",), (*TRY, AGAIN, *TRY, GOOD), ("rate_limit", "its session goes on")),
    "session-lost": Case(
        ("session-lost", "network 1"), (*TRY, AGAIN, *TRY, *TURN, GOOD), ("network", "resumed")
    ),
    "noise": Case(("noise 2",), (*TRY, GOOD), ("lines unparsed",)),
    "two-results": Case(("two-results",), (*TRY, GOOD), ("The edit stands in price.txt",)),
    "question": Case(("question",), (*TRY, GOOD), ("Continue? (y/n)",)),
    "flood": Case(("flood 2",), (*TRY, GOOD), ("The edit stands in price.txt",)),
}


def drop_wishing(home: Path, name: str, *wishes: str) -> None:
    lines = "".join(f"RECORDED-MISBEHAVE: {wish}\n" for wish in wishes)
    drop(home, name, task_text(folder(home, name)) + lines)


def of_task(home: Path, task: str) -> list[Recorded]:
    return [event for event in events(home) if event.stream == names.task_stream(task)]


def data_of(home: Path, task: str, event_type: str) -> list[Recorded]:
    return [event for event in of_task(home, task) if event.type == event_type]


def wait_for(holds: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + LONG_S
    while not holds():
        assert time.monotonic() < deadline, f"in vain: {what}"
        time.sleep(0.05)


def wait_for_type(home: Path, task: str, event_type: str, count: int = 1) -> Recorded:
    wait_for(lambda: len(data_of(home, task, event_type)) >= count, f"{event_type} of {task}")
    return data_of(home, task, event_type)[count - 1]


@contextmanager
def serving(home: Path, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """A service whose agents count their turns; killed with -9 at the end."""
    memory = home.parent / "memory"
    memory.mkdir(exist_ok=True)
    with running(home, *words, CLAUDE_CODE_RECORDED_DIR=str(memory)) as service:
        yield service


def only(home: Path) -> str:
    """How the only task ended, when nothing is wrong with the log."""
    reading = Reading().read(events(home))
    assert reading.wrong == []
    (life,) = reading.lives.values()
    return life.ends[-1]


@pytest.fixture(scope="module")
def troubled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which the service has been through every case."""
    home = home_at(tmp_path_factory.mktemp("troubled") / "home", f"CLAUDE_INACTIVITY_SEC={SILENCE_S}\n")
    for name, case in CASES.items():
        drop_wishing(home, name, *case.wishes)
    with serving(home, "--workers", "4") as service:
        wait_for(lambda: sum(event.type in names.ENDS for event in events(home)) == len(CASES), "all ends")
        service.send_signal(signal.SIGTERM)
        assert service.wait(LONG_S) == 0
    return home


@pytest.mark.parametrize("name", CASES)
def test_each_kind_of_trouble_comes_to_its_right_end_and_its_page_tells_it(troubled: Path, name: str) -> None:
    case = CASES[name]
    assert tuple(event.type for event in of_task(troubled, name) if event.type in STORY) == case.story
    told = evt(troubled, "show", name)
    assert told.returncode == 0, told.stderr
    for words in case.page:
        assert words in told.stdout
    # Every agent here has made its edit before its trouble came, or was tried again.
    assert (troubled / "shops" / name / "price.txt").read_text(encoding="utf-8") == "two\n"


def test_amid_all_trouble_no_attempt_spoke_out_of_turn(troubled: Path) -> None:
    assert Reading().read(events(troubled)).wrong == []


def test_a_session_that_is_lost_is_begun_anew_within_the_attempt(troubled: Path) -> None:
    turns = [event.data for event in data_of(troubled, "session-lost", names.TURN_STARTED)]
    assert [(turn["attempt"], turn["resumed"]) for turn in turns] == [(1, False), (2, True), (2, False)]
    first, second, third = (turn["session_id"] for turn in turns)
    assert first == second != third


def test_a_quota_is_waited_for_though_the_service_is_killed_and_then_all_goes_on(tmp_path: Path) -> None:
    home = home_at(tmp_path / "home")
    drop_wishing(home, "a", "quota 3")
    with serving(home, "--workers", "1"):
        wait = wait_for_type(home, "a", names.QUOTA_WAIT_STARTED)
    told = evt(home, "show", "a")
    assert "waiting_quota" in told.stdout
    assert "its session goes on" in told.stdout
    with serving(home, "--workers", "1"):
        wait_for_type(home, "a", names.TASK_SUCCEEDED)
    claims = data_of(home, "a", names.TASK_CLAIMED)
    assert [claim.data["attempt"] for claim in claims] == [1, 2]
    assert claims[1].time >= wait.data["wake_at"] > wait.data["resets_at"]
    assert [turn.data["resumed"] for turn in data_of(home, "a", names.TURN_STARTED)] == [False, True]
    assert only(home) == names.TASK_SUCCEEDED


def test_a_retry_comes_when_it_is_due_though_the_service_is_killed_meanwhile(tmp_path: Path) -> None:
    home = home_at(tmp_path / "home")
    drop_wishing(home, "a", "network 2")
    for count in (1, 2):
        with serving(home):
            wait_for_type(home, "a", names.RETRY_SCHEDULED, count)
    with serving(home):
        wait_for_type(home, "a", names.TASK_SUCCEEDED)
    retries, claims = data_of(home, "a", names.RETRY_SCHEDULED), data_of(home, "a", names.TASK_CLAIMED)
    assert [claim.data["attempt"] for claim in claims] == [1, 2, 3]
    assert [retry.data["retry"] for retry in retries] == [1, 2]
    for retry, claim in zip(retries, claims[1:], strict=True):
        assert claim.time >= retry.data["wake_at"]
    assert only(home) == names.TASK_SUCCEEDED


def test_a_task_that_waits_for_its_quota_can_be_cancelled(tmp_path: Path) -> None:
    home = home_at(tmp_path / "home")
    drop_wishing(home, "a", "quota 3600")
    with serving(home):
        wait_for_type(home, "a", names.QUOTA_WAIT_STARTED)
        told = evt(home, "cancel", "a")
        assert told.returncode == 0, told.stderr
        wait_for_type(home, "a", names.TASK_CANCELLED)
        wait_for_type(home, "a", names.ARTIFACT_WRITTEN)
    assert only(home) == names.TASK_CANCELLED
    assert len(data_of(home, "a", names.TASK_CLAIMED)) == 1
    assert "cancelled" in evt(home, "show", "a").stdout


def test_who_asks_for_a_retry_waits_for_no_quota(tmp_path: Path) -> None:
    home = home_at(tmp_path / "home")
    drop_wishing(home, "a", "quota 3600")
    with serving(home):
        wait_for_type(home, "a", names.QUOTA_WAIT_STARTED)
        told = evt(home, "retry", "a")
        assert told.returncode == 0, told.stderr
        wait_for_type(home, "a", names.TASK_SUCCEEDED)
    assert [turn.data["resumed"] for turn in data_of(home, "a", names.TURN_STARTED)] == [False, True]


def test_all_that_failed_is_done_again_when_it_is_asked_for(tmp_path: Path) -> None:
    home = home_at(tmp_path / "home")
    drop_wishing(home, "a", "no-result 1")
    drop_wishing(home, "b")
    with serving(home, "--workers", "2"):
        wait_for_type(home, "a", names.TASK_FAILED)
        wait_for_type(home, "b", names.TASK_SUCCEEDED)
        told = evt(home, "retry", "--failed")
        assert told.returncode == 0, told.stderr
        wait_for_type(home, "a", names.TASK_SUCCEEDED)
    reading = Reading().read(events(home))
    assert reading.wrong == []
    assert {task: life.ends for task, life in reading.lives.items()} == {
        "a": [names.TASK_FAILED, names.TASK_SUCCEEDED],
        "b": [names.TASK_SUCCEEDED],
    }
    assert not any(turn.data["resumed"] for turn in data_of(home, "a", names.TURN_STARTED))


def test_a_paused_task_gives_its_agent_up_and_goes_on_in_its_session(tmp_path: Path) -> None:
    home = home_at(tmp_path / "home")
    drop_wishing(home, "a", "silent 1")
    with serving(home):
        wait_for_type(home, "a", names.AGENT_STARTED)
        assert evt(home, "pause", "a").returncode == 0
        wait_for_type(home, "a", names.TASK_INTERRUPTED)
        assert "paused" in evt(home, "show", "a").stdout
        assert evt(home, "resume", "a").returncode == 0
        wait_for_type(home, "a", names.TASK_SUCCEEDED)
    assert [turn.data["resumed"] for turn in data_of(home, "a", names.TURN_STARTED)] == [False, True]
    assert only(home) == names.TASK_SUCCEEDED
