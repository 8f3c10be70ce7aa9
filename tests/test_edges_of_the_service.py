"""The service's parts working together at their edges: the day, the file, the lease, the disk."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from adapters.automations.attempt import Fenced
from adapters.threaded_log import ThreadedLog
from eventstore.log import WrongExpectedVersion
from handlers.deciders import DECIDERS
from handlers.dispatch import Dispatch
from handlers.ports.agent import AgentEnd, AgentOrder
from schemas import names
from schemas.attempt import ClaimTask, InterruptAttempt
from schemas.process import ProcessIdentity
from schemas.turn import Captured
from tests.fakes import FakeAgent, FakeInbox, FakeProcesses, World
from tests.rule_bench import CONDITIONS
from tests.test_simulation import task
from tests.test_threaded_log import Here
from tests.troubled import ends, events_of, nothing, say, with_checks, with_hands, world_of
from tests.world import serve

DAY = 86_400_000_000


@pytest.mark.timeout(30)
def test_each_day_s_budget_is_reached_anew() -> None:
    world = world_of(**{name: task(name, cwd=f"/srv/{name}") for name in "abcd"})
    for day in (1, 2, 3):
        assert serve(world, workers=1, drain_wait_s=60, daily_budget_usd=0.01)
        assert len(ends(world)) == day
        world.restart()
        world.epoch += DAY
    reached = [event.data["day"] for event in events_of(world, names.DAILY_BUDGET_REACHED)]
    assert len(reached) == len(set(reached)) == 3


def died_with(kind: str) -> World:
    """A world whose service died right behind the first event of that kind."""
    for point in range(1, 100):
        world = world_of(a=task("alpha"))
        world.crash_at = point
        assert not serve(world)
        if events_of(world, kind):
            return world
    raise AssertionError(f"no service says {kind}")


@pytest.mark.parametrize("renaming_s", [0.5, 1.0, 1.5])
def test_a_file_that_is_archived_while_it_is_read_again_is_not_taken_again(
    monkeypatch: pytest.MonkeyPatch, renaming_s: float
) -> None:
    """The service died between the event and the move: the next one moves it and scans at the same time."""
    world = died_with(names.TASK_RECEIVED)
    read, archive = FakeInbox.read, FakeInbox.archive

    async def slowly_read(self: FakeInbox, name: str, limit: int) -> bytes:
        content = await read(self, name, limit)
        await trio.sleep(2)
        return content

    async def slowly_archive(self: FakeInbox, name: str, sha256: str | None, target: str) -> str | None:
        await trio.sleep(renaming_s)
        return await archive(self, name, sha256, target)

    monkeypatch.setattr(FakeInbox, "read", slowly_read)
    monkeypatch.setattr(FakeInbox, "archive", slowly_archive)
    world.restart()
    assert serve(world)
    assert not events_of(world, names.TASK_REFUSED)
    assert ends(world) == {"a": [names.TASK_SUCCEEDED]}


def test_a_task_that_ends_while_its_file_is_moved_has_its_file_moved_once_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    archive = FakeInbox.archive

    async def slowly_archive(self: FakeInbox, name: str, sha256: str | None, target: str) -> str | None:
        await trio.sleep(30)
        return await archive(self, name, sha256, target)

    monkeypatch.setattr(FakeInbox, "archive", slowly_archive)
    world = world_of(a=task("alpha"), b=task("beta slowly"))
    assert serve(world, drain_wait_s=60)
    assert ends(world) == {"a": [names.TASK_SUCCEEDED], "b": [names.TASK_SUCCEEDED]}
    moved = [
        event for event in events_of(world, names.TASK_ARCHIVED, "a") if event.data["status"] == "succeeded"
    ]
    (b_end,) = events_of(world, names.TASK_SUCCEEDED, "b")
    assert len(moved) == 1
    assert moved[0].time < b_end.time, "it waited for another file's event"


@pytest.mark.parametrize("after", [True, False], ids=["after", "before"])
def test_a_crash_at_any_append_leaves_every_refused_file_with_its_reason(after: bool) -> None:
    bad = b"---\ntype: bug_fix\nallowed_tools: Bash(*)\n---\nx"
    whole = world_of()
    whole.inbox["bad.task.md"] = bad
    assert serve(whole)
    for point in range(1, whole.appends + 1):
        world = world_of()
        world.inbox["bad.task.md"] = bad
        world.crash_at, world.crash_after = point, after
        assert not serve(world)
        world.restart()
        assert serve(world)
        files = {name.rpartition(".refused.")[0] for name in world.archive if name.endswith(".task.md")}
        reasons = {name.rpartition(".refused.")[0] for name in world.archive if name.endswith(".reason.txt")}
        assert files == reasons != set(), f"the crash was at append {point}"


@dataclass
class Talker:
    """Says a line every 100 seconds, for 1,000."""

    agent: FakeAgent
    executable: str = "/usr/bin/agent"

    async def run(
        self,
        order: AgentOrder,
        started: Callable[[ProcessIdentity], Awaitable[None]],
        heard: Callable[[Mapping[str, Any]], Awaitable[None]],
    ) -> AgentEnd:
        await started(ProcessIdentity(pid=7, started=1, boot_id="b"))
        for _ in range(10):
            await trio.sleep(100)
            await heard({"type": "system", "subtype": "status"})
        done = {"type": "result", "subtype": "success", "is_error": False, "num_turns": 1, "result": "done"}
        await heard(done)
        return AgentEnd("exited", 0, 1_000_000, Captured(), Captured(), 0)


def test_who_makes_progress_extends_its_lease_before_it_is_over() -> None:
    world = world_of(a=task("alpha"))
    assert serve(world, wrap_agent=Talker)
    (claimed,) = events_of(world, names.TASK_CLAIMED)
    until = claimed.data["lease_until"]
    extended = events_of(world, names.LEASE_EXTENDED)
    for event in extended:
        assert event.time < until
        until = event.data["lease_until"]
    (end,) = events_of(world, names.TASK_SUCCEEDED)
    assert end.time < until
    assert 2 <= len(extended) <= 8, "no event for each line"


@dataclass
class AnotherHosts(FakeProcesses):
    """Whether the service before lives cannot be seen from here."""

    async def alive(self, process: ProcessIdentity) -> bool | None:  # type: ignore[override]
        await trio.lowlevel.checkpoint()
        return True if process == self.own() else None


def test_a_claim_of_another_host_s_service_is_left_alone_until_its_lease_has_ended() -> None:
    world = world_of(a=task("alpha slowly"))
    seen = world_of(a=task("alpha slowly"))
    assert serve(seen)
    (claim,) = events_of(seen, names.TASK_CLAIMED)
    world.crash_at = claim.global_position + 3
    assert not serve(world)
    (claimed,) = events_of(world, names.TASK_CLAIMED)
    world.restart()
    assert serve(world, processes=AnotherHosts(world))
    (expired,) = events_of(world, names.LEASE_EXPIRED)
    (interrupted,) = events_of(world, names.TASK_INTERRUPTED)
    assert interrupted.time >= expired.time >= claimed.data["lease_until"]
    assert ends(world) == {"a": [names.TASK_SUCCEEDED]}


def test_who_lost_a_race_that_no_bell_told_of_reads_the_log_itself(tmp_path: Path) -> None:
    async def main(here: Here) -> None:
        await here.ours.append("a-1", [here.fact()], -1)
        assert await here.ours.read_stream("a-1", 0) == []
        here.from_elsewhere("a-1", silently=True)
        with pytest.raises(WrongExpectedVersion):
            await here.ours.append("a-1", [here.fact()], 0)
        assert len(await here.ours.read_stream("a-1", 0)) == 1

    with Here(tmp_path) as here:
        assert isinstance(here.ours, ThreadedLog)
        trio.run(main, here, clock=MockClock())


def test_a_check_that_lasts_does_not_use_up_the_lease() -> None:
    world = world_of(a=with_checks("alpha", *["wait 100"] * 6))
    assert serve(world)
    (claimed,) = events_of(world, names.TASK_CLAIMED)
    until = claimed.data["lease_until"]
    for event in world.log.all(claimed.global_position):
        assert event.stream != "task-a" or event.type in names.ENDS or event.time < until
        if event.type == names.LEASE_EXTENDED:
            until = event.data["lease_until"]
    assert ends(world) == {"a": [names.TASK_SUCCEEDED]}


def test_who_begins_to_wait_after_others_were_let_go_is_let_go_too() -> None:
    """What was asked once about a task must not answer for ever: it has ended since."""
    world = world_of(a=task("alpha", cwd="/srv/a"), b=task("beta", cwd="/srv/b", after="a"))
    world.trees["/srv/c"] = {"cart.py": "one"}

    def drop() -> None:
        world.inbox["c.task.md"] = task("gamma", cwd="/srv/c", after="a")

    with_hands(world, (60, drop), (200, nothing))
    assert ends(world) == {name: [names.TASK_SUCCEEDED] for name in "abc"}


def test_a_full_disk_is_told_with_the_room_that_there_was_not_with_what_there_is_now() -> None:
    world = world_of(a=task("alpha slowly"))

    def set_free(free: int) -> Callable[[], None]:
        return lambda: setattr(world, "free", free)

    with_hands(world, (10, set_free(0)), (60, set_free(2**40)), (200, nothing))
    (low,) = events_of(world, names.DISK_LOW)
    assert low.data["refused_since"] is not None
    assert low.data["free_bytes"] == 0


def test_an_agent_is_ended_at_once_where_its_task_was_taken_away_and_claimed_again_in_one_go() -> None:
    world = world_of(a=task("alpha slowly"))
    alive = FakeProcesses(world).own()  # a dead one's claim would be closed at once
    taken: list[int] = []

    def take() -> None:
        say(world, InterruptAttempt, "i", task_id="a", attempt=1, lease_expired=True)
        claim = ClaimTask(
            command_id="c",
            time=world.now(),
            actor="worker:w9",
            task_id="a",
            worker="w9",
            cwd="/srv/shop",
            allowed_root="/srv",
            home="/home",
            windows=False,
            lease_until=world.now() + 10**9,
            process=alive,
            conditions=CONDITIONS,
        )
        Dispatch(world.log, "urn:evt:world", DECIDERS)(claim)
        taken.append(world.now())

    with pytest.raises(ExceptionGroup) as ended:
        with_hands(world, (20, take), (200, nothing))
    assert ended.group_contains(Fenced)
    (rejected,) = events_of(world, names.STALE_RESULT_REJECTED)
    assert rejected.time - taken[0] < 5_000_000
    assert not world.alive
