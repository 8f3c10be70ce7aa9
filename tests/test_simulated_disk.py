"""A disk that fills, empties, and is slow, in virtual time: nothing is lost, and all goes on by itself."""

import errno
import itertools
import random
from collections import Counter
from functools import partial

import pytest
import trio
from trio.testing import MockClock

from adapters.supervisor import DiskIsLow, Supervisor
from handlers.ports.files import Compared
from handlers.ports.log import NotNow
from schemas import names
from tests.fakes import FakeTree, Listening, World
from tests.test_simulation import task
from tests.troubled import ends, events_of, nothing, with_hands, world_of
from tests.world import RESERVE, crew_of, serve

PLENTY = 2**40


def set_free(world: World, free: int) -> None:
    world.free = free


def drop(world: World, name: str, text: str) -> None:
    world.trees.setdefault(f"/srv/{name}", {"cart.py": "one"})
    world.inbox[f"{name}.task.md"] = task(text, cwd=f"/srv/{name}")


def served_to_the_end(world: World, *, wait_s: float = 3600.0) -> None:
    async def main() -> None:
        await Supervisor(crew_of(world, doorbell=Listening(world)), wait_s).run()

    trio.run(main, clock=MockClock(autojump_threshold=0))


def test_below_the_reserve_nothing_is_taken_in_or_begun_and_what_runs_goes_on() -> None:
    world = world_of(a=task("alpha slowly", cwd="/srv/a"), b=task("beta", cwd="/srv/b"))
    seen: dict[str, object] = {}

    def look() -> None:
        seen["ends"] = ends(world)
        seen["received"] = [event.data["task_id"] for event in events_of(world, names.TASK_RECEIVED)]
        seen["claims"] = len(events_of(world, names.TASK_CLAIMED))

    with_hands(
        world,
        (10, partial(set_free, world, RESERVE - 1)),
        (20, partial(drop, world, "c", "gamma")),
        (300, look),
        (301, partial(set_free, world, RESERVE)),  # not yet enough: it would go to and fro
        (400, lambda: seen.update(low=len(events_of(world, names.DISK_RESTORED)))),
        (401, partial(set_free, world, RESERVE * 2)),
        (500, nothing),
        workers=1,
    )
    assert seen == {"ends": {"a": [names.TASK_SUCCEEDED]}, "received": ["a", "b"], "claims": 1, "low": 0}
    (low,), (restored,) = events_of(world, names.DISK_LOW), events_of(world, names.DISK_RESTORED)
    assert low.data == {
        "path": "/home/logs",
        "free_bytes": RESERVE - 1,
        "reserve_bytes": RESERVE,
        "refused_since": None,
    }
    assert restored.global_position > low.global_position
    assert ends(world) == {name: [names.TASK_SUCCEEDED] for name in "abc"}
    assert not world.said, "the log could be written all the time"


def test_a_full_disk_is_told_at_once_in_words_and_in_the_log_when_there_is_room() -> None:
    world = world_of(a=task("alpha slowly", cwd="/srv/a"))
    with_hands(
        world,
        (10, partial(set_free, world, 0)),
        (200, lambda: world.said.append("room")),
        (200, partial(set_free, world, PLENTY)),
        (400, nothing),
    )
    full, room, again = world.said
    assert full.startswith("there is no space left for the log: nothing is taken in or begun")
    assert room == "room"
    assert again == "the log can be written again: everything goes on"
    (low,) = events_of(world, names.DISK_LOW)
    assert low.data["refused_since"] is not None
    assert low.data["refused_since"] < low.time - 100_000_000
    assert len(events_of(world, names.DISK_RESTORED)) == 1
    assert ends(world) == {"a": [names.TASK_SUCCEEDED]}
    assert world.trees["/srv/a"]["cart.py"].count("append alpha") == 1


@pytest.mark.parametrize("seed", range(12))
def test_a_disk_that_fills_and_empties_at_any_moment_ends_every_task_once(seed: int) -> None:
    chance = random.Random(seed)
    words = {name: f"word-{name}" for name in "abcdef"}
    world = world_of(**{name: task(word, cwd=f"/srv/{name}") for name, word in words.items()})
    moments = sorted(chance.uniform(0, 60) for _ in range(8))
    sizes = [chance.choice((0, RESERVE // 2, RESERVE, PLENTY)) for _ in moments]

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(Supervisor(crew_of(world, doorbell=Listening(world)), 3600.0).run)
            for moment, free in zip(moments, sizes, strict=True):
                await trio.sleep_until(moment)
                world.free = free
            world.free = PLENTY

    trio.run(main, clock=MockClock(autojump_threshold=0))
    said = f"seed {seed}"
    assert ends(world) == {name: [names.TASK_SUCCEEDED] for name in words}, said
    assert all(world.trees[f"/srv/{name}"]["cart.py"].count(word) == 1 for name, word in words.items()), said
    assert {f"results/{name}.json" for name in words} <= world.outputs.keys(), said
    count = Counter(event.type for event in world.log.all())
    # It may have been drained before it looked again.
    assert count[names.DISK_LOW] - count[names.DISK_RESTORED] in (0, 1), said
    assert [event.global_position for event in world.log.all()] == list(range(1, world.log.head() + 1)), said


@pytest.mark.parametrize("moment", [0.1, 3.0, 8.0])
def test_a_service_told_to_stop_on_a_full_disk_ends_and_the_next_one_does_the_rest(moment: float) -> None:
    world = world_of(a=task("alpha slowly", cwd="/srv/a"), b=task("beta", cwd="/srv/b"))
    with pytest.raises(ExceptionGroup) as trouble:
        with_hands(world, (moment, partial(set_free, world, 0)), (moment + 60, nothing))
    assert trouble.value.split(NotNow)[1] is None, "nothing but the want of room ended it"
    assert not world.alive, "no agent outlives its service"
    world.free = PLENTY
    world.restart()
    assert serve(world)
    assert ends(world) == {name: [names.TASK_SUCCEEDED] for name in "ab"}


def test_a_drain_on_a_low_disk_does_not_wait_for_ever() -> None:
    world = world_of(a=task("alpha", cwd="/srv/a"))
    world.free = RESERVE - 1
    with pytest.raises(DiskIsLow, match="/home/logs is low"):
        served_to_the_end(world, wait_s=60)
    assert not events_of(world, names.TASK_RECEIVED)
    assert list(world.inbox) == ["a.task.md"]
    world.free = PLENTY
    world.restart()
    served_to_the_end(world)
    assert ends(world) == {"a": [names.TASK_SUCCEEDED]}


def test_a_drain_on_a_full_disk_does_not_wait_for_ever() -> None:
    world = world_of(a=task("alpha slowly", cwd="/srv/a"))

    async def fill() -> None:
        await trio.sleep(10)
        world.free = 0

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fill)
            await Supervisor(crew_of(world), 60).run()

    with pytest.raises(ExceptionGroup) as trouble:
        trio.run(main, clock=MockClock(autojump_threshold=0))
    assert trouble.value.split(NotNow)[1] is None


def test_a_mirror_that_cannot_be_written_lags_once_and_is_brought_up_by_itself() -> None:
    world = world_of(a=task("alpha slowly", cwd="/srv/a"))
    with_hands(
        world,
        (5, partial(world.refuses.add, "mirror")),
        (100, partial(world.refuses.discard, "mirror")),
        (200, nothing),
    )
    (lagging,), (restored,) = events_of(world, names.MIRROR_LAGGING), events_of(world, names.MIRROR_RESTORED)
    assert lagging.data["behind"] > 0
    assert lagging.data["problem"] == "No space left on device"
    assert restored.data["lagged_s"] > 0
    assert ends(world) == {"a": [names.TASK_SUCCEEDED]}
    assert not events_of(world, names.AUTOMATION_RESTARTED)


def test_an_artifact_that_cannot_be_written_is_told_of_once_and_written_when_it_can_be() -> None:
    world = world_of(a=task("alpha", cwd="/srv/a"), b=task("beta", cwd="/srv/b"))
    with_hands(
        world,
        (0, partial(world.refuses.add, "outputs")),
        (300, partial(world.refuses.discard, "outputs")),
        (500, nothing),
    )
    failed = [event.data for event in events_of(world, names.ARTIFACT_FAILED)]
    assert {data["path"] for data in failed} == {"results/a.json", "results/b.json"}
    assert len({(data["path"], data["upto"]) for data in failed}) == len(failed)
    assert len(events_of(world, names.AUTOMATION_RESTARTED)) == 1, "a full disk is not told of at each try"
    assert {"results/a.json", "results/b.json", "results/index.json"} <= world.outputs.keys()
    assert ends(world) == {name: [names.TASK_SUCCEEDED] for name in "ab"}


def test_a_task_whose_snapshot_cannot_be_kept_is_done_all_the_same() -> None:
    world = world_of(a=task("alpha", cwd="/srv/a"))
    world.refuses.add("blobs")
    assert serve(world)
    notes = [event.data["note"] for event in events_of(world, names.STEP_FINISHED)]
    assert notes[0] == "artifact_write: it could not be kept (No space left on device)"
    assert ends(world) == {"a": [names.TASK_SUCCEEDED]}
    (files,) = [event.data["files"] for event in events_of(world, names.FILES_MODIFIED)][-1:]
    assert [file["path"] for file in files] == ["cart.py"]


def test_a_slow_disk_costs_no_task_its_lease() -> None:
    tasks = {name: task(f"word-{name} slowly", cwd=f"/srv/{name}") for name in "abc"}
    world = world_of(**tasks)
    world.sync_s = 0.2
    assert serve(world, workers=3)
    assert ends(world) == {name: [names.TASK_SUCCEEDED] for name in tasks}
    assert not events_of(world, names.LEASE_EXPIRED)
    assert not events_of(world, names.TASK_INTERRUPTED)


class Handleless:
    """A work tree that cannot be looked at for want of a file handle, so many times."""

    def __init__(self, tree: FakeTree, times: int) -> None:
        self._tree, self._left = tree, times

    async def snapshot(self, cwd: str) -> bytes:
        if self._left:
            self._left -= 1
            raise OSError(errno.EMFILE, "Too many open files")
        return await self._tree.snapshot(cwd)

    async def changes(self, cwd: str, before: bytes) -> Compared:
        return await self._tree.changes(cwd, before)


def test_want_of_handles_holds_a_worker_back_and_is_no_death_of_its_task() -> None:
    world = world_of(a=task("alpha", cwd="/srv/a"))
    assert serve(world, workers=1, wrap_tree=lambda tree: Handleless(tree, 5))
    interrupted = events_of(world, names.TASK_INTERRUPTED)
    assert [event.data["worker_died"] for event in interrupted] == [False] * 5
    pauses = [later.time - earlier.time for earlier, later in itertools.pairwise(interrupted)]
    assert pauses == sorted(pauses), "each pause is longer than the one before"
    assert len(events_of(world, names.AUTOMATION_RESTARTED)) == 1
    assert ends(world) == {"a": [names.TASK_SUCCEEDED]}
