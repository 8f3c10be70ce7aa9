"""A task that the service dies of is paused after five times in a row; its neighbours come through."""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from handlers.attempt import ATTEMPT
from handlers.policies import quarantining
from handlers.ports.agent import AgentEnd, AgentOrder
from handlers.scheduling import MOST_SERVICE_DEATHS, SUSPECT_DEATHS, choose
from projections.all_views import BY_NAME
from projections.live import LiveViews
from schemas import names
from schemas.attempt import ClaimTask, InterruptAttempt, TaskInterrupted
from schemas.process import ProcessIdentity
from schemas.task import PauseTask, ResumeTask, RetryTask, TaskPaused
from tests.fakes import Crashed, FakeAgent, World
from tests.homes import BuiltHome
from tests.reading_evt import Evt
from tests.rule_bench import ANSWERED, STATUSES, TASK_ID, Bench, succeeded
from tests.test_simulation import task
from tests.troubled import ends, events_of, say
from tests.world import serve

POISON = "append poison"
REASON = "the service died 5 times in a row while this task was at work"


@dataclass
class Poisoned:
    """An agent that kills the service when it is told a certain word."""

    world: World
    well: FakeAgent

    @property
    def executable(self) -> str:
        return self.well.executable

    async def run(
        self,
        order: AgentOrder,
        started: Callable[[ProcessIdentity], Awaitable[None]],
        heard: Callable[[Mapping[str, Any]], Awaitable[None]],
    ) -> AgentEnd:
        if POISON in order.prompt:
            self.world.orders.append(order)
            self.world.off = True
            raise Crashed
        return await self.well.run(order, started, heard)


def served(world: World, times: int = 12) -> int:
    """Start the service again until it drains its queue; how often it died before."""
    for deaths in range(times):
        if serve(world, wrap_agent=lambda agent: Poisoned(world, agent)):
            return deaths
        world.restart()
    raise AssertionError(f"the service died {times} times")


def poisoned_world() -> World:
    world = World()
    world.trees |= {f"/srv/{name}": {"cart.py": "one"} for name in ("bad", "good", "fine")}
    world.inbox = {
        "bad.task.md": task("poison", cwd="/srv/bad"),
        "good.task.md": task("good slowly", cwd="/srv/good"),
        "fine.task.md": task("fine", cwd="/srv/fine", priority="low"),
    }
    return world


def test_a_task_that_kills_the_service_is_paused_and_its_neighbours_end_well() -> None:
    world = poisoned_world()
    assert served(world) == MOST_SERVICE_DEATHS
    assert ends(world) == {"good": [names.TASK_SUCCEEDED], "fine": [names.TASK_SUCCEEDED]}
    (paused,) = events_of(world, names.TASK_PAUSED)
    assert (paused.stream, paused.actor) == ("task-bad", "policy:quarantine")
    assert paused.data["reason"].startswith(REASON)
    assert sum(POISON in order.prompt for order in world.orders) == MOST_SERVICE_DEATHS
    assert serve(world), "it costs nothing more"
    assert len(events_of(world, names.TASK_PAUSED)) == 1


def test_what_died_three_times_is_done_alone() -> None:
    world = poisoned_world()
    served(world)
    held: set[str] = set()
    beside = []
    deaths = dict.fromkeys(("task-bad", "task-good", "task-fine"), 0)
    for event in world.log.all():
        if event.type == names.TASK_CLAIMED:
            if any(deaths[other] >= SUSPECT_DEATHS for other in {event.stream, *held}):
                beside.append(held - {event.stream})
            held.add(event.stream)
        elif event.type == names.TASK_INTERRUPTED:
            deaths[event.stream] += event.data["service_died"]
            held.discard(event.stream)
        elif event.type in names.ENDS:
            held.discard(event.stream)
    assert beside, "one was suspected"
    assert not any(beside)


def test_a_resumed_task_is_begun_again_and_has_all_its_lives() -> None:
    world = poisoned_world()
    served(world)
    begun = len(world.orders)
    say(world, ResumeTask, "go", task_id="bad")
    assert served(world) == MOST_SERVICE_DEATHS
    assert len(world.orders) - begun == MOST_SERVICE_DEATHS
    assert len(events_of(world, names.TASK_PAUSED)) == 2


# the rule


def died(bench: Bench, *, service: bool = True) -> None:
    """One more attempt that is claimed and lost."""
    bench.do(ClaimTask)
    bench.do(InterruptAttempt, attempt=bench.state(ATTEMPT).attempt, service_died=service)


def queue(bench: Bench) -> Mapping[str, Mapping[str, Any]]:
    live = LiveViews([BY_NAME["queue"]])
    live.apply(list(bench.log.all()))
    return live.rows("queue")


def due(bench: Bench) -> list[PauseTask]:
    return quarantining(queue(bench), bench.now)


def dying(times: int) -> Bench:
    bench = Bench(*STATUSES["queued"])
    for _ in range(times):
        died(bench)
    return bench


def test_four_times_are_no_reason_and_five_are() -> None:
    bench = dying(MOST_SERVICE_DEATHS - 1)
    assert due(bench) == []
    died(bench)
    (pause,) = due(bench)
    last = list(bench.log.all())[-1]
    assert (pause.task_id, pause.actor, pause.causation_id) == (TASK_ID.lower(), names.QUARANTINE, last.id)
    assert pause == due(bench)[0], "twice is once"
    bench.dispatch(pause)
    assert due(bench) == []


def test_a_task_that_is_about_to_be_paused_is_not_begun() -> None:
    bench = dying(MOST_SERVICE_DEATHS)
    assert choose(queue(bench).values(), bench.now, {}) is None


@pytest.mark.parametrize("between", ["a stop", "a turn", "asked again"])
def test_only_deaths_in_a_row_count(between: str) -> None:
    bench = dying(MOST_SERVICE_DEATHS - 1)
    match between:
        case "a stop":
            died(bench, service=False)
        case "a turn":
            bench.given(*ANSWERED[2:])
            bench.given(TaskInterrupted(attempt=9, reason="died", service_died=True, owes_checks=True))
        case _:
            bench.given(*ANSWERED[2:], succeeded())
            bench.do(RetryTask)
    (row,) = queue(bench).values()
    assert row["service_deaths"] == (1 if between == "a turn" else 0)


def test_a_line_of_an_older_log_counts_as_no_death() -> None:
    bench = Bench(*STATUSES["running"])
    bench.given(TaskInterrupted(attempt=1, reason="the service died"))
    (row,) = queue(bench).values()
    assert row["service_deaths"] == 0


# what people read


@pytest.fixture
def home(tmp_path: Path) -> Iterator[BuiltHome]:
    with BuiltHome(tmp_path / "home") as built:
        yield built


def test_the_verbs_say_why_it_is_paused(home: BuiltHome, capsys: pytest.CaptureFixture[str]) -> None:
    evt = Evt(home.root, capsys)
    home.queue("web-7")
    home.append(names.task_stream("web-7"), TaskPaused(reason=REASON), actor=names.QUARANTINE)
    said = f"until `evt resume web-7`: {REASON}"
    (line,) = evt("list").lines[1:]
    assert line.endswith(said)
    assert said in evt("status").out
    page = evt("show", "web-7").out
    assert said in " ".join(page.split())
    assert "by policy:quarantine" in page
