"""Trees of every shape that runs away are ended whole, and no neighbour is harmed."""

import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
import trio

from adapters.process_tree import Child, ProcessTrees
from handlers.agent_call import SESSION_VARIABLE

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the shapes are of POSIX; there it is a job")

# Each is run as `python -c <it> <folder> <marker>`. Whoever is to be ended writes its pid to
# the folder when it is in its place; a process that is only forked keeps the marker among
# its arguments, and one that is started is given it.
OPENING = """
import os, signal, subprocess, sys, time
from pathlib import Path
end = time.monotonic() + 120
folder, marker = Path(sys.argv[1]), sys.argv[2]
def ready():
    new = folder / f"{os.getpid()}.new"
    new.write_text("", encoding="utf-8")
    new.rename(folder / f"{os.getpid()}.ready")
def stay():
    ready()
    time.sleep(300)
def begin(code, **how):
    words = [sys.executable, "-c", OPENING + code, *sys.argv[1:]]
    return subprocess.Popen(words, stdin=subprocess.DEVNULL, **how)
def leave():
    os.setsid()
    if os.fork():
        os._exit(0)
def close_all():
    os.closerange(0, 1024)
"""


@dataclass(frozen=True)
class Shape:
    """`processes` say that they are ready; `goes` tells that the agent ends by itself."""

    code: str
    processes: int = 1
    goes: bool = False


BARE = """
if not os.fork():
    leave()
    close_all()
    begin("stay()", env={}, cwd="/", start_new_session=True)
    os._exit(0)
"""
STOPPED = """
child = os.fork()
if not child:
    stay()
while not (folder / f"{child}.ready").exists():
    time.sleep(0.01)
os.kill(child, signal.SIGSTOP)
stay()
"""
FORKING = """
ready()
while time.monotonic() < end:
    if not os.fork():
        time.sleep(0.2)
        os._exit(0)
    time.sleep(0.02)
"""
HOPPING = """
ready()
while time.monotonic() < end:
    if os.fork():
        os._exit(0)
    time.sleep(0.01)
"""
JOB = """
script = 'nohup "$0" -c "$1" "$2" "$3" >/dev/null 2>&1 & exit 0'
os.execv("/bin/sh", ["sh", "-c", script, sys.executable, OPENING + "stay()", *sys.argv[1:]])
"""
SHAPES = {
    "a plain child": Shape("stay()"),
    "a grandchild": Shape('begin("stay()"); stay()', 2),
    "a session of its own": Shape('begin("stay()", start_new_session=True); stay()', 2),
    "a daemon": Shape("if not os.fork():\n    leave()\n    stay()\nstay()", 2),
    "a daemon with nothing inherited": Shape(BARE + "stay()", 2),
    "deaf to the polite signal": Shape(
        'signal.signal(signal.SIGTERM, signal.SIG_IGN); begin("stay()"); stay()', 2
    ),
    "stopped": Shape(STOPPED, 2),
    "forking on and on": Shape("signal.signal(signal.SIGCHLD, signal.SIG_IGN)" + FORKING),
    "never the same pid": Shape(HOPPING, goes=True),
    "never the same pid nor session": Shape(HOPPING + "    os.setsid()", goes=True),
    "its output held open": Shape('begin("stay()"); ready()', 2, goes=True),
    "another group": Shape('begin("stay()", process_group=0); stay()', 2),
    "a job of a shell": Shape(JOB, goes=True),
    "a daemon whose agent has gone": Shape(BARE + "ready()", 2, goes=True),
}
LOOKS = 5


def of_marker(marker: str) -> list[int]:
    """The living processes that have the marker among their arguments; the newest are looked at first."""
    found = []
    for pid in sorted(psutil.pids(), reverse=True):
        try:
            process = psutil.Process(pid)
            if process.status() != psutil.STATUS_ZOMBIE and marker in process.cmdline():
                found.append(pid)
        except psutil.Error:
            continue
    return found


def nobody(marker: str) -> bool:
    """Whether several looks find nobody: one look may miss a process that has a new pid each time."""
    return not any(of_marker(marker) for _ in range(LOOKS))


@dataclass(frozen=True)
class Planted:
    child: Child
    session_id: str
    marker: str


class Garden:
    """Trees of the shapes, side by side; none outlives the test."""

    def __init__(self, trees: ProcessTrees, folder: Path) -> None:
        self._trees = trees
        self._folder = folder
        self._planted: list[Planted] = []

    async def plant(self, shape: Shape) -> Planted:
        """Start a tree and wait until all of it stands in its place."""
        name = f"evt-shape-{os.getpid()}-{time.monotonic_ns()}"
        folder = self._folder / name
        folder.mkdir()
        code = f"OPENING = {OPENING!r}\n{OPENING}\n{shape.code}"
        env = {"PATH": os.environ["PATH"], SESSION_VARIABLE: f"session-of-{name}"}
        child = await self._trees.spawn([sys.executable, "-c", code, str(folder), name], str(folder), env)
        planted = Planted(child, f"session-of-{name}", name)
        self._planted.append(planted)
        with trio.fail_after(60):
            while len(list(folder.glob("*.ready"))) < shape.processes:  # noqa: ASYNC110 - another process
                await trio.sleep(0.01)
            if shape.goes:
                await child.process.wait()
        return planted

    async def clear(self) -> None:
        with trio.CancelScope(shield=True):
            for planted in self._planted:
                await self._trees.end(planted.child, planted.session_id, grace_s=0.0)
                await planted.child.process.wait()


@asynccontextmanager
async def garden(trees: ProcessTrees, folder: Path) -> AsyncIterator[Garden]:
    made = Garden(trees, folder)
    try:
        yield made
    finally:
        await made.clear()


async def to_its_end(child: Child) -> None:
    """Its output reaches an end only when nobody who inherited it is left."""
    assert child.process.stdout is not None
    with trio.fail_after(60):
        while await child.process.stdout.receive_some():
            pass


async def check_one(trees: ProcessTrees, folder: Path, shape: Shape) -> None:
    async with garden(trees, folder) as made:
        sibling = await made.plant(SHAPES["a daemon with nothing inherited"])
        tree = await made.plant(shape)
        before = set(of_marker(sibling.marker))
        assert await trees.end(tree.child, tree.session_id, grace_s=0.3) is True
        assert nobody(tree.marker)
        assert len(before) == 2
        assert set(of_marker(sibling.marker)) == before, "the sibling lives on unharmed"
        await to_its_end(tree.child)
        await tree.child.process.wait()
        assert await trees.end(tree.child, tree.session_id) is False


@pytest.mark.parametrize("name", SHAPES)
def test_no_process_of_a_tree_survives_its_end(name: str, tmp_path: Path) -> None:
    trio.run(check_one, ProcessTrees(patience_s=60.0), tmp_path, SHAPES[name])


STRANGER = """
import os, time
if not os.fork():
    os.setsid()
    if not os.fork():
        time.sleep(300)
"""


QUIET = (
    *("a plain child", "a daemon", "a daemon with nothing inherited", "stopped", "its output held open"),
    *("a job of a shell", "a daemon whose agent has gone"),
)


async def end_all(folder: Path) -> list[int]:
    """Trees side by side, ended one after another; the agents' exit codes."""
    trees = ProcessTrees(patience_s=60.0)
    assert trees.adopt_orphans()
    async with garden(trees, folder) as made:
        planted = [await made.plant(SHAPES[name]) for name in QUIET]
        for number, tree in enumerate(planted):
            assert all(of_marker(other.marker) for other in planted[number:])
            await trees.end(tree.child, tree.session_id, grace_s=0.0)
            await to_its_end(tree.child)
            assert nobody(tree.marker)
        return [await tree.child.process.wait() for tree in planted]


def adopted(folder: Path) -> dict[str, object]:
    """What comes of strangers' processes and of our own, all children of a process that adopts."""
    marker = f"evt-stranger-{os.getpid()}"
    lives = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"], start_new_session=True)
    dies = subprocess.Popen([sys.executable, "-c", "raise SystemExit(7)"], start_new_session=True)
    quick = subprocess.Popen([sys.executable, "-c", "raise SystemExit(8)"])
    try:
        subprocess.run([sys.executable, "-c", STRANGER, marker], check=True)
        codes = trio.run(end_all, folder)
        found = of_marker(marker)
        return {
            "codes": sorted(set(codes)),
            "strangers": len(found),
            "the living": lives.poll(),
            "the dead": [dies.wait(), quick.wait()],
            "others": [
                str(child) for child in psutil.Process().children() if child.pid not in (*found, lives.pid)
            ],
        }
    finally:
        for pid in of_marker(marker):
            psutil.Process(pid).kill()
        lives.kill()
        lives.wait()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere no process can adopt")
def test_orphans_of_dead_agents_are_ended_and_waited_for_and_nobody_elses(tmp_path: Path) -> None:
    code = (
        "import json, sys; from pathlib import Path; from tests.test_process_shapes import adopted; "
        "print(json.dumps(adopted(Path(sys.argv[1]))))"
    )
    root = Path(__file__).resolve().parent.parent
    words = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(words, cwd=root, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "codes": [-9, 0],
        "strangers": 1,
        "the living": None,
        "the dead": [7, 8],
        "others": [],
    }
