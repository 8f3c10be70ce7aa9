"""Files at their edges: what is erased, backed up, locked, worked in, and written to a pipe."""

import gzip
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import trio

from adapters.folders import Folders
from eventstore import file_lock
from eventstore.event import ANY
from eventstore.file_lock import FileLock
from eventstore.sqlite.log import SqliteLog
from schemas import names
from tests.fakes import FakeFolders, World
from tests.homes import BuiltHome
from tests.log_contract import fact
from tests.reading_evt import Evt
from tests.service import environment, events, folder, home_at
from tests.test_backup import blob, tree
from tests.test_cli_process import evt as piped
from tests.test_simulation import task
from tests.troubled import ends, events_of, nothing, with_hands
from tests.world import serve

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="paths and links as POSIX has them")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return home_at(tmp_path / "home")


@pytest.fixture
def evt(home: Path, capsys: pytest.CaptureFixture[str]) -> Evt:
    return Evt(home, capsys)


# erasing

LEAK = "the password of the cellar is swordfish-and-more"
SEEK = """
import sys
from pathlib import Path
root, leak = Path(sys.argv[1]), sys.argv[2].encode()
for path in sorted(root.rglob("*")):
    if path.is_file() and leak in path.read_bytes():
        print(path.relative_to(root).as_posix())
"""
ADD_ERASE_AND_DIE = """
import os, sys
from pathlib import Path
from adapters.cli import erase
from adapters.cli.main import call
from eventstore.sqlite.log import SqliteLog

home, task, cwd = sys.argv[1:]
environ = {**os.environ, "EVT_HOME": home, "LLAMA_MODEL": ""}
reader = SqliteLog(Path(home, "logs", "events.db"), read_only=True)    # the -wal file outlives `evt add`
assert call(["add", task, "--cwd", cwd], environ) == 0
Path(task).unlink()
carry_out = erase.carry_out

def carry_out_and_die(*given):
    carry_out(*given)
    os._exit(9)

erase.carry_out = carry_out_and_die
call(["erase", "2", "--field", "spec.context", "--reason", "it leaked"], environ)
"""


def holding(home: Path) -> list[str]:
    """The files that hold the leak. Another process looks: see which files are open in this one."""
    command = [sys.executable, "-c", SEEK, str(home), LEAK]
    return subprocess.run(command, capture_output=True, encoding="utf-8", check=True).stdout.splitlines()


def leaking_task(home: Path) -> Path:
    """Of what is made from it, event 2 alone holds the leak."""
    path = home.parent / "leaking.task.md"
    text = f"---\ntype: analyze\n---\n# T\n\nLook.\n\n**Context:**\n{LEAK}\n"
    path.write_text(text, encoding="utf-8", newline="\n")
    return path


def test_no_wal_holds_what_was_erased_though_another_program_has_the_log_open(evt: Evt, home: Path) -> None:
    with closing(SqliteLog(home / "logs" / "events.db", read_only=True)) as beside:
        assert evt("add", str(leaking_task(home)), "--cwd", str(folder(home))).code == 0
        assert "logs/events.db-wal" in holding(home)
        assert evt("erase", "2", "--field", "spec.context", "--reason", "it leaked").code == 0
        assert (home / "logs" / "events.db-wal").exists()
        assert holding(home) == []
        assert "[erased]" in next(beside.all(1, 2)).data["spec"]["context"]


def test_no_wal_holds_what_was_erased_when_the_program_dies_right_behind_the_receipt(home: Path) -> None:
    arguments = [str(home), str(leaking_task(home)), str(folder(home))]
    died = subprocess.run(
        [sys.executable, "-c", ADD_ERASE_AND_DIE, *arguments],
        env=environment(),
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert died.returncode == 9, died.stderr
    assert (home / "logs" / "events.db-wal").exists(), "nobody has put it in order"
    assert holding(home) == []
    assert names.ERASURE_FINISHED in {event.type for event in events(home)}


# backing up


def other_bytes(path: Path) -> None:
    path.write_bytes(gzip.compress(b"other bytes"))


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("hurt", [other_bytes, cut_short, emptied])
def test_a_blob_of_an_earlier_backup_that_was_hurt_is_found_by_the_next_one(
    evt: Evt, home: Path, tmp_path: Path, hurt: Callable[[Path], None]
) -> None:
    kept = tmp_path / "kept"
    copied = kept / blob(home, b"what the agent said").relative_to(home)
    assert evt("backup", str(kept)).code == 0
    hurt(copied)
    before = tree(kept)
    assert evt("add", "explain the cart", "--cwd", str(folder(home))).code == 0
    said = evt("backup", str(kept))
    assert said.code == 1
    assert copied.name.removesuffix(".gz") in said.err
    assert tree(kept) == before, "the log there is still the one of its manifest"


# the gate


def test_an_append_waits_at_the_gate_while_another_holds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, order, moved = tmp_path / "events.db", list[str](), threading.Event()
    lock = file_lock.lock

    def noted(descriptor: int, *, blocking: bool) -> bool:
        if threading.current_thread() is writer:
            order.append("at the gate")
            moved.set()
        return lock(descriptor, blocking=blocking)

    def append() -> None:
        try:
            log.append("a-1", [fact(1)], ANY)
            order.append("appended")
        finally:
            moved.set()

    with closing(SqliteLog.create(path)) as log, closing(SqliteLog(path, read_only=True)) as reader:
        writer = threading.Thread(target=append)
        monkeypatch.setattr(file_lock, "lock", noted)
        with FileLock(tmp_path / ".gate"):
            writer.start()
            moved.wait()
            assert (order, reader.head()) == (["at the gate"], 0)
            order.append("given back")
        writer.join()
        assert (order, reader.head()) == (["at the gate", "given back", "appended"], 1)


# where tasks work


class OnDisk(FakeFolders):
    """Real directories with real links."""

    async def real(self, path: str) -> str | None:
        return await Folders("").real(path)


@pytest.fixture
def ground(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The allowed root of a simulated service that looks paths up on the disk, in no virtual time."""

    async def run_sync(work: Callable[..., Any], *arguments: Any) -> Any:
        await trio.lowlevel.checkpoint()
        return work(*arguments)

    root = tmp_path.resolve() / "ground"
    for name in ("shop", "shop/part", "till"):
        (root / name).mkdir(parents=True)
    monkeypatch.setattr(trio.to_thread, "run_sync", run_sync)
    monkeypatch.setattr("tests.world.FakeFolders", OnDisk)
    monkeypatch.setattr("tests.world.ROOT", str(root))
    monkeypatch.setattr("tests.world.HOME", str(tmp_path.resolve() / "home"))
    return root


def working_in(ground: Path, *places: str, **front: str) -> World:
    """A world with a task in each of these places, and all that lies in the real directories."""
    world = World()
    world.trees = {str(path): {"cart.py": "one"} for path in (ground, *ground.rglob("*")) if path.is_dir()}
    world.inbox = {
        f"t{number}.task.md": task(f"word{number}", cwd=str(ground / place), **front)
        for number, place in enumerate(places)
    }
    return world


@posix_only
@pytest.mark.parametrize(
    ("places", "together"),
    [
        (("shop", "till"), 2),
        (("shop", "shop"), 1),
        (("shop", "shop/part"), 1),
        (("shop/part", "."), 1),
        (("shop", "link"), 1),
        (("link", "shop/part"), 1),
        (("link/part", "shop"), 1),
        (("link", "till"), 2),
    ],
)
def test_two_tasks_never_work_in_one_directory_whatever_name_leads_there(
    ground: Path, places: tuple[str, str], together: int
) -> None:
    if any(place.startswith("link") for place in places):
        (ground / "link").symlink_to(ground / "shop", target_is_directory=True)
    world = working_in(ground, *places)
    assert serve(world, workers=2)
    assert ends(world) == {"t0": [names.TASK_SUCCEEDED], "t1": [names.TASK_SUCCEEDED]}
    assert world.most_at_once == together
    worked = {event.data["cwd"] for event in events_of(world, names.TASK_CLAIMED)}
    assert worked == {str((ground / place).resolve()) for place in places}
    assert {order.cwd for order in world.orders} == worked


@posix_only
@pytest.mark.parametrize(
    ("target", "why"), [("till", "cwd_moved"), ("../outside", "outside_root"), ("nowhere", "cwd_missing")]
)
def test_at_the_claim_a_directory_is_judged_by_where_its_path_leads_now(
    ground: Path, target: str, why: str
) -> None:
    (ground.parent / "outside").mkdir()
    world = working_in(ground, "shop", not_before="2026-09-21T14:14:20Z")  # after 60 s
    world.trees[str(ground.parent / "outside")] = {"cart.py": "one"}

    def put_a_link_there() -> None:
        assert events_of(world, names.TASK_QUEUED)
        (ground / "shop").rename(ground / "aside")
        (ground / "shop").symlink_to(ground / target)

    with_hands(world, (20, put_a_link_there), (120, nothing))
    (failed,) = events_of(world, names.TASK_FAILED, "t0")
    assert failed.data["reason"] == why
    assert world.orders == [], "no agent has worked anywhere"


# what goes into a pipe


@pytest.fixture
def long_home(tmp_path: Path) -> Iterator[BuiltHome]:
    """With so many events that a terminal would be shown how far the reading is."""
    with BuiltHome(tmp_path / "long") as built:
        built.queue("two")
        built.many("task-two", 600)
        built.store_views()
        yield built


@pytest.mark.parametrize(
    ("verb", "code"),
    [("replay", 0), ("replay --verify", 0), ("project tasks --at 500", 0), ("wait two --timeout 0.2", 3)],
)
def test_into_a_pipe_goes_nothing_but_plain_lines(long_home: BuiltHome, verb: str, code: int) -> None:
    said = piped(long_home, *verb.split(), TERM="xterm-256color", COLUMNS="60")
    assert said.returncode == code, said.stderr
    for text in (said.stdout, said.stderr):
        plain = text.replace(os.linesep.encode(), b"\n")
        assert {sign for sign in plain if sign < 0x20} <= {ord("\n")}
        assert plain == b"" or plain.endswith(b"\n")
    assert b" of 602 events" not in said.stderr, "no line of a bar either"
