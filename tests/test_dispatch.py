"""Dispatch: load, decide, append; decide again when somebody was faster; twice is once."""

from collections.abc import Awaitable, Callable, Sequence

import pytest
import trio

from eventstore.event import ANY, Event, Place, Recorded
from eventstore.ids import command_event_id
from eventstore.log import WrongExpectedVersion
from eventstore.memory_log import MemoryLog
from handlers import dispatch as dispatching
from handlers.attempt import ATTEMPT
from handlers.decider import Refused
from handlers.deciders import DECIDERS
from handlers.dispatch import TRIES, AsyncDispatch, Dispatch
from handlers.task import TASK
from schemas.attempt import ClaimTask, InterruptAttempt, StartStep
from schemas.files import RecordArtifact
from schemas.service import CreateHome, NoteStop
from schemas.task import CancelTask, QueueTask, ReceiveTask, RecordArchived, RefuseTask
from schemas.turn import NoteTool
from schemas.word import Command
from tests.rule_bench import OWN, RUNNING, SHA, STATUSES, STREAM, TURNING, Bench, queued, received

SOURCE = "urn:evt:bench"


class ContestedLog(MemoryLog):
    """Somebody else is faster: before each of the next `rivals` appends one of theirs comes in."""

    def __init__(self, rival: Callable[[], Event]) -> None:
        super().__init__()
        self.rivals = 0
        self.tried = 0
        self._rival = rival

    def append(self, stream: str, events: Sequence[Event], expected: int) -> tuple[Place, ...]:
        self.tried += 1
        if self.rivals:
            self.rivals -= 1
            super().append(stream, [self._rival()], ANY)
        return super().append(stream, events, expected)


class AsyncMemoryLog:
    """The log as the service sees it. Readers may be held up at a gate."""

    def __init__(self, log: MemoryLog) -> None:
        self.log = log
        self.gate: Callable[[], Awaitable[None]] = trio.lowlevel.checkpoint

    async def append(self, stream: str, events: Sequence[Event], expected: int) -> tuple[Place, ...]:
        await trio.lowlevel.checkpoint()
        return self.log.append(stream, events, expected)

    async def read_stream(self, name: str, after: int) -> list[Recorded]:
        found = list(self.log.stream(name, after))
        await self.gate()
        return found

    async def read_all(self, after: int, limit: int) -> list[Recorded]:
        await trio.lowlevel.checkpoint()
        return list(self.log.all(after))[:limit]


Ask = Callable[[MemoryLog, Command], tuple[Place, ...]]


def directly(log: MemoryLog, command: Command) -> tuple[Place, ...]:
    return Dispatch(log, SOURCE, DECIDERS)(command)


def by_the_service(log: MemoryLog, command: Command) -> tuple[Place, ...]:
    return trio.run(AsyncDispatch(AsyncMemoryLog(log), SOURCE, DECIDERS), command)


BOTH = pytest.mark.parametrize("ask", [directly, by_the_service])


def contested(rivals: int, rival_type: str = "step_started") -> tuple[Bench, ContestedLog]:
    """A running task, and a rival that writes into its stream."""
    bench = Bench()
    made = iter(range(1000))

    def rival() -> Event:
        died = {"worker_died": False, "agent_died": False, "owes_checks": False}
        data = {"attempt": 1, "phase": "agent", "reason": "no", **died}
        return Event(f"rival-{next(made)}", rival_type, data, 1, "cli:eve", SOURCE)

    log = ContestedLog(rival)
    bench.log, bench.dispatch = log, Dispatch(log, SOURCE, DECIDERS)
    bench.given(*RUNNING)
    log.rivals, log.tried = rivals, 0
    return bench, log


def test_an_event_bears_its_command_s_time_actor_and_cause() -> None:
    bench = Bench()
    command = bench.command(ReceiveTask, time=77, actor="cli:eve", causation_id="0190-cause")
    (place,) = bench.dispatch(command)
    (event,) = bench.log.all()
    assert (place.global_position, place.position) == (event.global_position, event.position) == (1, 0)
    assert event.envelope["id"] == command_event_id(command.command_id, 0)
    assert (event.time, event.actor, event.envelope["source"]) == (77, "cli:eve", SOURCE)
    assert (event.correlation_id, event.envelope["causation_id"]) == (STREAM, "0190-cause")


def test_a_command_without_a_cause_is_the_cause() -> None:
    bench = Bench()
    command = bench.command(ReceiveTask)
    bench.dispatch(command)
    assert next(bench.log.all()).envelope["causation_id"] == command.command_id


def test_a_refusal_leaves_the_log_alone() -> None:
    bench = Bench(received())
    with pytest.raises(Refused):
        bench.do(ReceiveTask)
    assert bench.log.head() == 1


def test_a_command_that_nobody_decides_is_a_bug() -> None:
    with pytest.raises(KeyError):
        Dispatch(MemoryLog(), SOURCE, {})(Bench().command(QueueTask))


@BOTH
def test_a_command_that_changes_nothing_appends_nothing(ask: Ask) -> None:
    bench = Bench(received(), queued())
    assert ask(bench.log, bench.command(QueueTask)) == ()
    assert bench.log.head() == 2


@BOTH
@pytest.mark.parametrize("lost", [0, 1, TRIES - 1])
def test_who_was_slower_decides_again(ask: Ask, lost: int) -> None:
    bench, log = contested(lost)
    (place,) = ask(log, bench.command(NoteTool))
    assert log.tried == lost + 1
    assert place.position == len(RUNNING) + lost


@BOTH
def test_who_was_slower_eight_times_gives_up(ask: Ask) -> None:
    bench, log = contested(TRIES)
    with pytest.raises(WrongExpectedVersion):
        ask(log, bench.command(NoteTool))
    assert log.tried == TRIES == 8
    assert "tool_used" not in bench.types


@BOTH
def test_the_second_decision_sees_what_the_faster_one_did(ask: Ask) -> None:
    bench, log = contested(1, "task_interrupted")
    with pytest.raises(Refused) as refused:
        ask(log, bench.command(NoteTool))
    assert refused.value.code == "stale"
    assert log.tried == 1


TWICE = [
    ((), ReceiveTask),
    (STATUSES["received"], QueueTask),
    (STATUSES["queued"], ClaimTask),
    (STATUSES["queued"], CancelTask),
    (RUNNING, StartStep),
    (RUNNING, InterruptAttempt),
    (TURNING, NoteTool),
    (STATUSES["succeeded"], RecordArtifact),
    (STATUSES["succeeded"], RecordArchived),
]


@pytest.mark.parametrize(("facts", "kind"), TWICE)
@BOTH
def test_the_same_command_twice_is_once(ask: Ask, facts: tuple[object, ...], kind: type[Command]) -> None:
    bench = Bench(*facts)  # type: ignore[arg-type]
    command = bench.command(kind)
    first = ask(bench.log, command)
    head = bench.log.head()
    assert first
    assert ask(bench.log, command) == first, "the answer is where the events stand"
    assert bench.log.head() == head


@BOTH
def test_a_note_given_twice_is_once(ask: Ask) -> None:
    bench = Bench()
    stop = bench.command(NoteStop, process=OWN, reason="told to")
    other = bench.command(NoteStop, process=OWN, reason="told to")
    assert ask(bench.log, stop) == ask(bench.log, stop)
    assert ask(bench.log, other) != ask(bench.log, stop)
    assert bench.types == ["orchestrator_stopped"] * 2


def test_all_events_of_a_command_given_twice_are_named() -> None:
    bench = Bench(*RUNNING)
    bench.do(CancelTask)
    command = bench.command(InterruptAttempt)
    first = bench.dispatch(command)
    assert len(first) == 2
    assert bench.dispatch(command) == first


def test_two_commands_that_say_the_same_are_two() -> None:
    bench = Bench(*RUNNING)
    bench.do(StartStep)
    bench.do(StartStep)
    assert bench.types.count("step_started") == 2


def test_a_home_is_made_once() -> None:
    bench = Bench()
    bench.do(CreateHome, home_id="h-1", version="1")
    with pytest.raises(Refused) as refused:
        bench.do(CreateHome, home_id="h-2", version="1")
    assert refused.value.code == "conflict"
    assert "h-1" in refused.value.sentence


def test_a_refused_file_stands_in_the_system_s_stream_under_its_own_story() -> None:
    bench = Bench()
    (event,) = bench.do(
        RefuseTask,
        refused_id="r-1",
        file_name="x.task.md",
        content_sha256=SHA,
        code="empty",
        reason="It is empty.",
        remedy="Write.",
    )
    assert (event.type, event.stream, event.correlation_id) == ("task_refused", "system", "refused-r-1")
    assert event.data["line"] is None


def test_a_receipt_is_given_once_and_only_for_more() -> None:
    bench = Bench(*STATUSES["succeeded"])
    assert len(bench.do(RecordArtifact, upto=4)) == 1
    assert bench.do(RecordArtifact, upto=4) == []
    assert bench.do(RecordArtifact, upto=3) == []
    assert len(bench.do(RecordArtifact, upto=5)) == 1


def test_a_file_that_is_moved_on_is_told_again_and_one_that_stays_is_not() -> None:
    bench = Bench(*STATUSES["succeeded"])
    assert len(bench.do(RecordArchived, path="a", status="queued")) == 1
    assert bench.do(RecordArchived, path="a", status="queued") == []
    assert len(bench.do(RecordArchived, path="b", status="succeeded")) == 1
    assert len(bench.do(RecordArchived, path=None, status="succeeded")) == 1


def test_a_fold_is_kept_and_only_the_tail_is_read() -> None:
    read: list[int] = []

    class Watched(MemoryLog):
        def stream(self, name: str, after: int = -1):  # type: ignore[no-untyped-def]
            read.append(after)
            return super().stream(name, after)

    bench = Bench()
    bench.log = Watched()
    bench.dispatch = Dispatch(bench.log, SOURCE, DECIDERS)
    bench.given(received())
    bench.do(QueueTask)
    bench.do(CancelTask)
    assert read == [-1, 0]
    assert bench.state(TASK).status == "cancelled"
    assert read == [-1, 0, 1]


def test_folds_that_were_forgotten_are_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatching, "CACHED_FOLDS", 1)
    bench = Bench(*RUNNING)
    assert bench.state(TASK).status == "running"
    bench.do(ReceiveTask, task_id="other")
    bench.do(StartStep)
    assert bench.state(TASK) == Bench(*RUNNING).state(TASK)


def test_two_callers_at_once_fold_one_stream_to_the_same_state() -> None:
    bench = Bench(*TURNING)
    log = AsyncMemoryLog(bench.log)
    dispatch = AsyncDispatch(log, SOURCE, DECIDERS)
    found: list[tuple[object, int]] = []

    async def look() -> None:
        found.append(await dispatch.state(ATTEMPT, STREAM))

    async def both() -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(look)

    trio.run(both)
    assert found == [(bench.state(ATTEMPT), len(TURNING) - 1)] * 3


def test_a_fold_that_is_forgotten_while_its_tail_is_read_is_not_begun_in_the_middle(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dispatching, "CACHED_FOLDS", 1)
    bench = Bench(*RUNNING)
    log = AsyncMemoryLog(bench.log)
    dispatch = AsyncDispatch(log, SOURCE, DECIDERS)

    async def story() -> object:
        await dispatch.state(ATTEMPT, STREAM)
        bench.do(StartStep)
        busy = [True]

        async def gate() -> None:
            if busy.pop() if busy else False:
                await dispatch.state(ATTEMPT, "task-other")

        log.gate = gate
        state, _ = await dispatch.state(ATTEMPT, STREAM)
        return state

    assert trio.run(story) == bench.state(ATTEMPT)


def test_a_command_that_waits_for_the_log_is_decided_by_what_came_meanwhile() -> None:
    """Two workers claim at once: one holds the task, the other is refused."""
    bench = Bench(*STATUSES["queued"])
    dispatch = AsyncDispatch(AsyncMemoryLog(bench.log), SOURCE, DECIDERS)
    refused: list[str] = []

    async def claim(worker: str) -> None:
        try:
            await dispatch(bench.command(ClaimTask, worker=worker))
        except Refused as no:
            refused.append(no.code)

    async def both() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(claim, "w1")
            nursery.start_soon(claim, "w2")

    trio.run(both)
    assert bench.types.count("task_claimed") == 1
    assert refused == ["conflict"]
