"""The SQLite log beside the log in memory: the same answers and the same bytes, whatever comes."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from eventstore.event import ANY, NO_STREAM, Event
from eventstore.log import Append, Log, Outcome, Unrecordable, WrongExpectedVersion
from eventstore.memory_log import MemoryLog
from eventstore.sqlite import heads as sqlite_heads
from eventstore.sqlite.log import SqliteLog
from eventstore.text.mirror import Mirror
from tests.log_contract import START, fact

streams = st.sampled_from(["a-1", "a-2", "b-1"])
TYPES = ["one_done", "two_done", "three_done"]
SOME_TYPES = st.none() | st.frozensets(st.sampled_from(TYPES))


def as_said(outcome: Outcome) -> object:
    """An outcome that can be compared."""
    if isinstance(outcome, WrongExpectedVersion):
        return "wrong", outcome.expected, outcome.actual
    return str(outcome) if isinstance(outcome, Exception) else outcome


class Beside(RuleBasedStateMachine):
    """Two SQLite logs on one file take turns; a model in memory says what is right."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="log-machine-"))
        self.path = self.folder / "events.db"
        self.logs = [SqliteLog.create(self.path), SqliteLog(self.path)]
        self.model = MemoryLog()
        self.batches: list[tuple[str, list[Event], int]] = []
        self.made = 0
        self.every = sqlite_heads.CHECKPOINT_EVERY

    @initialize(every=st.sampled_from([1, 2, 7, 4096]))
    def heads_are_saved(self, every: int) -> None:
        sqlite_heads.CHECKPOINT_EVERY = every  # type: ignore[misc]

    def teardown(self) -> None:
        sqlite_heads.CHECKPOINT_EVERY = self.every  # type: ignore[misc]
        for log in self.logs:
            log.close()
        shutil.rmtree(self.folder)

    def events(self, count: int, type: str, back: int) -> list[Event]:
        self.made += count
        return [
            fact(number, type, time=START + number * 10 - back)
            for number in range(self.made - count, self.made)
        ]

    def both(self, turn: int, do: Callable[[Log], Any]) -> None:
        answers = []
        for log in (self.model, self.logs[turn]):
            try:
                answers.append(do(log))
            except WrongExpectedVersion as refusal:
                answers.append(("wrong", refusal.expected, refusal.actual))
            except Unrecordable as refusal:
                answers.append(("unrecordable", str(refusal)))
        assert answers[0] == answers[1]

    @rule(
        turn=st.integers(0, 1),
        stream=streams,
        count=st.integers(1, 4),
        type=st.sampled_from(TYPES),
        back=st.integers(0, 50),
        how=st.sampled_from(["right", "any", "none", "before", "beyond"]),
    )
    def append(self, turn: int, stream: str, count: int, type: str, back: int, how: str) -> None:
        head = len(list(self.model.stream(stream))) - 1
        expected = {
            "right": head,
            "any": ANY,
            "none": NO_STREAM,
            "before": max(-1, head - 1),
            "beyond": head + 2,
        }
        events = self.events(count, type, back)
        self.batches.append((stream, events, expected[how]))
        self.both(turn, lambda log: log.append(stream, events, expected[how]))

    @precondition(lambda self: self.batches)
    @rule(turn=st.integers(0, 1), data=st.data())
    def append_again(self, turn: int, data: st.DataObject) -> None:
        stream, events, expected = data.draw(st.sampled_from(self.batches))
        expected = data.draw(st.sampled_from([expected, expected, ANY, NO_STREAM]))
        shortened = events[data.draw(st.integers(0, len(events))) :]
        events = data.draw(st.sampled_from([events, events, shortened]))
        self.both(turn, lambda log: log.append(stream, events, expected))

    @precondition(lambda self: self.batches)
    @rule(turn=st.integers(0, 1), data=st.data(), size=st.integers(1, 6))
    def append_a_group(self, turn: int, data: st.DataObject, size: int) -> None:
        """New events, repeats and refusals side by side, as several callers bring them at once."""
        wishes = []
        for _ in range(size):
            if data.draw(st.booleans()):
                wishes.append(Append(*data.draw(st.sampled_from(self.batches))))
                continue
            stream = data.draw(streams)
            head = len(list(self.model.stream(stream))) - 1
            expected = data.draw(st.sampled_from([ANY, head, head + 1]))
            bad = [fact(-1, data={"n": float("inf")})] if data.draw(st.integers(0, 9)) == 0 else []
            events = [*self.events(data.draw(st.integers(0, 3)), TYPES[1], 0), *bad]
            wishes.append(Append(stream, events, expected))
        self.both(turn, lambda log: [as_said(outcome) for outcome in log.append_group(wishes)])

    @rule(turn=st.integers(0, 1), stream=streams, count=st.integers(60, 70))
    def append_many(self, turn: int, stream: str, count: int) -> None:
        events = self.events(count, TYPES[0], 0)
        self.batches.append((stream, events[:2], ANY))
        self.both(turn, lambda log: log.append(stream, events, ANY))

    @rule(turn=st.integers(0, 1), stream=streams)
    def append_what_is_no_json(self, turn: int, stream: str) -> None:
        events = [*self.events(1, TYPES[0], 0), fact(-1, data={"n": float("inf")})]
        self.both(turn, lambda log: log.append(stream, events, ANY))

    @rule(turn=st.integers(0, 1))
    def open_again(self, turn: int) -> None:
        self.logs[turn].close()
        self.logs[turn] = SqliteLog(self.path)

    @rule(
        turn=st.integers(0, 1),
        after=st.integers(0, 300),
        more=st.none() | st.integers(0, 99),
        types=SOME_TYPES,
    )
    def read_all(self, turn: int, after: int, more: int | None, types: frozenset[str] | None) -> None:
        upto = None if more is None else after + more
        self.both(turn, lambda log: list(log.all(after, upto, types)))

    @rule(turn=st.integers(0, 1), stream=streams, after=st.integers(-1, 100))
    def read_stream(self, turn: int, stream: str, after: int) -> None:
        self.both(turn, lambda log: list(log.stream(stream, after)))

    @rule(turn=st.integers(0, 1), time=st.integers(-60, 3000))
    def ask_for_a_time(self, turn: int, time: int) -> None:
        self.both(turn, lambda log: log.position_at(START + time))

    @rule(turn=st.integers(0, 1))
    def mirror(self, turn: int) -> None:
        mirror = Mirror(self.folder / "events.ndjson", self.logs[turn])
        mirror.catch_up()
        assert mirror.path.read_bytes() == b"".join(event.line + b"\n" for event in self.model.all())

    @invariant()
    def heads_and_counts_are_equal(self) -> None:
        for log in self.logs:
            assert log.head() == self.model.head()
            assert log.count_types() == self.model.count_types()


Beside.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestBeside = Beside.TestCase
