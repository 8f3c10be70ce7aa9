"""Real processes: a service that slept, died or lost its lock, agents that are killed; one end a task."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from adapters.process_tree import alive
from eventstore.event import Recorded
from eventstore.file_lock import FileLock
from schemas import names
from schemas.process import ProcessIdentity
from tests.held_agent import (
    AFTER_ITS_TOOL,
    BEFORE_ITS_RESULT,
    BEFORE_THE_FIRST_LINE,
    held_agent_setting,
    hold,
    is_held,
    let_go,
)
from tests.service import PATIENCE_S, drop, environment, events, folder, home_at, running, task_text, until
from tools.kill_storm.agents import Living, doubled, living
from tools.kill_storm.findings import Reading

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="signals that Windows does not have"),
    pytest.mark.timeout(300),
]

SHORT_LEASED = """
import sys
from adapters.app import Service
from adapters.cli import main, run

class ShortLeased(Service):
    def __init__(self, *parts, **named):
        super().__init__(*parts, lease_margin_s=1.0, **named)

run.Service = ShortLeased
sys.exit(main.main())
"""
"""`evt`, but that a lease outlasts the longest silence by a second."""


def held_home(root: Path) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    return home_at(root / "home", held_agent_setting(root))


def task_in(home: Path, name: str, *more: str, before: str = "") -> Path:
    """Drop a task of that name with a directory of its own, where its agent is held before such a line."""
    shop = folder(home, name)
    if before:
        hold(shop, before)
    drop(home, name, task_text(shop) + "".join(f"{line}\n" for line in more))
    return shop


def is_of(task: str, event_type: str, **data: object) -> Callable[[Recorded], bool]:
    def seen(event: Recorded) -> bool:
        known = event.type == event_type and event.stream == names.task_stream(task)
        return known and all(event.data[name] == value for name, value in data.items())

    return seen


def wait_for(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, f"in vain: {what}"
        time.sleep(0.02)


def held(home: Path, task: str, attempt: int = 1) -> ProcessIdentity:
    """The agent of that attempt, once it stands where it is held."""
    begun = until(home, is_of(task, names.AGENT_STARTED, attempt=attempt))
    agent = ProcessIdentity.model_validate(begun.data["process"])
    wait_for(lambda: is_held(home / "shops" / task, agent.pid), f"the agent of {task} where it is held")
    return agent


def agents(home: Path) -> list[Living]:
    begun = [event for event in events(home) if event.type == names.TURN_STARTED]
    return living({event.data["session_id"]: event.stream.removeprefix("task-") for event in begun})


def of_task(home: Path, task: str) -> list[Recorded]:
    """Without the receipts for its files, which come when the disk has them."""
    receipts = (names.TASK_ARCHIVED, names.ARTIFACT_WRITTEN)
    found = (event for event in events(home) if event.stream == names.task_stream(task))
    return [event for event in found if event.type not in receipts]


def all_ended(home: Path, count: int) -> bool:
    return sum(event.type in names.ENDS for event in events(home)) >= count


def ends(home: Path) -> dict[str, str]:
    """How each task ended, when nothing else is wrong with the log."""
    reading = Reading().read(events(home))
    assert reading.wrong == []
    return {task: life.ends[-1] for task, life in reading.lives.items()}


def texts(home: Path, *tasks: str) -> set[str]:
    return {(home / "shops" / task / "price.txt").read_text(encoding="utf-8") for task in tasks}


@contextmanager
def short_leased(home: Path, silence_s: int) -> Iterator[subprocess.Popen[bytes]]:
    """A service of two workers whose lease lasts a second longer than the silence it bears."""
    words = [sys.executable, "-P", "-c", SHORT_LEASED, "run", "--workers", "2", "--home", str(home)]
    with (home / "first.txt").open("ab") as said:
        env = environment(CLAUDE_INACTIVITY_SEC=str(silence_s))
        service = subprocess.Popen(words, stdout=said, stderr=said, env=env)
        try:
            yield service
        finally:
            service.kill()
            service.wait()


def _idle(home: Path) -> bool:
    """Whether nobody holds a lock that others would wait for."""
    for name in ("events.db", "views.db"):
        for path in (home / "logs").glob(name):
            with closing(sqlite3.connect(path, timeout=0.0)) as database:
                try:
                    database.execute("BEGIN IMMEDIATE")
                except sqlite3.OperationalError:
                    return False
                database.rollback()
    gate = FileLock(home / "logs" / ".gate")
    if not gate.try_acquire():
        return False
    gate.release()
    return True


def put_to_sleep(service: subprocess.Popen[bytes], home: Path) -> None:
    """Stop it between two writes: one that sleeps with a lock in its hand holds everybody up."""

    def stopped() -> bool:
        service.send_signal(signal.SIGSTOP)
        if _idle(home):
            return True
        service.send_signal(signal.SIGCONT)
        return False

    wait_for(stopped, "a moment in which nothing is written")


def take_the_lock_away(home: Path) -> None:
    """As somebody does who thinks that it is left over."""
    (home / "logs" / ".owner").unlink()


def test_a_service_that_slept_through_its_lease_takes_nothing_more_and_ends(tmp_path: Path) -> None:
    home = held_home(tmp_path)
    shop = task_in(home, "a", before=AFTER_ITS_TOOL)
    with short_leased(home, silence_s=10) as first:
        agent = held(home, "a")
        put_to_sleep(first, home)
        claim = next(event for event in of_task(home, "a") if event.type == names.TASK_CLAIMED)
        told = len(of_task(home, "a"))
        hold(shop, AFTER_ITS_TOOL)
        take_the_lock_away(home)
        with running(home, "--workers", "1") as second:
            expired = until(home, is_of("a", names.LEASE_EXPIRED))
            assert of_task(home, "a")[told].time > claim.data["lease_until"], "until then it was left alone"
            assert expired.data["process"]["pid"] == first.pid
            interrupted = until(home, is_of("a", names.TASK_INTERRUPTED))
            assert interrupted.data["agent_was_alive"] is True
            assert not alive(agent)
            agent = held(home, "a", attempt=2)
            task_in(home, "c")
            waiting = until(home, is_of("c", names.TASK_QUEUED))

            first.send_signal(signal.SIGCONT)
            assert first.wait(PATIENCE_S) == 7, (home / "first.txt").read_text(encoding="utf-8")
            (rejected,) = (event for event in events(home) if event.type == names.STALE_RESULT_REJECTED)
            assert (rejected.stream, rejected.data["attempt"]) == (names.task_stream("a"), 1)
            assert [one.process.pid for one in agents(home)] == [agent.pid], "the new agent lives on"
            later = {event.type for event in events(home, waiting.global_position)}
            assert names.TASK_CLAIMED not in later

            let_go(shop, agent.pid)
            wait_for(lambda: all_ended(home, 2), "the ends of both tasks")
            second.terminate()
            assert second.wait(PATIENCE_S) == 0
    assert ends(home) == {"a": names.TASK_SUCCEEDED, "c": names.TASK_SUCCEEDED}
    assert texts(home, "a", "c") == {"two\n"}
    claims = [event for event in events(home) if event.type == names.TASK_CLAIMED]
    assert [event.data["process"]["pid"] for event in claims] == [first.pid, second.pid, second.pid]
    assert agents(home) == []


def test_a_service_whose_lock_was_removed_makes_room_for_the_next_one(tmp_path: Path) -> None:
    home = held_home(tmp_path)
    task_in(home, "a", before=AFTER_ITS_TOOL)
    with running(home, "--workers", "2") as first:
        held(home, "a")
        take_the_lock_away(home)
        with running(home, "--workers", "2") as second:
            assert first.wait(PATIENCE_S) == 7
            wait_for(lambda: all_ended(home, 1), "the end of the task")
            assert second.poll() is None
            second.terminate()
            assert second.wait(PATIENCE_S) == 0
    assert ends(home) == {"a": names.TASK_SUCCEEDED}
    claims = [event for event in events(home) if event.type == names.TASK_CLAIMED]
    assert [event.data["process"]["pid"] for event in claims] == [first.pid, second.pid]
    assert agents(home) == []


def test_four_agents_of_a_dead_service_are_ended_before_their_sessions_go_on(tmp_path: Path) -> None:
    home = held_home(tmp_path)
    tasks = ("a", "b", "c", "d")
    for task in tasks:
        task_in(home, task, before=AFTER_ITS_TOOL)
    with running(home, "--workers", "4"):
        for task in tasks:
            held(home, task)
    head = events(home)[-1].global_position
    before = agents(home)
    assert sorted(agent.task for agent in before) == list(tasks)
    with running(home, "--workers", "4") as service:
        while not all_ended(home, 4):
            assert service.poll() is None, (home / "service.txt").read_text(encoding="utf-8")
            assert doubled(agents(home)) == {}
            time.sleep(0.02)
        service.terminate()
        assert service.wait(PATIENCE_S) == 0
    assert ends(home) == dict.fromkeys(tasks, names.TASK_SUCCEEDED)
    assert texts(home, *tasks) == {"two\n"}
    assert agents(home) == []
    session = {agent.task: agent.session_id for agent in before}
    for task in tasks:
        interrupted, claimed = [
            event
            for event in of_task(home, task)
            if event.global_position > head and event.type in (names.TASK_INTERRUPTED, names.TASK_CLAIMED)
        ]
        assert (interrupted.type, claimed.type) == (names.TASK_INTERRUPTED, names.TASK_CLAIMED)
        assert interrupted.data["agent_was_alive"] is True
        assert not interrupted.data["agent_died"], "a death of the service counts against no task"
        turns = [event for event in of_task(home, task) if event.type == names.TURN_STARTED]
        assert [turn.data["session_id"] for turn in turns] == [session[task]] * 2
        assert [turn.data["resumed"] for turn in turns] == [False, True]


def test_a_task_whose_agent_is_killed_at_any_place_of_its_turn_is_begun_again_at_once(tmp_path: Path) -> None:
    home = held_home(tmp_path)
    places = {"none": BEFORE_THE_FIRST_LINE, "half": AFTER_ITS_TOOL, "most": BEFORE_ITS_RESULT}
    for task, place in places.items():
        task_in(home, task, before=place)
    with running(home, "--workers", "3") as service:
        for task in places:
            os.kill(held(home, task).pid, signal.SIGKILL)
        wait_for(lambda: all_ended(home, 3), "the ends of the tasks")
        service.terminate()
        assert service.wait(PATIENCE_S) == 0
    assert ends(home) == dict.fromkeys(places, names.TASK_SUCCEEDED)
    assert texts(home, *places) == {"two\n"}
    for task in places:
        found = of_task(home, task)
        at = next(at for at, event in enumerate(found) if event.type == names.TASK_INTERRUPTED)
        assert found[at].data["agent_died"] is True
        assert (found[at + 1].type, found[at + 1].data["attempt"]) == (names.TASK_CLAIMED, 2)
        assert [event.data["resumed"] for event in found if event.type == names.TURN_STARTED] == [False] * 2


def test_a_task_that_kills_its_agent_each_time_is_given_up_and_the_others_go_on(tmp_path: Path) -> None:
    home = home_at(tmp_path / "home")
    task_in(home, "poison", "RECORDED-MISBEHAVE: die-9")
    others = ("b", "c", "d")
    for task in others:
        task_in(home, task)
    with running(home, "--workers", "2") as service:
        wait_for(lambda: all_ended(home, 4), "the ends of the tasks")
        service.terminate()
        assert service.wait(PATIENCE_S) == 0
    assert ends(home) == {"poison": names.TASK_FAILED, **dict.fromkeys(others, names.TASK_SUCCEEDED)}
    end = of_task(home, "poison")
    (failed,) = (event for event in end if event.type == names.TASK_FAILED)
    assert (failed.data["error_class"], failed.data["attempt"]) == ("worker_lost", 3)
    assert agents(home) == []
