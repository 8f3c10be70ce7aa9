"""The whole program in virtual time, from a dropped file to its artifact, with a crash at every append."""

from collections import Counter
from typing import Any

import orjson
import pytest
import trio
from trio.testing import MockClock

from handlers.deciders import DECIDERS
from handlers.dispatch import Dispatch
from handlers.ports.agent import AgentEnd
from projections.all_views import ALL
from projections.live import LiveViews
from schemas import names
from schemas.task import CancelTask
from tests.fakes import FakeAgent, World
from tests.world import crew_of, serve


def task(word: str, **front: str) -> bytes:
    lines = {"type": "bug_fix", "cwd": "/srv/shop", **front}
    head = "\n".join(f"{key}: {value}" for key, value in lines.items())
    return f"---\n{head}\n---\n# {word}\n\n**Prompt:**\nappend {word}\n".encode()


def world_with_work() -> World:
    world = World()
    world.inbox = {
        "a.task.md": task("alpha"),
        "b.task.md": task("beta", after="a", priority="high"),
        "c.task.md": task("gamma badly", priority="low"),
        "d.task.md": b"---\ntype: bug_fix\nallowed_tools: Bash(*)\n---\nx",
    }
    return world


def types_of(world: World) -> Counter[str]:
    return Counter(event.type for event in world.log.all())


def check_the_end(world: World) -> None:
    """What must hold after every run to the end, crashed before or not."""
    events = list(world.log.all())
    assert [event.global_position for event in events] == list(range(1, len(events) + 1))
    ends = Counter(event.stream for event in events if event.type in names.ENDS)
    assert ends == {"task-a": 1, "task-b": 1, "task-c": 1}
    text = world.trees["/srv/shop"]["cart.py"]
    assert [text.count(f"append {word}") for word in ("alpha", "beta", "gamma badly")] == [1, 1, 1]
    assert not world.alive, "no agent outlives its task"
    assert world.inbox == {}
    assert {name for name in world.archive if name.endswith(".task.md")} == {
        "tasks/processed/a.succeeded.task.md",
        "tasks/processed/b.succeeded.task.md",
        "tasks/processed/c.failed.task.md",
        *(name for name in world.archive if name.endswith(".refused.task.md")),
    }
    index = orjson.loads(world.outputs["results/index.json"])
    assert len(index.get("artifacts", index)) == 3
    assert orjson.loads(world.outputs["results/a.json"])["success"] is True
    assert orjson.loads(world.outputs["results/c.json"])["success"] is False
    check_the_files(world)


def check_the_files(world: World) -> None:
    """Whatever attempt changed it, the file is named once, everywhere."""
    live = LiveViews(ALL)
    live.apply(world.log.all())
    for name in ("a", "b", "c"):
        artifact = orjson.loads(world.outputs[f"results/{name}.json"])
        assert artifact["files_modified"] == [{"path": "cart.py", "change": "modified"}]
        assert "files modified: 1" in artifact["outcome"]["evidence"]
        row = live.row("tasks", name)
        assert row is not None
        assert (row["files_modified"], row["changes"]) == (1, None)
        said = [
            (event.data["attempt"], event.data["files"])
            for event in world.log.stream(f"task-{name}")
            if event.type == names.FILES_MODIFIED
        ]
        assert len(said) == len({attempt for attempt, _ in said}), "nothing is said twice"


def test_what_the_agent_changes_is_said_while_it_works() -> None:
    world = world_with_work()
    serve(world)
    for name in ("a", "b", "c"):
        told = [event.type for event in world.log.stream(f"task-{name}")]
        assert told.index(names.FILES_MODIFIED) < told.index(names.TURN_FINISHED)


def test_a_dropped_file_becomes_an_artifact() -> None:
    world = world_with_work()
    assert serve(world)
    check_the_end(world)
    count = types_of(world)
    assert count[names.TASK_REFUSED] == 1
    assert count[names.TASK_CLAIMED] == 3
    assert world.most_at_once == 1, "the three share one directory"


def test_what_waits_for_another_begins_after_it_has_succeeded() -> None:
    world = world_with_work()
    serve(world)
    order = [(event.stream, event.type) for event in world.log.all()]
    assert order.index(("task-a", names.TASK_SUCCEEDED)) < order.index(("task-b", names.TASK_RELEASED))
    assert order.index(("task-b", names.TASK_RELEASED)) < order.index(("task-b", names.TASK_CLAIMED))


def test_what_waits_for_a_failed_task_stays_and_is_not_run() -> None:
    world = World()
    world.inbox = {"c.task.md": task("gamma badly"), "e.task.md": task("epsilon", after="c")}
    assert serve(world)
    assert names.TASK_CLAIMED not in {event.type for event in world.log.stream("task-e")}


def test_one_seed_gives_one_log_and_another_seed_another() -> None:
    logs = []
    for seed in (7, 7, 8):
        world = world_with_work()
        serve(world, seed=seed)
        logs.append([event.line for event in world.log.all()])
    assert logs[0] == logs[1]
    assert logs[0] != logs[2]


@pytest.mark.parametrize("after", [True, False], ids=["after", "before"])
def test_a_crash_at_any_append_loses_nothing_and_does_nothing_twice(after: bool) -> None:
    whole = world_with_work()
    serve(whole)
    assert whole.appends > 50
    for point in range(1, whole.appends + 1):
        world = world_with_work()
        world.crash_at, world.crash_after = point, after
        assert not serve(world), f"the crash at append {point} was not seen"
        world.restart()
        assert serve(world), f"after a crash at append {point}"
        check_the_end(world)


def test_two_crashes_one_after_the_other_are_survived() -> None:
    whole = world_with_work()
    serve(whole)
    for first in range(1, whole.appends, 7):
        world = world_with_work()
        world.crash_at = first
        serve(world)
        world.restart()
        world.crash_at = world.appends + 3
        serve(world)
        world.restart()
        assert serve(world)
        check_the_end(world)


def test_the_live_views_equal_a_fresh_fold_of_the_log() -> None:
    world = world_with_work()
    serve(world)
    once, halves = LiveViews(ALL), LiveViews(ALL)
    events = list(world.log.all())
    once.apply(events)
    halves.apply(events[: len(events) // 2])
    halves.apply(events[len(events) // 2 :])
    for view in ALL:
        assert once.rows(view.name) == halves.rows(view.name)


def test_high_goes_before_medium_before_low_and_then_by_age() -> None:
    world = World()
    world.inbox = {
        f"{name}.task.md": task(name, priority=priority)
        for name, priority in (("p", "low"), ("q", "medium"), ("r", "high"), ("s", "high"))
    }
    assert serve(world, workers=1)
    claimed = [event.stream for event in world.log.all() if event.type == names.TASK_CLAIMED]
    received = [event.stream for event in world.log.all() if event.type == names.TASK_QUEUED]
    # The first claim may come before the others are there; from then on the order is the rule.
    rest = claimed[1:]
    rank = {"task-r": 0, "task-s": 0, "task-q": 1, "task-p": 2}
    assert rest == sorted(rest, key=lambda stream: (rank[stream], received.index(stream)))


def test_a_task_is_not_claimed_before_its_time() -> None:
    world = World()
    world.inbox = {"n.task.md": task("nu", not_before="2026-09-21T14:30:00Z")}
    assert serve(world)
    claimed = next(event for event in world.log.all() if event.type == names.TASK_CLAIMED)
    assert "2026-09-21T14:30:00.000000Z" <= claimed.when < "2026-09-21T14:30:05Z"


def test_a_task_that_is_due_after_the_drain_would_end_stays() -> None:
    world = World()
    world.inbox = {"n.task.md": task("nu", not_before="2026-09-21T14:30:00Z")}
    assert serve(world, drain_wait_s=60)
    assert types_of(world)[names.TASK_CLAIMED] == 0


class Dying:
    """An agent of which each of the first `deaths` turns kills its worker with a bug."""

    executable = "/usr/bin/agent"

    def __init__(self, agent: FakeAgent, deaths: int) -> None:
        self._agent, self._left = agent, deaths

    async def run(self, *arguments: Any) -> AgentEnd:
        if self._left:
            self._left -= 1
            raise RuntimeError("a planted bug")
        return await self._agent.run(*arguments)


@pytest.mark.parametrize(("deaths", "end"), [(2, names.TASK_SUCCEEDED), (3, names.TASK_FAILED)])
def test_a_worker_that_dies_is_started_again_and_the_third_death_ends_its_task(deaths: int, end: str) -> None:
    world = World()
    world.inbox = {"a.task.md": task("alpha")}
    assert serve(world, wrap_agent=lambda agent: Dying(agent, deaths))
    count = types_of(world)
    assert (count[end], count[names.AUTOMATION_RESTARTED], count[names.TASK_INTERRUPTED]) == (
        1,
        deaths,
        deaths,
    )
    last = [event for event in world.log.all() if event.type in names.ENDS][-1]
    assert last.data.get("error_class", "none") == ("worker_lost" if deaths == 3 else "none")


def test_a_cancel_while_the_agent_works_ends_the_task_as_cancelled() -> None:
    world = World()
    world.inbox = {"a.task.md": task("alpha slowly")}

    class Regretting:
        """Asks for the end of its own task as soon as it runs."""

        executable = "/usr/bin/agent"

        def __init__(self, agent: FakeAgent) -> None:
            self._agent = agent

        async def run(self, *arguments: Any) -> AgentEnd:
            dispatch = Dispatch(world.log, "urn:evt:world", DECIDERS)
            dispatch(
                CancelTask(
                    command_id="regret", time=world.now(), actor="cli:me", task_id="a", reason="never mind"
                )
            )
            return await self._agent.run(*arguments)

    assert serve(world, wrap_agent=Regretting)
    count = types_of(world)
    assert (count[names.TASK_CANCELLED], count[names.TASK_SUCCEEDED]) == (1, 0)
    assert not world.alive
    assert orjson.loads(world.outputs["results/a.json"])["success"] is False


def test_the_artifact_ends_with_the_end_of_its_task_and_not_with_a_receipt() -> None:
    world = world_with_work()
    serve(world)
    for key in "abc":
        ends = [event for event in world.log.stream(f"task-{key}") if event.type in names.ENDS]
        linkage = orjson.loads(world.outputs[f"results/{key}.json"])["linkage"]
        assert linkage["last_global_position"] == ends[-1].global_position


def test_a_file_that_still_grows_is_not_taken_in() -> None:
    world = World()
    whole = task("alpha")
    taken = []

    async def main() -> None:
        intake = crew_of(world).intake
        for body in (whole[:20], whole[:40], whole, whole):
            world.inbox["a.task.md"] = body
            await intake.scan()
            taken.append(types_of(world)[names.TASK_RECEIVED])

    trio.run(main, clock=MockClock(autojump_threshold=0))
    assert taken == [0, 0, 0, 1]
    assert types_of(world)[names.TASK_REFUSED] == 0
