"""No secret reaches the log; that one was there is noted beside it, and a repeat stays a repeat."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from eventstore.event import ANY, NO_STREAM, Event, Place
from eventstore.log import Unrecordable, WrongExpectedVersion
from eventstore.memory_log import MemoryLog
from eventstore.redaction.patterns import Redactor
from eventstore.redaction.redacting import Redacting
from eventstore.sqlite.log import SqliteLog
from tests.log_contract import LogContract, fact, facts, numbers

SECRET = "a-secret-of-ours"
MARK = "[redacted:known-value]"


made = count()


def note(event: Event, counts: Mapping[str, int]) -> Event:
    """As an application makes it: with an id of its own, which differs each time."""
    data = {"of": event.type, "counts": counts}
    return fact(0, "secret_seen", id=f"random-{next(made)}", data=data)


class TestRedactingMemoryLog(LogContract):
    @pytest.fixture
    def log(self) -> Redacting:
        return Redacting(MemoryLog(), Redactor([SECRET]), note)


class TestRedactingSqliteLog(LogContract):
    @pytest.fixture
    def log(self, tmp_path: Path) -> Iterator[Redacting]:
        log = Redacting(SqliteLog.create(tmp_path / "events.db"), Redactor([SECRET]), note)
        yield log
        log.close()


def leaky(number: int) -> Event:
    return fact(number, data={"number": number, "text": f"it is {SECRET}!"})


def redacting(inner: MemoryLog, values: Sequence[str] = (SECRET,)) -> Redacting:
    return Redacting(inner, Redactor(values), note)


def test_only_string_values_of_the_payload_are_touched() -> None:
    inner = MemoryLog()
    data: dict[str, Any] = {
        "text": SECRET,
        "deep": {"list": ["fine", f"<{SECRET}>", 7, None, True, 1.5]},
        f"key {SECRET}": "value",
    }
    event = fact(1, data=data, actor=f"cli:{SECRET}", correlation_id=SECRET)
    redacting(inner).append("a-1", [event], NO_STREAM)
    kept, _ = inner.all()
    assert kept.data == {
        "text": MARK,
        "deep": {"list": ["fine", f"<{MARK}>", 7, None, True, 1.5]},
        f"key {SECRET}": "value",
    }
    assert (kept.actor, kept.correlation_id, kept.id) == (event.actor, SECRET, event.id)


def test_the_key_of_a_value_may_say_that_it_is_a_secret() -> None:
    inner = MemoryLog()
    data = {"input": {"api_key": "9d8f7a6b5c4e", "api_keys": ["q1w2e3r4"], "name": "9d8f7a6b5c4e"}}
    redacting(inner).append("a-1", [fact(1, data=data)], NO_STREAM)
    kept, noted = inner.all()
    assert kept.data["input"] == {
        "api_key": "[redacted:named-value]",
        "api_keys": ["q1w2e3r4"],
        "name": "9d8f7a6b5c4e",
    }
    assert noted.data["counts"] == {"named-value": 1}


def test_notes_stand_behind_the_batch_and_only_the_callers_places_come_back() -> None:
    inner = MemoryLog()
    log = redacting(inner)
    places = log.append("a-1", [leaky(0), fact(1), leaky(2)], NO_STREAM)
    assert places == (Place(1, 0), Place(2, 1), Place(3, 2))
    assert [event.type for event in inner.all()] == ["thing_happened"] * 3 + ["secret_seen"] * 2
    noted = list(inner.all(types=frozenset({"secret_seen"})))
    assert [event.data for event in noted] == [{"of": "thing_happened", "counts": {"known-value": 1}}] * 2
    assert len({event.id for event in inner.all()}) == 5


def test_what_makes_the_note_never_sees_the_secret() -> None:
    seen: list[Event] = []

    def watching(event: Event, counts: Mapping[str, int]) -> Event:
        seen.append(event)
        return note(event, counts)

    Redacting(MemoryLog(), Redactor([SECRET]), watching).append("a-1", [leaky(3)], ANY)
    (event,) = seen
    assert event.data == {"number": 3, "text": f"it is {MARK}!"}
    assert (event.id, event.actor) == (leaky(3).id, leaky(3).actor)


@pytest.mark.parametrize("expected", [NO_STREAM, ANY])
def test_a_repeat_of_a_batch_with_secrets_is_recognised(expected: int) -> None:
    inner = MemoryLog()
    log = redacting(inner)
    first = log.append("a-1", [leaky(0), leaky(1)], expected)
    log.append("a-1", facts(5), ANY)
    assert log.append("a-1", [leaky(0), leaky(1)], expected) == first
    assert inner.head() == 5


@pytest.mark.parametrize(("before", "after"), [((), (SECRET,)), ((SECRET,), ())])
def test_a_repeat_is_recognised_though_other_values_are_known_by_now(
    before: Sequence[str], after: Sequence[str]
) -> None:
    inner = MemoryLog()
    first = redacting(inner, before).append("a-1", [leaky(0)], NO_STREAM)
    head = inner.head()
    assert redacting(inner, after).append("a-1", [leaky(0)], NO_STREAM) == first
    assert inner.head() == head


@pytest.mark.parametrize("expected", [NO_STREAM, 4])
def test_a_wrong_version_is_refused_though_there_are_notes(expected: int) -> None:
    log = redacting(MemoryLog())
    log.append("a-1", facts(0, 1), NO_STREAM)
    with pytest.raises(WrongExpectedVersion):
        log.append("a-1", [leaky(7)], expected)
    assert numbers(log.all()) == [0, 1]


def test_a_payload_without_end_is_refused() -> None:
    data: dict[str, Any] = {}
    data["again"] = data
    with pytest.raises(Unrecordable, match="deeper"):
        redacting(MemoryLog()).append("a-1", [fact(0, data=data)], ANY)


def test_a_secret_is_found_however_deep_lists_and_maps_stand_in_one_another() -> None:
    inner = MemoryLog()
    data = {"list": [{"inner": SECRET}, [{"list": [{"inner": f"<{SECRET}>"}]}]]}
    redacting(inner).append("s", [fact(1, data=data)], NO_STREAM)
    (event, noted) = inner.all()
    assert SECRET.encode() not in event.line
    assert event.data == {"list": [{"inner": MARK}, [{"list": [{"inner": f"<{MARK}>"}]}]]}
    assert noted.data["counts"] == {"known-value": 2}
