"""A log that no secret reaches: strings of a payload are redacted before the append, and that is noted."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any, Final, Protocol

from eventstore.event import ANY, Event, Place, Recorded
from eventstore.ids import following_id
from eventstore.line import DEEPEST
from eventstore.log import Append, Log, Outcome, Unrecordable, WrongExpectedVersion


class Redact(Protocol):
    """The last two give the text without its secrets, and how often each pattern was found."""

    def is_clean(self, texts: Collection[str], keys: Collection[str]) -> bool:
        """Whether none of the texts, some of which stand under `keys`, needs to be looked at by itself.

        One look for all of an event: most have no secret.
        """
        ...

    def text(self, text: str) -> tuple[str, dict[str, int]]: ...

    def pair(self, key: str, value: str) -> tuple[str, dict[str, int]]:
        """A value that stands under a key, which may say that it is a secret."""
        ...


Note = Callable[[Event, Mapping[str, int]], Event]
"""Makes the event which says that the given one (redacted already) held secrets: pattern → count.

Its id is replaced by one that follows from the event's, so that a repeat stays a repeat.
"""


_HOLDERS: Final = (dict, list, tuple)


@dataclass(frozen=True, slots=True)
class _Clean:
    """A wish without its secrets, and the notes that are appended behind it."""

    wish: Append
    notes: Sequence[Event]

    @property
    def with_notes(self) -> Append:
        return self.wish._replace(events=[*self.wish.events, *self.notes]) if self.notes else self.wish


class Redacting:
    """Wraps any Log. Only string values of `data` are touched: no key, no envelope.

    The notes stand behind the caller's events in the same append; only the caller's places are returned.
    """

    def __init__(self, log: Log, redact: Redact, note: Note) -> None:
        self._log = log
        self._redact = redact
        self._note = note

    def append(self, stream: str, events: Sequence[Event], expected: int) -> tuple[Place, ...]:
        """See Log.append."""
        (outcome,) = self.append_group([Append(stream, events, expected)])
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def append_group(self, wishes: Sequence[Append]) -> list[Outcome]:
        """See Log.append_group."""
        outcomes: list[Outcome | None] = [None] * len(wishes)
        clean: dict[int, _Clean] = {}
        for index, wish in enumerate(wishes):
            try:
                clean[index] = self._without_secrets(wish)
            except Unrecordable as refusal:
                outcomes[index] = refusal
        found = self._log.append_group([one.with_notes for one in clean.values()])
        for (index, one), outcome in zip(clean.items(), found, strict=True):
            outcomes[index] = self._told(one, outcome)
        return [outcome for outcome in outcomes if outcome is not None]

    def _told(self, one: _Clean, outcome: Outcome) -> Outcome:
        """The outcome for the caller, who knows of no notes."""
        wish = one.wish
        missed = isinstance(outcome, WrongExpectedVersion) and outcome.actual >= wish.expected
        if missed and one.notes and wish.expected != ANY:
            # Other patterns at the first time made other notes: the caller's own events tell a repeat.
            (outcome,) = self._log.append_group([wish])
        return outcome if isinstance(outcome, Exception) else outcome[: len(wish.events)]

    def _without_secrets(self, wish: Append) -> _Clean:
        clean: list[Event] = []
        notes: list[Event] = []
        for event in wish.events:
            texts: list[str] = []
            keys: set[str] = set()
            _gather(dict(event.data), None, texts, keys, 0)
            if self._redact.is_clean(texts, keys):
                clean.append(event)
                continue
            found: Counter[str] = Counter()
            data = self._clean(dict(event.data), None, found, 0)
            clean.append(event._replace(data=data) if found else event)
            if found:
                note = self._note(clean[-1], dict(sorted(found.items())))
                notes.append(note._replace(id=following_id(event.id, "redacted")))
        return _Clean(wish._replace(events=clean) if notes else wish, notes)

    def stream(self, name: str, after: int = -1) -> Iterator[Recorded]:
        """See Log.stream."""
        return self._log.stream(name, after)

    def all(
        self, after: int = 0, upto: int | None = None, types: frozenset[str] | None = None
    ) -> Iterator[Recorded]:
        """See Log.all."""
        return self._log.all(after, upto, types)

    def head(self) -> int:
        """See Log.head."""
        return self._log.head()

    def position_at(self, time: int) -> int:
        """See Log.position_at."""
        return self._log.position_at(time)

    def close(self) -> None:
        """Close the log within."""
        self._log.close()

    def _clean(self, value: Any, key: str | None, found: Counter[str], depth: int) -> Any:
        """The value without secrets; what is no JSON is left for the log to refuse."""
        if depth > DEEPEST:
            raise Unrecordable(f"data: nested deeper than {DEEPEST} levels")
        if isinstance(value, str):
            text, counts = self._redact.text(value) if key is None else self._redact.pair(key, value)
            found.update(counts)
            return text if counts else value
        if isinstance(value, dict):
            return {
                name: self._clean(held, name if isinstance(name, str) else None, found, depth + 1)
                for name, held in value.items()
            }
        if isinstance(value, list) or type(value) is tuple:
            return [self._clean(held, key, found, depth + 1) for held in value]
        return value


def _gather(value: Any, key: str | None, texts: list[str], keys: set[str], depth: int) -> None:
    """Every string in a dictionary or list, and the keys that strings stand under. Raises Unrecordable."""
    if depth > DEEPEST:
        raise Unrecordable(f"data: nested deeper than {DEEPEST} levels")
    named = isinstance(value, dict)
    for name, held in value.items() if named else zip(repeat(key), value):
        if isinstance(held, str):
            texts.append(held)
            if type(name) is str:
                keys.add(name)
        elif isinstance(held, _HOLDERS):
            _gather(held, name if isinstance(name, str) else None, texts, keys, depth + 1)
