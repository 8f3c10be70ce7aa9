"""Processes are told apart beyond doubt and ended with all that they started."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from adapters.process_tree import Child, ProcessTrees, alive, identity_of
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


@pytest.mark.parametrize("change", [{"started": 1}, {"boot_id": "another"}])
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
