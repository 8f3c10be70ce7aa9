"""Take a command to its stream: load, decide, append; decide again when somebody was faster."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count, islice
from typing import Any

from eventstore.event import ANY, Event, Place, Recorded
from eventstore.ids import command_event_id
from eventstore.log import Log, WrongExpectedVersion
from eventstore.repeats import REMEMBERED
from handlers.decider import Decider
from handlers.ports.log import AsyncLog
from schemas.word import Command, Fact

TRIES = 8
CACHED_FOLDS = 4096

Deciders = Mapping[type[Command], Decider[Any]]


@dataclass(frozen=True, slots=True)
class _Fold:
    """A state, the position of the last event in it, and where the last events stand by their ids."""

    state: Any
    position: int
    recent: Mapping[str, Place] = field(default_factory=dict)

    def places(self, command: Command) -> tuple[Place, ...]:
        """Where the events of this very command stand already, () when it is new."""
        found: list[Place] = []
        for index in count():
            place = self.recent.get(command_event_id(command.command_id, index))
            if place is None:
                break
            found.append(place)
        return tuple(found)


class _Folds:
    """The last fold of each stream; the tail is read anew."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, str], _Fold] = OrderedDict()

    def get(self, decider: Decider[Any], stream: str) -> _Fold:
        return self._kept.get((decider.name, stream)) or _Fold(decider.initial, -1)

    def further(self, decider: Decider[Any], stream: str, fold: _Fold, tail: Iterable[Recorded]) -> _Fold:
        """`fold` and the tail that was read after it, whatever was kept or forgotten meanwhile."""
        state, position, recent = fold.state, fold.position, dict(fold.recent)
        for event in tail:
            state, position = decider.evolve(state, event), event.position
            recent[event.id] = Place(event.global_position, event.position)
        last = islice(recent.items(), max(0, len(recent) - REMEMBERED), None)
        self._kept[decider.name, stream] = fold = _Fold(state, position, dict(last))
        self._kept.move_to_end((decider.name, stream))
        if len(self._kept) > CACHED_FOLDS:
            self._kept.popitem(last=False)
        return fold


def draft(command: Command, facts: Sequence[Fact], source: str) -> list[Event]:
    """Facts as events: their ids follow from the command's, so that twice is once."""
    return [
        Event(
            id=command_event_id(command.command_id, index),
            type=fact.TYPE,
            data=fact.model_dump(mode="json"),
            time=command.time,
            actor=command.actor,
            source=source,
            correlation_id=command.correlation_id,
            causation_id=command.causation_id or command.command_id,
            schema=fact.SCHEMA,
        )
        for index, fact in enumerate(facts)
    ]


class Dispatch:
    """For verbs: the log is used directly.

    Raises Refused when a rule says no, WrongExpectedVersion after 8 lost races.
    """

    def __init__(self, log: Log, source: str, deciders: Deciders) -> None:
        self._log = log
        self._source = source
        self._deciders = deciders
        self._folds = _Folds()

    def state(self, decider: Decider[Any], stream: str) -> tuple[Any, int]:
        """The fold of a stream up to its end, and the position of its last event."""
        fold = self._fold(decider, stream)
        return fold.state, fold.position

    def _fold(self, decider: Decider[Any], stream: str) -> _Fold:
        fold = self._folds.get(decider, stream)
        return self._folds.further(decider, stream, fold, self._log.stream(stream, fold.position))

    def __call__(self, command: Command) -> tuple[Place, ...]:
        decider = self._deciders[type(command)]
        for left in reversed(range(TRIES)):
            fold = self._fold(decider, command.stream) if decider.loads else _Fold(decider.initial, ANY)
            if done := fold.places(command):
                return done
            facts = decider.decide(command, fold.state)
            if not facts:
                return ()
            try:
                return self._log.append(command.stream, draft(command, facts, self._source), fold.position)
            except WrongExpectedVersion:
                if not left:
                    raise
        raise AssertionError("unreachable")


class AsyncDispatch:
    """For the service: the same core, but nobody waits for a disk on the event loop."""

    def __init__(self, log: AsyncLog, source: str, deciders: Deciders) -> None:
        self._log = log
        self._source = source
        self._deciders = deciders
        self._folds = _Folds()

    async def state(self, decider: Decider[Any], stream: str) -> tuple[Any, int]:
        """The fold of a stream up to its end, and the position of its last event."""
        fold = await self._fold(decider, stream)
        return fold.state, fold.position

    async def _fold(self, decider: Decider[Any], stream: str) -> _Fold:
        fold = self._folds.get(decider, stream)
        tail = await self._log.read_stream(stream, fold.position)
        return self._folds.further(decider, stream, fold, tail)

    async def __call__(self, command: Command) -> tuple[Place, ...]:
        decider = self._deciders[type(command)]
        for left in reversed(range(TRIES)):
            fold = _Fold(decider.initial, ANY)
            if decider.loads:
                fold = await self._fold(decider, command.stream)
            if done := fold.places(command):
                return done
            facts = decider.decide(command, fold.state)
            if not facts:
                return ()
            events = draft(command, facts, self._source)
            try:
                return await self._log.append(command.stream, events, fold.position)
            except WrongExpectedVersion:
                if not left:
                    raise
        raise AssertionError("unreachable")
