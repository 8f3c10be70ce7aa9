"""What an agent changes is said while it works: seldom enough, whole each time, and right at the end."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest
import trio
from trio.testing import MockClock

from adapters.automations.file_feed import LONGEST_DELTA, PAUSE_S, SHARE
from adapters.supervisor import Supervisor
from eventstore.event import Recorded
from handlers.ports.agent import AgentEnd, AgentOrder
from handlers.ports.files import Compared
from schemas import names
from schemas.process import ProcessIdentity
from schemas.turn import Captured
from tests.fakes import FakeTree, World
from tests.test_simulation import task
from tests.world import crew_of, serve

Heard = Callable[[Mapping[str, Any]], Awaitable[None]]
Tree = dict[str, str]


class Hand:
    """What a scripted agent works with: the files, and its tools."""

    def __init__(self, tree: Tree, heard: Heard) -> None:
        self.tree = tree
        self._heard = heard
        self._calls = 0

    async def use(self, tool: str = "Edit") -> None:
        """Say that a tool is used, and that its result has come."""
        self._calls += 1
        call = {"id": f"toolu_{self._calls}", "name": tool, "type": "tool_use", "input": {}}
        result = {"type": "tool_result", "tool_use_id": call["id"], "content": "done"}
        await self._heard({"type": "assistant", "message": {"content": [call]}})
        await self._heard({"type": "user", "message": {"content": [result]}})


Script = Callable[[Hand], Awaitable[None]]


@dataclass
class Scripted:
    """An agent that follows one script at each of its runs, and answers well."""

    world: World
    scripts: tuple[Script, ...]
    executable: str = "/usr/bin/agent"
    runs: int = 0

    async def run(
        self, order: AgentOrder, started: Callable[[ProcessIdentity], Awaitable[None]], heard: Heard
    ) -> AgentEnd:
        script = self.scripts[min(self.runs, len(self.scripts) - 1)]
        self.runs += 1
        await script(Hand(self.world.trees[order.cwd], heard))
        said = {"type": "result", "subtype": "success", "is_error": False, "num_turns": 1, "result": "done"}
        await heard(said)
        return AgentEnd("exited", 0, 1000, Captured(), Captured(), 0)


@dataclass
class Watched:
    """A tree that notes when it was compared, takes its time, and may fail at some of the times."""

    tree: FakeTree
    takes_s: float = 0.0
    fails_at: tuple[int, ...] = ()
    shielded: bool = False
    began: list[float] = field(default_factory=list)
    done: int = 0

    async def snapshot(self, cwd: str) -> bytes:
        return await self.tree.snapshot(cwd)

    async def changes(self, cwd: str, before: bytes) -> Compared:
        self.began.append(trio.current_time())
        with trio.CancelScope(shield=self.shielded):
            await trio.sleep(self.takes_s)
        if len(self.began) in self.fails_at:
            raise PermissionError(13, "nobody may look")
        self.done += 1
        return await self.tree.changes(cwd, before)


@dataclass
class Told:
    """What came of one task."""

    events: list[Recorded]
    tree: Watched
    artifact: dict[str, Any]

    @property
    def deltas(self) -> list[list[str]]:
        """Each saying as the changed paths, in order; all of them while the agent worked."""
        at = self.types.index(names.TURN_FINISHED)
        return [_paths(event) for event in self.events[:at] if event.type == names.FILES_MODIFIED]

    @property
    def last(self) -> list[list[str]]:
        """What was said after the agent's end."""
        at = self.types.index(names.TURN_FINISHED)
        return [_paths(event) for event in self.events[at:] if event.type == names.FILES_MODIFIED]

    @property
    def types(self) -> list[str]:
        return [event.type for event in self.events]

    @property
    def files(self) -> list[tuple[str, str]]:
        return [(change["change"], change["path"]) for change in self.artifact["files_modified"]]


def _paths(event: Recorded) -> list[str]:
    return [change["path"] for change in event.data["files"]]


def tell(script: Script, **how: Any) -> Told:
    """Let an agent do as the script says, on a tree that is as `how` says."""
    world = World()
    world.inbox = {"a.task.md": task("alpha")}
    trees: list[Watched] = []

    def watched(tree: FakeTree) -> Watched:
        trees.append(Watched(tree, **how))
        return trees[-1]

    assert serve(world, wrap_agent=lambda agent: Scripted(world, (script,)), wrap_tree=watched)
    return Told(list(world.log.stream("task-a")), trees[0], orjson.loads(world.outputs["results/a.json"]))


async def edits_twice(hand: Hand) -> None:
    hand.tree["a"] = "1"
    await hand.use("Write")
    await trio.sleep(10)
    hand.tree["b"] = "1"
    await hand.use("Bash")
    await trio.sleep(10)


def test_each_delta_says_the_whole_difference_so_far() -> None:
    told = tell(edits_twice)
    assert told.deltas == [["a"], ["a", "b"]]
    assert told.last == [], "the last comparison found what was said already"
    assert told.files == [("created", "a"), ("created", "b")]


@pytest.mark.parametrize("tool", ["Edit", "Write", "NotebookEdit", "Bash"])
def test_the_result_of_a_tool_that_may_change_files_is_followed_by_a_comparison(tool: str) -> None:
    async def script(hand: Hand) -> None:
        hand.tree["a"] = "1"
        await hand.use(tool)
        await trio.sleep(10)

    assert tell(script).deltas == [["a"]]


async def reads(hand: Hand) -> None:
    hand.tree["a"] = "1"
    for _ in range(5):
        await hand.use("Read")
        await trio.sleep(10)


def test_nothing_is_compared_for_a_tool_that_only_reads() -> None:
    told = tell(reads)
    assert (told.deltas, told.last) == ([], [["a"]])
    assert len(told.tree.began) == 1


async def hurries(hand: Hand) -> None:
    for number in range(100):
        hand.tree[f"f{number:02}"] = "1"
        await hand.use()
        await trio.sleep(0.1)


def test_many_edits_in_a_short_time_are_few_comparisons() -> None:
    told = tell(hurries)
    between = [later - earlier for earlier, later in zip(told.tree.began, told.tree.began[1:], strict=False)]
    assert min(between[:-1]) == pytest.approx(PAUSE_S)
    assert 10 / PAUSE_S - 1 <= len(told.deltas) <= 10 / PAUSE_S + 1
    assert len(told.last[0]) == 100


def test_a_comparison_that_takes_long_is_followed_by_a_long_pause() -> None:
    told = tell(hurries, takes_s=0.5)
    assert told.tree.began[1] - told.tree.began[0] == pytest.approx(0.5 + SHARE * 0.5)


async def stops_at_once_after_an_edit(hand: Hand) -> None:
    hand.tree["a"] = "1"
    await hand.use()
    await trio.sleep(1)


@pytest.mark.parametrize(("shielded", "done"), [(False, 1), (True, 2)], ids=["dropped", "awaited"])
def test_a_comparison_under_way_at_the_agents_end_does_no_harm(shielded: bool, done: int) -> None:
    told = tell(stops_at_once_after_an_edit, takes_s=30, shielded=shielded)
    assert (told.deltas, told.last) == ([], [["a"]])
    assert (len(told.tree.began), told.tree.done) == (2, done)
    assert names.TASK_SUCCEEDED in told.types


async def undoes_what_it_did(hand: Hand) -> None:
    cart = hand.tree["cart.py"]
    hand.tree["cart.py"] = "two"
    hand.tree["new"] = "1"
    await hand.use()
    await trio.sleep(10)
    hand.tree["cart.py"] = cart
    await hand.use()
    await trio.sleep(10)
    del hand.tree["new"]
    await hand.use("Read")


def test_what_was_said_and_is_undone_is_taken_back() -> None:
    told = tell(undoes_what_it_did)
    assert (told.deltas, told.last) == ([["cart.py", "new"], ["new"]], [[]])
    assert told.files == []
    assert "no file was modified" in told.artifact["outcome"]["evidence"]


async def changes_very_many(hand: Hand) -> None:
    hand.tree.update({f"{number}": "1" for number in range(LONGEST_DELTA + 1)})
    await hand.use()
    await trio.sleep(10)


def test_a_list_that_is_too_long_to_be_said_often_is_said_at_the_end() -> None:
    told = tell(changes_very_many)
    assert told.deltas == []
    assert [len(paths) for paths in told.last] == [LONGEST_DELTA + 1]


def test_a_comparison_that_fails_while_the_agent_works_is_made_up_for_by_the_next() -> None:
    told = tell(edits_twice, fails_at=(1,))
    assert (told.deltas, told.last) == ([["a", "b"]], [])
    assert names.TASK_SUCCEEDED in told.types


def test_a_last_comparison_that_fails_is_told_and_the_task_is_judged_all_the_same() -> None:
    told = tell(edits_twice, fails_at=(1, 3))
    sentence = "what was changed could not be found out: [Errno 13] nobody may look"
    (compared,) = [
        event for event in told.events if event.data.get("phase") == "compare" and "note" in event.data
    ]
    assert compared.data["note"] == sentence
    assert told.artifact["outcome"]["evidence"][-1] == sentence
    assert told.files == [("created", "a"), ("created", "b")], "as far as it was seen"
    assert told.types[-1] in (names.ARTIFACT_WRITTEN, names.TASK_ARCHIVED)
    assert names.TASK_INTERRUPTED not in told.types


async def dies(hand: Hand) -> None:
    hand.tree["a"] = "1"
    await hand.use()
    await trio.sleep(5)
    hand.tree["b"] = "1"
    raise RuntimeError("a planted bug")


async def works_longer_than_anybody_waits(hand: Hand) -> None:
    hand.tree["a"] = "1"
    await hand.use()
    await trio.sleep(5)
    hand.tree["b"] = "1"
    await trio.sleep(10_000)


async def goes_on(hand: Hand) -> None:
    del hand.tree["a"]
    hand.tree.update({"b": "2", "c": "1"})
    await hand.use()
    await trio.sleep(5)


def check_two_attempts(world: World) -> None:
    said = [
        (event.data["attempt"], _paths(event))
        for event in world.log.stream("task-a")
        if event.type == names.FILES_MODIFIED
    ]
    assert said == [(1, ["a"]), (1, ["a", "b"]), (2, ["a", "b", "c"])]
    artifact = orjson.loads(world.outputs["results/a.json"])
    assert artifact["files_modified"] == [{"path": path, "change": "created"} for path in ("b", "c")]


def test_the_files_of_an_attempt_whose_worker_died_are_found_and_added_to() -> None:
    world = World()
    world.inbox = {"a.task.md": task("alpha")}
    scripted = Scripted(world, (dies, goes_on))
    assert serve(world, wrap_agent=lambda agent: scripted)
    check_two_attempts(world)


def stop_while_it_works(world: World, scripted: Scripted, **how: Any) -> None:
    """Serve until the agent has changed its files, then ask the service to end."""

    async def main() -> None:
        crew = crew_of(world, wrap_agent=lambda agent: scripted, wrap_tree=lambda tree: Watched(tree, **how))
        supervisor = Supervisor(crew)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(supervisor.run)
            await trio.sleep(60)
            supervisor.stop("enough")

    trio.run(main, clock=MockClock(autojump_threshold=0))


def test_the_files_of_an_attempt_that_the_service_gave_back_are_found_and_added_to() -> None:
    world = World()
    world.inbox = {"a.task.md": task("alpha")}
    scripted = Scripted(world, (works_longer_than_anybody_waits, goes_on))
    stop_while_it_works(world, scripted)
    assert serve(world, wrap_agent=lambda agent: scripted)
    check_two_attempts(world)


def reason_of_the_interruption(world: World) -> str:
    (event,) = (one for one in world.log.stream("task-a") if one.type == names.TASK_INTERRUPTED)
    return str(event.data["reason"])


def test_an_attempt_given_back_says_when_its_files_could_not_be_found_out() -> None:
    world = World()
    world.inbox = {"a.task.md": task("alpha")}
    stop_while_it_works(world, Scripted(world, (works_longer_than_anybody_waits,)), fails_at=(2,))
    told = "the service was stopped; what was changed could not be found out: [Errno 13] nobody may look"
    assert reason_of_the_interruption(world) == told


def test_the_service_starts_and_says_so_when_the_files_of_a_lost_attempt_cannot_be_found_out() -> None:
    world = World(crash_at=10)
    world.inbox = {"a.task.md": task("alpha")}
    assert not serve(world)
    told = {event.type for event in world.log.stream("task-a")}
    assert names.TURN_STARTED in told
    assert names.TURN_FINISHED not in told
    world.restart()
    world.blobs.clear()
    assert serve(world)
    assert reason_of_the_interruption(world).startswith("the service died; what was changed could not be")


async def first_attempt(hand: Hand) -> None:
    hand.tree["cart.py"] = "two"
    await hand.use()
    await trio.sleep(5)
    hand.tree["mistake"] = "1"
    hand.tree["kept"] = "1"
    await hand.use()
    await trio.sleep(5)


async def second_attempt(hand: Hand) -> None:
    hand.tree.update({"cart.py": "two", "kept": "2", "other": "1"})
    hand.tree.pop("mistake", None)
    await hand.use()
    await trio.sleep(5)


@pytest.mark.parametrize("after", [True, False], ids=["after", "before"])
def test_after_a_crash_at_any_append_the_artifact_names_what_both_attempts_left(after: bool) -> None:
    points = 0
    while True:
        points += 1
        world = World(crash_at=points, crash_after=after)
        world.inbox = {"a.task.md": task("alpha")}
        scripts = [Scripted(world, (first_attempt, second_attempt))]
        crashed = not serve(world, wrap_agent=lambda _, made=scripts: made[0])
        world.restart()
        assert serve(world, wrap_agent=lambda _, made=scripts: made[0])
        tree = world.trees["/srv/shop"]
        truth = [
            {"path": path, "change": "modified" if path == "cart.py" else "created"}
            for path in sorted(tree)
            if tree[path] != "one"
        ]
        artifact = orjson.loads(world.outputs["results/a.json"])
        assert artifact["files_modified"] == truth, f"after a crash at append {points}"
        assert f"files modified: {len(truth)}" in artifact["outcome"]["evidence"]
        if not crashed:
            break
    assert points > 20
