"""Where a task may work, row by row, and that nothing starts anywhere else while folders are swapped."""

import shutil
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from adapters.claude_agent import ClaudeAgent
from adapters.process_tree import Child, FolderMoved, ProcessTrees
from handlers.outcome import judge
from handlers.path_policy import OWN_FOLDERS
from handlers.ports.agent import AgentEnd, AgentOrder
from handlers.stream import StreamState, report
from schemas import names
from schemas.process import ProcessIdentity
from tests.rows import Drained, Row, check, drain, ground
from tests.service import events, evt

posix = pytest.mark.skipif(sys.platform == "win32", reason="links and paths of POSIX")
SWAPS = 200
IN_ROOT = "Name a folder inside it as `cwd`, or set CLAUDE_ALLOWED_ROOT to one that holds both."
CREATE = "Create it, or name another `cwd`."
OWN = "Name a folder of your own work as `cwd`."
PROJECT = "Name the folder of the project itself as `cwd`."
HERE = "Name a folder of this machine as `cwd`."


def at(cwd: str, type: str = "analyze") -> bytes:
    quoted = cwd.replace("'", "''")
    return f"---\ntype: {type}\ncwd: '{quoted}'\n---\nLook.\n".encode()


def outside(about: str, name: str, cwd: str, real: str) -> Row:
    reads = f'The working directory "{real}" is outside the allowed root "ROOT".'
    return Row(about, f"{name}.task.md", at(cwd), reads, IN_ROOT)


def no_folder(about: str, name: str, cwd: str, said: str) -> Row:
    reads = f'The working directory "{said}" is not a folder that exists.'
    return Row(about, f"{name}.task.md", at(cwd), reads, CREATE)


def guarded(folder: str) -> Row:
    reads = f'The working directory "ROOT/shop/{folder}/hooks" is inside a "{folder}" folder.'
    return Row(f"a {folder} folder", f"x{folder}.task.md", at(f"shop/{folder}/hooks"), reads, PROJECT)


def own(folder: str) -> Row:
    reads = f'The working directory "ROOT/home/{folder}" is in {folder}, where `evt` keeps its own state.'
    return Row(f"our own {folder}", f"own-{folder}.task.md", at(f"home/{folder}"), reads, OWN)


def tilde(cwd: str) -> Row:
    reads = f'The working directory "{cwd}" begins with `~`, which stands for no folder in a task file.'
    return Row(cwd, f"tilde-{len(cwd)}.task.md", at(cwd), reads, "Write the whole path as `cwd`.")


def of_windows(cwd: str, name: str, said: str) -> Row:
    reads = f'The working directory "{said}" is a path of Windows, and this is none.'
    return Row(cwd, f"{name}.task.md", at(cwd), reads, HERE)


ROWS = (
    outside("the root of the disk", "disk", "/", "/"),
    outside("one folder up", "up", "..", "OUTSIDE"),
    outside("up and down again", "up-and-down", "../work-evil", "OUTSIDE/work-evil"),
    outside("a sibling whose name begins the same", "evil", "OUTSIDE/work-evil", "OUTSIDE/work-evil"),
    outside("a link to outside", "link", "link", "OUTSIDE/work-evil"),
    outside("a folder behind a link to outside", "behind", "link/deeper", "OUTSIDE/work-evil/deeper"),
    tilde("~"),
    tilde("~root/x"),
    of_windows("C:\\", "drive", "C:\\"),
    of_windows("\\\\server\\share", "unc", "\\\\server\\share"),
    no_folder("a folder that is not there", "gone", "gone", "gone"),
    no_folder("a file", "file", "shop/price.txt", "shop/price.txt"),
    no_folder("a link to itself", "loop", "loop", "loop"),
    no_folder("an escape", "escape", "gone \u202e", "gone \\u202e"),
    *(own(folder) for folder in OWN_FOLDERS),
    guarded(".git"),
    guarded(".claude"),
    Row(
        "the home, with a shell",
        "home.task.md",
        at("home", "bug_fix"),
        'A task of type bug_fix may run commands, so "ROOT/home", the home of `evt` itself, '
        "may not be its working directory.",
        "Name a project's folder as `cwd` (or `--cwd`), or set CLAUDE_BASE_CWD and CLAUDE_ALLOWED_ROOT "
        "to a folder beside the home.",
    ),
    Row("a link that stays inside", "inner.task.md", at("inner")),
    Row("a folder of two names", "shop.task.md", at("./shop/../shop/")),
)


def furnished(folder: Path) -> tuple[Path, Path]:
    home, root = ground(folder)
    evil = folder / "work-evil"
    (evil / "deeper").mkdir(parents=True)
    for name in (".git", ".claude"):
        (root / "shop" / name / "hooks").mkdir(parents=True)
    (root / "shop" / "price.txt").write_text("one\n", encoding="utf-8", newline="\n")
    (root / "link").symlink_to(evil)
    (root / "loop").symlink_to("loop")
    (root / "inner").symlink_to("shop")
    return home, root


def told(row: Row, folder: Path) -> Row:
    """The row with the folder that holds the allowed root in the place of OUTSIDE."""
    assert isinstance(row.puts, bytes)
    reads = None if row.reads is None else row.reads.replace("OUTSIDE", str(folder))
    return Row(
        row.about, row.name, row.puts.replace(b"OUTSIDE", str(folder).encode()), reads, row.advice, row.notes
    )


@pytest.fixture(scope="module")
def drained(tmp_path_factory: pytest.TempPathFactory) -> Drained:
    folder = tmp_path_factory.mktemp("places")
    home, root = furnished(folder)
    return drain(home, root, [told(row, folder) for row in ROWS])


@posix
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.about)
def test_a_place_is_taken_or_refused_with_its_sentence(drained: Drained, row: Row) -> None:
    check(told(row, drained.root.parent), drained)
    if row.reads is None:
        received = drained.event(names.TASK_RECEIVED, row.name)
        assert received.data["spec"]["cwd"] == str(drained.root / "shop"), "the real path is what counts"


# swapped after it was checked


@contextmanager
def swapping(place: Path, outside: Path) -> Iterator[list[int]]:
    """`place` is the folder, a link to outside, the folder, … until SWAPS are done."""
    aside, swaps, over = place.with_name("aside"), [0], threading.Event()

    def swap() -> None:
        while not over.is_set():
            place.rename(aside)
            place.symlink_to(outside)
            place.unlink()
            aside.rename(place)
            swaps[0] += 1

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        yield swaps
    finally:
        over.set()
        thread.join()


async def heard_to_the_end(child: Child) -> str:
    process = child.process
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    said = b"".join([piece async for piece in process.stdout])
    await process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        await stream.aclose()
    return said.decode()


@posix
def test_a_child_never_starts_outside_while_its_folder_is_swapped(tmp_path: Path) -> None:
    """Two hundred swaps of the folder's own name, and two hundred of a folder above it."""
    outside = tmp_path / "outside"
    (outside / "deep").mkdir(parents=True)

    async def where(cwd: Path) -> str | None:
        """Where a real child finds itself; None when it was not started."""
        try:
            child = await ProcessTrees().spawn(
                ["/bin/sh", "-c", "pwd -P"], str(cwd), {"PATH": "/bin:/usr/bin"}
            )
        except FolderMoved as moved:
            assert str(moved) == (
                f"The working directory {cwd} is no longer the folder that was checked: "
                "a part of it is gone or a link."
            )
            return None
        return (await heard_to_the_end(child)).strip()

    for name, below in (("leaf", ""), ("above", "deep")):
        place = tmp_path / "root" / name
        (place / below).mkdir(parents=True)
        seen: list[str | None] = []
        with swapping(place, outside) as swaps:
            while swaps[0] < SWAPS or len(seen) < SWAPS or None not in seen or len(set(seen)) == 1:
                seen.append(trio.run(where, place / below))
        inside = str(tmp_path / "root")
        assert {path for path in seen if path is not None and not path.startswith(inside)} == set()


@posix
def test_a_folder_that_only_lets_pass_is_no_obstacle(tmp_path: Path) -> None:
    passage = tmp_path / "passage"
    (passage / "shop").mkdir(parents=True)
    passage.chmod(0o711)

    async def start() -> str:
        program = "import os; os.stat('.'); print('here')"
        return await heard_to_the_end(
            await ProcessTrees().spawn([sys.executable, "-c", program], str(passage / "shop"), {})
        )

    assert trio.run(start) == "here\n"
    handles = Path("/proc/self/fd")
    if handles.exists():
        before = len(list(handles.iterdir()))
        trio.run(start)
        assert len(list(handles.iterdir())) == before, "no descriptor is left open"


class NoBlobs:
    """An agent that is not started says nothing that could be kept."""

    async def writer(self) -> Any:
        raise AssertionError("nothing was said")


@posix
def test_an_agent_whose_folder_became_a_link_is_not_started(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "shop").symlink_to("outside")
    agent = ClaudeAgent(
        executable=shutil.which("touch") or "", environ={}, blobs=NoBlobs(), redact=lambda text: text
    )
    order = AgentOrder("s", str(tmp_path / "shop"), "p", (), (), None, (), 0, None, 5.0)

    async def started(process: ProcessIdentity) -> None:
        raise AssertionError("it was started")

    async def heard(line: Mapping[str, Any]) -> None:
        raise AssertionError("it spoke")

    async def run() -> AgentEnd:
        return await agent.run(order, started, heard)

    verdict = judge(report(StreamState(), trio.run(run), "s"), ())
    assert (verdict.error_class, verdict.reason) == ("fatal", "cwd_lost")
    assert verdict.sentence == (
        f"The working directory {tmp_path / 'shop'} is no longer the folder that was checked: "
        "a part of it is gone or a link."
    )
    assert verdict.suggested == ("Find out who moved it, then add the task again.",)


@posix
def test_a_folder_swapped_while_its_task_waits_is_refused_at_the_claim(tmp_path: Path) -> None:
    home, root = furnished(tmp_path)
    assert evt(home, "add", "look at the sum", "--cwd", str(root / "shop")).returncode == 0
    shutil.move(root / "shop", root / "aside")
    (root / "shop").symlink_to(tmp_path / "work-evil")
    found = drain(home, root)
    (end,) = [event for event in found.log if event.type == names.TASK_FAILED]
    assert end.data["sentence"] == (
        f'The working directory "{tmp_path / "work-evil"}" is outside the allowed root "{root}".'
    )
    assert names.AGENT_STARTED not in {event.type for event in events(home)}
    assert any(line.endswith(f": {end.data['sentence']}") for line in found.lines)
