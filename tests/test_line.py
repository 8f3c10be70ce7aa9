"""A spliced line is what orjson makes of the whole envelope; ids follow from what they are made of."""

from collections import UserString
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, IntEnum
from types import MappingProxyType
from typing import Any
from uuid import UUID, uuid5

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventstore.event import Event
from eventstore.ids import FOLLOWING, command_event_id, following_id, uuid7
from eventstore.line import NotALine, parse, render
from eventstore.log import Unrecordable
from eventstore.moment import rfc3339
from tests.log_contract import START, fact

texts = st.text(st.characters(codec="utf-8"), max_size=12)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
events = st.builds(
    Event,
    id=st.uuids().map(str),
    type=texts,
    data=st.dictionaries(texts, values, max_size=5),
    time=st.integers(0, 253_402_300_799_999_999),
    actor=texts,
    source=texts,
    correlation_id=st.none() | texts,
    causation_id=st.none() | texts,
    schema=st.integers(1, 99),
)
places = st.integers(0, 2**63 - 1)


def envelope(stream: str, event: Event, global_position: int, position: int) -> dict[str, Any]:
    return {
        "global_position": global_position,
        "stream": stream,
        "position": position,
        "id": event.id,
        "type": event.type,
        "schema": event.schema,
        "time": rfc3339(event.time),
        "source": event.source,
        "actor": event.actor,
        "correlation_id": event.correlation_id,
        "causation_id": event.causation_id,
        "data": event.data,
    }


@given(stream=texts, event=events, global_position=places, position=places)
def test_a_spliced_line_equals_the_whole_envelope_rendered_at_once(
    stream: str, event: Event, global_position: int, position: int
) -> None:
    line = render(stream, event).splice(global_position, position)
    whole = envelope(stream, event, global_position, position)
    assert line == orjson.dumps(whole, option=orjson.OPT_SORT_KEYS)
    assert b"\n" not in line
    found = parse(line)
    assert (found.stream, found.global_position, found.position) == (stream, global_position, position)
    assert (found.time, found.data, found.line) == (event.time, event.data, line)


class Colour(Enum):
    RED = "red"


class Number(IntEnum):
    ONE = 1


@dataclass
class Thing:
    name: str


def nested(depth: int) -> list[Any]:
    inner: list[Any] = []
    for _ in range(depth):
        inner = [inner]
    return inner


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("-inf"),
        2**63,
        2**64 - 1,
        -(2**63) - 1,
        "\udfff",
        b"bytes",
        {1, 2},
        datetime(2026, 1, 1, tzinfo=UTC),
        UUID(int=1),
        Colour.RED,
        Thing("x"),
        UserString("x"),
        MappingProxyType({}),
        {2: "two"},
        {None: 1},
        {"\ud800": 1},
        complex(1, 2),
        nested(250),
        nested(5000),
    ],
)
def test_what_json_cannot_say_is_refused_and_never_becomes_null(value: object) -> None:
    with pytest.raises(Unrecordable, match=r"^data\.outer\[1\]"):
        render("a-1", fact(0, data={"outer": ["fine", value]}))


def test_a_refusal_tells_the_whole_path() -> None:
    with pytest.raises(Unrecordable, match=r"^data\.steps\[2\]\.cost: nan is no JSON number$"):
        render("a-1", fact(0, data={"steps": [{}, {}, {"cost": float("nan")}]}))


@pytest.mark.parametrize("field", ["actor", "source", "type", "id", "correlation_id", "causation_id"])
def test_half_a_surrogate_pair_is_refused_in_the_envelope_too(field: str) -> None:
    changes: dict[str, Any] = {field: "\ud800"}
    with pytest.raises(Unrecordable, match=rf"^{field}: "):
        render("a-1", fact(0)._replace(**changes))


def test_half_a_surrogate_pair_is_refused_in_the_streams_name() -> None:
    with pytest.raises(Unrecordable, match=r"^stream: "):
        render("a-\ud800", fact(0))


@pytest.mark.parametrize("time", [-1, 253_402_300_800_000_000, 2**70])
def test_a_time_that_rfc_3339_cannot_say_is_refused(time: int) -> None:
    with pytest.raises(Unrecordable, match=r"^time: "):
        render("a-1", fact(0, time=time))


def test_a_mapping_a_tuple_and_numbers_by_name_are_taken_for_what_they_are() -> None:
    event = fact(0, data=MappingProxyType({"pair": (1, 2), "number": Number.ONE, "deep": nested(150)}))
    assert parse(render("a-1", event).splice(1, 0)).data == {"pair": [1, 2], "number": 1, "deep": nested(150)}


@pytest.mark.parametrize(
    "change",
    [
        {"position": "0"},
        {"global_position": True},
        {"time": "yesterday"},
        {"stream": None},
        {"extra": 1},
    ],
)
def test_what_is_no_event_is_no_line(change: Mapping[str, Any]) -> None:
    whole = {**envelope("a-1", fact(0), 1, 0), **change}
    with pytest.raises(NotALine):
        parse(orjson.dumps(whole))


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"null", b"{}", b"\xff", b"\0\0\0"])
def test_what_is_no_json_object_is_no_line(text: bytes) -> None:
    with pytest.raises(NotALine):
        parse(text)


def test_the_ids_of_a_commands_events_follow_from_it() -> None:
    command = "0190c2a4-7c6b-7000-8000-000000000001"
    assert command_event_id(command, 0) == command_event_id(command, 0)
    assert UUID(command_event_id(command, 0)).version == 5
    found = {
        command_event_id(name, index) for name in (command, "release:x", "release:y") for index in (0, 1)
    }
    assert len(found) == 6
    assert following_id(command, "note") not in found


@given(command=st.uuids().map(str) | st.text(st.characters(codec="utf-8"), max_size=40), name=texts)
def test_an_id_that_follows_is_a_uuid5(command: str, name: str) -> None:
    try:
        namespace = UUID(command)
    except ValueError:
        namespace = uuid5(FOLLOWING, command)
    assert following_id(command, name) == str(uuid5(namespace, name))
    assert command_event_id(command, 3) == str(uuid5(namespace, "3"))


@given(
    earlier=st.integers(0, 2**47 * 1000),
    later=st.integers(0, 2**47 * 1000),
    chance=st.binary(min_size=8, max_size=12),
    other=st.binary(min_size=8, max_size=12),
)
def test_a_uuid7_sorts_by_its_time_and_is_its_arguments_alone(
    earlier: int, later: int, chance: bytes, other: bytes
) -> None:
    made = UUID(uuid7(earlier, chance))
    assert (made.version, made.variant) == (7, "specified in RFC 4122")
    assert made.int >> 80 == earlier // 1000
    assert str(made) == uuid7(earlier, chance)
    if earlier < later:
        assert uuid7(earlier, chance)[:18] <= uuid7(later, other)[:18]


def test_a_uuid7_needs_enough_chance_and_a_time_that_it_can_hold() -> None:
    with pytest.raises(ValueError, match="random bytes"):
        uuid7(START, b"1234567")
    with pytest.raises(ValueError, match="time"):
        uuid7(-1, b"12345678")
    with pytest.raises(ValueError, match="time"):
        uuid7(2**48 * 1000, b"12345678")
