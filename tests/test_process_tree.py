"""Processes are told apart beyond doubt and ended with all that they started."""

import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from adapters.process_tree import Child, ProcessTrees, alive, identity_of, rows
from adapters.process_tree.mark import bears, bears_any, limits_of, mark_of
from handlers.agent_call import SESSION_VARIABLE
from schemas.process import ProcessIdentity

SLEEPER = "import time; time.sleep(600)"
# Starts one child in its own session, writes both pids, and waits.
PARENT = """
import os, subprocess, sys, time
from pathlib import Path
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
Path(sys.argv[1]).write_text(str(child.pid), encoding="utf-8")
if sys.argv[2] == "stay":
    time.sleep(600)
"""
STUBBORN = """
import signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(600)
"""


@pytest.fixture
def strays() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Children that the test starts itself; none outlives it."""
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for child in started:
        child.kill()
        child.wait()


def until(path: Path) -> int:
    """The pid that a child writes, as soon as it is there."""
    for _ in range(2000):
        if path.exists() and (text := path.read_text(encoding="utf-8")):
            return int(text)
        time.sleep(0.005)
    raise AssertionError(f"{path} was never written")


def environment(session_id: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], SESSION_VARIABLE: session_id}


def test_our_own_identity_is_alive_and_stays_the_same() -> None:
    trees = ProcessTrees()
    assert trees.own().pid == os.getpid()
    assert trees.own() == trees.own()
    assert alive(trees.own())


def test_a_pid_with_another_start_time_or_boot_is_another_process() -> None:
    own = ProcessTrees().own()
    assert not alive(own.model_copy(update={"started": own.started + 1}))
    assert not alive(own.model_copy(update={"boot_id": "another"}))


@pytest.mark.parametrize(
    ("change", "lives"),
    [
        ({}, True),
        ({"host": ""}, True),
        ({"started": 1}, False),
        ({"pid": 2**22 + 5}, False),
        ({"boot_id": "before the machine was started again"}, False),
        ({"host": "", "boot_id": "another"}, False),
        ({"host": "elsewhere.example"}, None),
        ({"host": "elsewhere.example", "boot_id": "another"}, None),
    ],
)
def test_a_process_lives_is_dead_or_is_another_hosts(change: dict[str, object], lives: bool | None) -> None:
    trees = ProcessTrees()
    assert trees.own().host == platform.node()
    process = ProcessIdentity.model_validate({**trees.own().model_dump(), **change})
    assert trio.run(trees.alive, process) is lives


def test_a_boot_that_is_told_by_the_clock_may_move_a_little(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "boot_id", lambda: "1700000000")
    own = ProcessTrees().own()
    assert own.boot_id == "1700000000"
    assert alive(own.model_copy(update={"boot_id": "1700000001"})) is True
    assert alive(own.model_copy(update={"boot_id": "1700009000"})) is False


@pytest.mark.skipif(sys.platform != "linux", reason="zombies are seen through waitid")
def test_a_zombie_is_dead(strays: list[subprocess.Popen[bytes]]) -> None:
    child = subprocess.Popen([sys.executable, "-c", SLEEPER])
    strays.append(child)
    identity = identity_of(child.pid)
    assert identity is not None
    assert alive(identity)
    child.kill()
    if sys.platform == "linux":
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # dead now, and not reaped
    assert not alive(identity)
    assert identity_of(child.pid) is None


@pytest.mark.parametrize("change", [{"started": 1}, {"boot_id": "another"}, {"host": "elsewhere.example"}])
def test_a_process_whose_identity_differs_is_never_killed(
    strays: list[subprocess.Popen[bytes]], change: dict[str, object]
) -> None:
    strays.append(subprocess.Popen([sys.executable, "-c", SLEEPER]))
    identity = identity_of(strays[0].pid)
    assert identity is not None
    other = ProcessIdentity.model_validate({**identity.model_dump(), **change})
    assert trio.run(ProcessTrees().kill, other, None) is False
    assert alive(identity)


def test_killing_takes_a_grandchild_in_its_own_session(
    tmp_path: Path, strays: list[subprocess.Popen[bytes]]
) -> None:
    note = tmp_path / "pid"
    strays.append(subprocess.Popen([sys.executable, "-c", PARENT, str(note), "stay"]))
    grandchild = identity_of(until(note))
    parent = identity_of(strays[0].pid)
    assert grandchild is not None
    assert parent is not None
    assert trio.run(ProcessTrees().kill, parent, None) is True
    assert not alive(parent)
    assert not alive(grandchild)
    assert trio.run(ProcessTrees().kill, parent, None) is False


@pytest.mark.parametrize("form", ["{}", "--session-id={}"])
def test_an_agent_without_a_known_process_is_found_by_its_session(
    strays: list[subprocess.Popen[bytes]], form: str
) -> None:
    session_id = f"session-{os.getpid()}-{len(form)}"
    strays.append(subprocess.Popen([sys.executable, "-c", SLEEPER, form.format(session_id)]))
    strays.append(subprocess.Popen([sys.executable, "-c", SLEEPER, f"about {session_id} only"]))
    agent, other = identity_of(strays[0].pid), identity_of(strays[1].pid)
    assert agent is not None
    assert other is not None
    assert trio.run(ProcessTrees().kill, None, session_id) is True
    assert not alive(agent)
    assert alive(other)


def test_an_orphan_is_found_by_its_environment_after_its_agent_has_gone(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    session_id = f"session-{os.getpid()}-orphan"
    subprocess.run(
        [sys.executable, "-c", PARENT, str(note), "go"], env=environment(session_id), check=True, timeout=30
    )
    orphan = identity_of(until(note))
    assert orphan is not None
    gone = ProcessIdentity(pid=2**22 + 5, started=1, boot_id=orphan.boot_id)
    assert trio.run(ProcessTrees().kill, gone, session_id) is True
    assert not alive(orphan)


def test_nobody_is_found_for_a_session_that_never_was() -> None:
    assert trio.run(ProcessTrees().kill, None, "no-such-session") is False


def test_whoever_ignores_the_polite_signal_is_ended_by_force() -> None:
    async def scenario() -> tuple[bool, Child, int]:
        trees = ProcessTrees(grace_s=0.1)
        child = await trees.spawn([sys.executable, "-c", STUBBORN], str(Path.cwd()), environment("stubborn"))
        assert child.process.stdout is not None
        assert await child.process.stdout.receive_some() == b"ready\n"
        lived = await trees.end(child, "stubborn")
        return lived, child, await child.process.wait()

    lived, child, code = trio.run(scenario)
    assert lived
    assert not alive(child.identity)
    if sys.platform != "win32":
        assert code == -signal.SIGKILL


def test_a_child_leads_its_own_session_and_its_identity_outlasts_its_end() -> None:
    async def scenario() -> Child:
        trees = ProcessTrees()
        child = await trees.spawn([sys.executable, "-c", ""], str(Path.cwd()), environment("quick"))
        if sys.platform != "win32":
            assert child.identity.started > 0
        await child.process.wait()
        assert await trees.end(child, "quick") is False
        return child

    assert not alive(trio.run(scenario).identity)


def test_kin_that_stayed_in_the_group_of_a_dead_leader_is_ended(tmp_path: Path) -> None:
    """Its environment is empty and its parent gone: the group is all that it still shows."""
    note = tmp_path / "pid"
    script = PARENT.replace("start_new_session=True", "env={}")

    async def scenario() -> ProcessIdentity:
        trees = ProcessTrees(grace_s=1.0)
        argv = [sys.executable, "-c", script, str(note), "go"]
        child = await trees.spawn(argv, str(tmp_path), environment("group"))
        await child.process.wait()
        left = identity_of(until(note))
        assert left is not None
        assert await trees.end(child, "group") is True
        return left

    if sys.platform != "win32":
        assert not alive(trio.run(scenario))


def found_by(trees: ProcessTrees, session_id: str, env: dict[str, str]) -> bool:
    """Whether a kill by the session's id alone ends a child that was spawned with this environment."""

    async def scenario() -> bool:
        child = await trees.spawn([sys.executable, "-c", PARENT_OF_NOBODY], str(Path.cwd()), env)
        assert child.process.stdout is not None
        pid = int(await child.process.stdout.receive_some())
        assert pid != child.identity.pid
        await child.process.wait()
        stray = identity_of(pid)
        assert stray is not None
        found = await ProcessTrees(grace_s=1.0).kill(None, session_id)
        await trees.end(child, session_id)
        assert not alive(stray)
        return found

    return trio.run(scenario)


# Leaves a process behind that says nothing of the session and keeps the group of nobody.
PARENT_OF_NOBODY = """
import subprocess, sys
words = [sys.executable, "-c", "import time; time.sleep(600)"]
child = subprocess.Popen(words, env={}, start_new_session=True, cwd="/", stdout=2)
print(child.pid, flush=True)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the mark is a resource limit of Linux")
def test_an_orphan_without_environment_is_found_by_its_mark_after_the_service_died() -> None:
    assert found_by(ProcessTrees(), "marked", environment("marked")) is True


MARKED_SERVICE = """
import resource, sys
from adapters.process_tree.mark import mark_of
outer = mark_of("outer")
resource.setrlimit(resource.RLIMIT_RTTIME, (outer, outer))
from adapters.process_tree.mark import bears, bears_any, limits_of
from tests.test_process_tree import environment, found_by
from adapters.process_tree import ProcessTrees
print(found_by(ProcessTrees(), "inner", environment("inner")))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the mark is a resource limit of Linux")
def test_a_service_inside_an_agent_marks_its_own_children_too() -> None:
    root = Path(__file__).resolve().parent.parent
    words = [sys.executable, "-c", MARKED_SERVICE]
    done = subprocess.run(words, cwd=root, capture_output=True, encoding="utf-8", check=False)
    assert (done.stdout, done.stderr) == ("True\n", "")


def test_a_mark_is_borne_by_its_own_session_alone() -> None:
    one, other = mark_of("one"), mark_of("other")
    assert 2**61 <= one < 2**62
    for limits in ((one, one), (one >> 1, other)):
        assert bears(limits, one)
    assert not bears((one, one), other)
    assert not bears(None, one)
    assert not bears((other >> 1, 2**63), one)


def test_a_mark_that_we_bear_ourselves_is_no_childs() -> None:
    outer, inner = mark_of("outer"), mark_of("inner")
    assert bears_any((inner, inner), None)
    assert not bears_any(None, None)
    assert not bears_any((1000, 1000), None)
    assert not bears_any((outer, outer), (outer, outer))
    assert bears_any((inner >> 1, outer), (outer, outer))
    assert not bears_any((1000, outer), (outer, outer))


@pytest.mark.skipif(sys.platform != "linux", reason="the mark is a resource limit of Linux")
def test_a_child_without_a_session_bears_no_mark() -> None:
    async def scenario() -> tuple[int, int] | None:
        trees = ProcessTrees()
        child = await trees.spawn([sys.executable, "-c", SLEEPER], str(Path.cwd()), {})
        limits = limits_of(child.identity.pid)
        await trees.end(child, "none")
        await child.process.wait()
        return limits

    assert trio.run(scenario) == limits_of(os.getpid())
