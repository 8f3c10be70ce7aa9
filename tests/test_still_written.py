"""A file that somebody still writes is no task yet, however long the pauses are."""

import errno
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from adapters.supervisor import Supervisor
from eventstore.file_lock import is_written
from schemas import names
from tests.fakes import Listening, World
from tests.service import events, folder, home_at, running, until
from tests.test_simulation import task
from tests.troubled import ends, nothing, with_hands, world_of
from tests.world import crew_of

if sys.platform != "win32":
    import fcntl

linux = pytest.mark.skipif(sys.platform != "linux", reason="Linux tells by a lease who writes")

WRITER = """
import sys
with open(sys.argv[1], "a", encoding="utf-8") as file:
    print("open", flush=True)
    sys.stdin.readline()
"""


@linux
def test_a_file_is_written_as_long_as_somebody_has_it_open_for_that(tmp_path: Path) -> None:
    file = tmp_path / "a.task.md"
    file.write_text("x", encoding="utf-8")
    assert not is_written(file)
    with file.open("rb"):
        assert not is_written(file), "who reads writes nothing"
    with file.open("ab"):
        assert is_written(file)
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        assert is_written(file)
        writer.communicate(b"\n")
    assert not is_written(file)


@linux
def test_a_disk_that_grants_no_lease_tells_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As NFS and CIFS do where the server has promised nothing: each file would wait for ever."""

    def refuse(descriptor: int, command: int, *_: object) -> int:
        if command == fcntl.F_SETLEASE:
            raise BlockingIOError(errno.EAGAIN, "no delegation")
        return 0

    (tmp_path / "a.task.md").write_text("x", encoding="utf-8")
    monkeypatch.setattr(fcntl, "fcntl", refuse)
    assert not is_written(tmp_path / "a.task.md")
    assert [path.name for path in tmp_path.iterdir()] == ["a.task.md"], "no trace of having tried"


@linux
def test_what_is_no_file_is_written_by_nobody(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    for name in ("pipe", "link", "nothing", "."):
        assert not is_written(tmp_path / name)


@linux
def test_a_file_written_with_pauses_is_taken_in_whole(tmp_path: Path) -> None:
    home = home_at(tmp_path / "home")
    cwd = folder(home)
    with running(home):
        with (home / "tasks" / "slow.task.md").open("w", encoding="utf-8", newline="\n") as slow:
            slow.write(f"---\ntype: analyze\ncwd: '{cwd}'\n---\n# T\n\nThe first half of it, ")
            slow.flush()
            (home / "tasks" / "quick.task.md").write_text(
                f"---\ntype: analyze\ncwd: '{cwd}'\n---\n# Q\n\nAll of it.\n", encoding="utf-8", newline="\n"
            )
            until(home, lambda event: event.type == names.TASK_QUEUED and event.stream == "task-quick")
            time.sleep(0.7)  # twice as long as a file must be at rest
            assert [event for event in events(home) if event.stream == "task-slow"] == []
            slow.write("and the second.\n")
        received = until(
            home, lambda event: event.type == names.TASK_RECEIVED and event.stream == "task-slow"
        )
    assert received.data["spec"]["prompt"] == "The first half of it, and the second."


def test_a_file_that_is_written_for_long_delays_no_other_and_comes_when_it_is_closed() -> None:
    world, seen = world_of(a=task("alpha"), b=task("beta")), []
    world.written = {"a.task.md"}
    with_hands(
        world,
        (200, lambda: seen.append((set(ends(world)), sorted(world.inbox)))),
        (201, world.written.clear),
        (400, nothing),
    )
    assert seen == [({"b"}, ["a.task.md"])]
    assert ends(world) == {"a": [names.TASK_SUCCEEDED], "b": [names.TASK_SUCCEEDED]}


def test_a_drain_waits_a_minute_for_who_writes_and_then_leaves_the_file() -> None:
    for closed_at, expected in ((50, {"a", "b"}), (1000, {"b"})):
        world = world_of(a=task("alpha"), b=task("beta"))
        world.written = {"a.task.md"}

        async def main(world: World = world, closed_at: int = closed_at) -> None:
            async def close() -> None:
                await trio.sleep_until(closed_at)
                world.written.clear()

            supervisor = Supervisor(crew_of(world, 2, doorbell=Listening(world)), drain_wait_s=0)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(close)
                await supervisor.run()
                nursery.cancel_scope.cancel()

        trio.run(main, clock=MockClock(autojump_threshold=0))
        assert set(ends(world)) == expected
        assert sorted(world.inbox) == sorted(f"{name}.task.md" for name in {"a", "b"} - expected)
