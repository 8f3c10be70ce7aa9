"""A service that another one has taken over from: it begins nothing, and says of no word what is not so."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest
import trio
from trio.testing import MockClock

from adapters.automations.attempt import Fenced
from adapters.supervisor import Supervisor
from eventstore.event import Event, Place
from eventstore.memory_log import MemoryLog
from handlers.attempt import ATTEMPT
from schemas import names
from schemas.attempt import InterruptAttempt
from schemas.process import ProcessIdentity
from schemas.service import NoteStart
from schemas.turn import NoteAgent
from tests.fakes import FakeProcesses
from tests.rule_bench import AGENT, SESSION, TURNING, Bench
from tests.test_simulation import task
from tests.troubled import events_of, say, world_of
from tests.world import crew_of, serve


def test_whoever_takes_over_from_one_that_may_live_begins_a_session_of_its_own() -> None:
    # The other one, when it wakes, ends whatever bears its session's id.
    carried = []
    for expired in (True, False):
        bench = Bench(*TURNING)
        bench.do(NoteAgent, process=AGENT)
        bench.do(InterruptAttempt, lease_expired=expired)
        carried.append(bench.state(ATTEMPT).carry)
    assert carried == [None, SESSION]


def test_an_idle_service_claims_nothing_once_another_one_has_started() -> None:
    world = world_of(a=task("alpha"))

    async def main() -> None:
        crew = crew_of(world)
        for _ in range(3):
            await crew.intake.scan()
        await crew.policies.drain()
        for pid in (crew.processes.own().pid, 99):
            process = crew.processes.own().model_copy(update={"pid": pid})
            start = NoteStart(**crew.stamp("service"), version="0", process=process, workers=1, drain=False)
            await crew.dispatch(start)
        with pytest.raises(Fenced), trio.fail_after(60):
            await crew.claims.next("w1")

    trio.run(main, clock=MockClock(autojump_threshold=0))
    assert not events_of(world, names.TASK_CLAIMED)


def test_what_a_stopped_service_would_give_back_is_rejected_where_it_was_taken_away() -> None:
    world = world_of(a=task("alpha slowly"))

    async def main() -> None:
        supervisor = Supervisor(crew_of(world))  # deaf: it may be stopped before it hears of it
        async with trio.open_nursery() as nursery:
            nursery.start_soon(supervisor.run)
            await trio.sleep_until(20)
            taken = {"task_id": "a", "attempt": 1, "reason": "thought dead", "lease_expired": True}
            say(world, InterruptAttempt, "i", **taken)
            for _ in range(2):
                supervisor.stop("at once")

    try:
        trio.run(main, clock=MockClock(autojump_threshold=0))
    except ExceptionGroup as heard:
        assert heard.split(Fenced)[1] is None
    (stale,) = events_of(world, names.STALE_RESULT_REJECTED)
    assert stale.data["attempt"] == 1
    assert len(events_of(world, names.TASK_INTERRUPTED)) == 1


@dataclass
class Counting(MemoryLog):
    """Calls `then` after so many appends."""

    left: int
    then: Callable[[], None]

    def __post_init__(self) -> None:
        super().__init__()

    def append(self, stream: str, events: Sequence[Event], expected: int) -> tuple[Place, ...]:
        places = super().append(stream, events, expected)
        self.left -= 1
        if self.left == 0:
            self.then()
        return places


@pytest.mark.parametrize("count", range(1, 26))
def test_whenever_a_service_is_stopped_at_once_it_calls_nothing_of_its_own_stale(count: int) -> None:
    world = world_of(a=task("alpha"))
    stopped: list[Supervisor] = []

    def stop() -> None:
        for _ in range(2):
            stopped[0].stop("at once")

    world.log = Counting(count, stop)

    async def main() -> None:
        stopped.append(Supervisor(crew_of(world), 60.0))
        await stopped[0].run()

    trio.run(main, clock=MockClock(autojump_threshold=0))
    assert not events_of(world, names.STALE_RESULT_REJECTED)
    assert not world.alive
    world.restart()
    assert serve(world)
    assert len(events_of(world, names.TASK_SUCCEEDED)) == 1


@dataclass
class Rival(FakeProcesses):
    """While an agent is being ended, somebody else closes its attempt."""

    def __post_init__(self) -> None:
        self.closed = 0

    async def kill(self, process: ProcessIdentity | None, session_id: str | None) -> bool:
        lived = await super().kill(process, session_id)
        self.closed += 1
        attempt = events_of(self.world, names.TASK_CLAIMED)[-1].data["attempt"]
        say(self.world, InterruptAttempt, f"rival-{attempt}", task_id="a", attempt=attempt)
        return lived


def test_an_attempt_that_another_one_closes_meanwhile_is_not_closed_twice() -> None:
    whole, closed = world_of(a=task("alpha")), 0
    assert serve(whole)
    for point in range(1, whole.appends + 1):
        world = world_of(a=task("alpha"))
        world.crash_at = point
        assert not serve(world)
        world.restart()
        rival = Rival(world)
        assert serve(world, processes=rival), f"after a crash at append {point}"
        assert len(events_of(world, names.TASK_INTERRUPTED)) <= 1
        assert len(events_of(world, names.TASK_SUCCEEDED)) == 1
        assert not events_of(world, names.AUTOMATION_RESTARTED)
        closed += rival.closed
    assert closed > 1
