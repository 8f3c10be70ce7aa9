"""A line becomes a CloudEvent and the same line again, and the official SDK reads what lies between."""

from datetime import datetime
from pathlib import Path

import orjson
import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_http_event
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from hypothesis import assume, given

from eventstore.cloud_event import ATTRIBUTES, NUMBERS, TEXTS, NoCloudEvent, cloud_event, line_of
from eventstore.event import Event
from eventstore.line import KEYS, render
from tests.exported import lines_of, told
from tests.log_contract import fact
from tests.test_line import events, places, texts


def line(event: Event, stream: str = "a-1", global_position: int = 7, position: int = 3) -> bytes:
    return render(stream, event).splice(global_position, position)


@given(stream=texts, event=events, global_position=places, position=places)
def test_each_line_comes_back_byte_for_byte(
    stream: str, event: Event, global_position: int, position: int
) -> None:
    assume(all((stream, event.type, event.actor, event.source)))
    assume(event.correlation_id != "" and event.causation_id != "")
    stored = line(event, stream, global_position, position)
    told = cloud_event(stored)
    assert b"\n" not in told
    assert line_of(told) == stored


def test_every_key_of_a_line_has_its_attribute() -> None:
    assert {*TEXTS.values(), *NUMBERS.values(), "data"} == KEYS


def test_an_event_is_named_in_the_words_of_the_specification() -> None:
    found = orjson.loads(cloud_event(line(fact(5, correlation_id=None))))
    assert found == {
        "specversion": "1.0",
        "id": fact(5).id,
        "source": "urn:test:1",
        "type": "thing_happened",
        "subject": "a-1",
        "time": "2027-01-15T08:00:00.000005Z",
        "datacontenttype": "application/json",
        "data": {"number": 5, "words": ["ä", "b"]},
        "sequence": "0000000000000000007",
        "streamposition": "3",
        "dataversion": "1",
        "actor": "cli:ada",
        "causationid": "c-1",
    }
    assert all(name.isascii() and name.isalnum() and name.islower() for name in found)
    assert max(map(len, found)) <= 20


def test_sequences_sort_as_texts() -> None:
    found = [orjson.loads(cloud_event(line(fact(), global_position=n)))["sequence"] for n in (9, 10, 2**62)]
    assert found == sorted(found)


def test_the_official_sdk_reads_what_a_log_says(tmp_path: Path) -> None:
    """And writes it again so that the same line comes out."""
    stored = [one.rstrip(b"\n") for one in lines_of(told(tmp_path))]
    for one in stored:
        told_as = cloud_event(one)
        envelope = orjson.loads(one)
        event = JSONFormat().read(None, told_as)
        assert isinstance(event, CloudEvent)
        assert (event.get_id(), event.get_source(), event.get_type()) == (
            envelope["id"],
            envelope["source"],
            envelope["type"],
        )
        assert (event.get_subject(), event.get_time()) == (
            envelope["stream"],
            datetime.fromisoformat(envelope["time"]),
        )
        assert event.get_data() == envelope["data"]
        assert event.get_extension("sequence") == f"{envelope['global_position']:019d}"
        assert event.get_extension("correlationid") == envelope["correlation_id"]
        again = from_http_event(
            HTTPMessage(headers={"content-type": "application/cloudevents+json"}, body=told_as)
        )
        assert (again.get_id(), again.get_attributes()) == (event.get_id(), event.get_attributes())


@pytest.mark.parametrize("empty", ["type", "actor", "source", "correlation_id"])
def test_an_empty_attribute_is_refused(empty: str) -> None:
    with pytest.raises(NoCloudEvent, match=f"its {empty} is empty"):
        cloud_event(line(fact(1, **{empty: ""})))


GOOD = orjson.loads(cloud_event(line(fact(1))))
BAD = {
    "no JSON": b"{",
    "no event of CloudEvents 1.0": orjson.dumps({**GOOD, "specversion": "0.3"}),
    "it lacks the attribute sequence": orjson.dumps({k: v for k, v in GOOD.items() if k != "sequence"}),
    "it has the attribute traceparent": orjson.dumps({**GOOD, "traceparent": "00"}),
    "its datacontenttype is not application/json": orjson.dumps({**GOOD, "datacontenttype": "text/plain"}),
    "its sequence is not the number": orjson.dumps({**GOOD, "sequence": "7"}),
    "its streamposition is not the number": orjson.dumps({**GOOD, "streamposition": "03"}),
    "its dataversion is not the number": orjson.dumps({**GOOD, "dataversion": 1}),
    "no event of CloudEvents": b"[]",
}


@pytest.mark.parametrize("why", BAD)
def test_what_is_no_event_of_ours_is_refused(why: str) -> None:
    with pytest.raises(NoCloudEvent, match=why):
        line_of(BAD[why])


def test_an_attribute_that_is_absent_is_null_in_the_line() -> None:
    event = {name: value for name, value in GOOD.items() if name not in ("correlationid", "causationid")}
    envelope = orjson.loads(line_of(orjson.dumps(event)))
    assert (envelope["correlation_id"], envelope["causation_id"]) == (None, None)
    assert event.keys() <= ATTRIBUTES
