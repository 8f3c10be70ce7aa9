"""What every Log promises, as one test class that each implementation and wrapper runs."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid5

import orjson
import pytest

from eventstore.event import ANY, NO_STREAM, Event, Place, Recorded
from eventstore.line import KEYS
from eventstore.log import Append, Log, Unrecordable, WrongExpectedVersion

START = 1_800_000_000_000_000
SPACE = UUID("00000000-0000-5000-8000-000000000000")


def fact(number: int = 0, type: str = "thing_happened", **changes: Any) -> Event:
    """An event that is told apart by a number; its time is that many µs after `START`."""
    fields: dict[str, Any] = {
        "id": str(uuid5(SPACE, f"{type}-{number}")),
        "type": type,
        "data": {"number": number, "words": ["ä", "b"]},
        "time": START + number,
        "actor": "cli:ada",
        "source": "urn:test:1",
        "correlation_id": None,
        "causation_id": "c-1",
    }
    return Event(**{**fields, **changes})


def facts(*numbers: int) -> list[Event]:
    return [fact(number) for number in numbers]


def numbers(events: Any) -> list[int]:
    return [event.data["number"] for event in events]


class LogContract:
    """A subclass gives the fixture `log`: an empty log."""

    def test_an_empty_log_has_head_0_and_no_events(self, log: Log) -> None:
        assert log.head() == 0
        assert list(log.all()) == []
        assert list(log.stream("a-1")) == []
        assert log.position_at(START) == 0

    def test_places_are_gapless_from_1_and_from_0_in_each_stream(self, log: Log) -> None:
        assert log.append("a-1", facts(0, 1), NO_STREAM) == (Place(1, 0), Place(2, 1))
        assert log.append("b-1", facts(2), NO_STREAM) == (Place(3, 0),)
        assert log.append("a-1", facts(3), 1) == (Place(4, 2),)
        assert [event.global_position for event in log.all()] == [1, 2, 3, 4]
        assert [event.position for event in log.stream("a-1")] == [0, 1, 2]
        assert log.head() == 4

    def test_an_event_comes_back_as_it_went_in(self, log: Log) -> None:
        event = fact(7, correlation_id="whole-story", schema=3)
        log.append("a-1", [event], NO_STREAM)
        (found,) = log.all()
        assert (found.id, found.type, found.time, found.stream) == (event.id, event.type, event.time, "a-1")
        assert (found.actor, found.correlation_id, found.data) == (event.actor, "whole-story", event.data)
        assert found.envelope["schema"] == 3
        assert found.when == "2027-01-15T08:00:00.000007Z"

    def test_a_line_is_the_sorted_envelope_byte_for_byte(self, log: Log) -> None:
        event = fact(1)
        log.append("a-1", facts(0), NO_STREAM)
        log.append("b-1", [event], NO_STREAM)
        envelope = {
            "global_position": 2,
            "stream": "b-1",
            "position": 0,
            "id": event.id,
            "type": event.type,
            "schema": 1,
            "time": "2027-01-15T08:00:00.000001Z",
            "source": event.source,
            "actor": event.actor,
            "correlation_id": None,
            "causation_id": "c-1",
            "data": event.data,
        }
        assert envelope.keys() == KEYS
        assert [found.line for found in log.stream("b-1")] == [
            orjson.dumps(envelope, option=orjson.OPT_SORT_KEYS)
        ]

    def test_an_append_of_nothing_is_nothing(self, log: Log) -> None:
        assert log.append("a-1", [], NO_STREAM) == ()
        assert log.head() == 0

    @pytest.mark.parametrize("expected", [NO_STREAM, 0, 2, 17])
    def test_a_wrong_expected_version_is_refused_with_the_actual_one(self, log: Log, expected: int) -> None:
        log.append("a-1", facts(0, 1), NO_STREAM)
        with pytest.raises(WrongExpectedVersion) as refusal:
            log.append("a-1", facts(5), expected)
        assert (refusal.value.stream, refusal.value.expected, refusal.value.actual) == ("a-1", expected, 1)
        assert log.head() == 2

    def test_a_stream_that_is_not_there_ends_at_minus_1(self, log: Log) -> None:
        with pytest.raises(WrongExpectedVersion) as refusal:
            log.append("a-1", facts(0), 0)
        assert refusal.value.actual == NO_STREAM

    def test_an_expected_version_below_any_means_nothing(self, log: Log) -> None:
        with pytest.raises(ValueError, match="no expected version"):
            log.append("a-1", facts(0), -3)
        assert log.append("a-1", facts(0), NO_STREAM) == (Place(1, 0),)

    def test_any_appends_wherever_the_stream_ends(self, log: Log) -> None:
        assert log.append("a-1", facts(0), ANY) == (Place(1, 0),)
        assert log.append("a-1", facts(1, 2), ANY) == (Place(2, 1), Place(3, 2))

    def test_a_repeat_is_answered_with_the_places_where_its_events_stand(self, log: Log) -> None:
        log.append("b-1", facts(9), NO_STREAM)
        first = log.append("a-1", facts(0, 1), NO_STREAM)
        log.append("a-1", facts(2), 1)
        assert log.append("a-1", facts(0, 1), NO_STREAM) == first
        assert log.append("a-1", facts(2), 1) == (Place(4, 2),)
        assert log.head() == 4

    def test_what_is_like_a_repeat_but_for_one_id_is_refused(self, log: Log) -> None:
        log.append("a-1", facts(0, 1, 2), NO_STREAM)
        for other in (facts(0, 5), facts(5, 1), facts(1, 2), facts(0, 1, 2, 3)):
            with pytest.raises(WrongExpectedVersion):
                log.append("a-1", other, NO_STREAM)
        assert log.head() == 3

    def test_the_same_ids_in_another_stream_are_no_repeat(self, log: Log) -> None:
        log.append("a-1", facts(0), NO_STREAM)
        assert log.append("b-1", facts(0), NO_STREAM) == (Place(2, 0),)
        assert log.append("c-1", facts(0), ANY) == (Place(3, 0),)

    def test_any_knows_a_repeat_among_the_last_64_events_of_a_stream(self, log: Log) -> None:
        first = log.append("a-1", facts(0, 1), ANY)
        log.append("a-1", facts(*range(2, 65)), ANY)
        log.append("b-1", facts(*range(100, 180)), ANY)
        assert log.append("a-1", facts(0, 1), ANY) == first
        assert log.append("a-1", facts(64), ANY)[0].position == 64
        assert log.append("a-1", facts(63, 64), ANY)[0].position == 63
        assert log.head() == 145

    def test_any_forgets_what_stands_before_the_last_64(self, log: Log) -> None:
        log.append("a-1", facts(*range(65)), ANY)
        assert log.append("a-1", facts(0), ANY) == (Place(66, 65),)

    def test_any_takes_a_half_repeat_for_something_new(self, log: Log) -> None:
        log.append("a-1", facts(0, 1), ANY)
        assert log.append("a-1", facts(1, 2), ANY) == (Place(3, 2), Place(4, 3))

    def test_an_append_is_all_or_nothing(self, log: Log) -> None:
        with pytest.raises(Unrecordable):
            log.append("a-1", [fact(0), fact(1, data={"number": float("nan")})], NO_STREAM)
        assert log.head() == 0
        assert log.append("a-1", facts(0), NO_STREAM) == (Place(1, 0),)

    @pytest.mark.parametrize(
        ("data", "where"),
        [
            ({"a": {"b": [1, float("inf")]}}, r"data\.a\.b\[1\]"),
            ({"n": 2**63}, r"data\.n"),
            ({"n": -(2**63) - 1}, r"data\.n"),
            ({"half": "\ud800"}, r"data\.half"),
            ({"things": {1: "one"}}, r"data\.things"),
            ({"bytes": b"x"}, r"data\.bytes"),
        ],
    )
    def test_what_a_line_cannot_hold_is_refused_with_its_path(
        self, log: Log, data: Mapping[str, Any], where: str
    ) -> None:
        with pytest.raises(Unrecordable, match=rf"^{where}: "):
            log.append("a-1", [fact(0, data=data)], ANY)
        assert log.head() == 0

    def test_all_reads_between_two_positions(self, log: Log) -> None:
        log.append("a-1", facts(*range(10)), NO_STREAM)
        assert numbers(log.all(after=3, upto=6)) == [3, 4, 5]
        assert numbers(log.all(after=8)) == [8, 9]
        assert numbers(log.all(upto=2)) == [0, 1]
        assert numbers(log.all(after=10)) == []
        assert numbers(log.all(after=7, upto=99)) == [7, 8, 9]
        assert numbers(log.all(after=6, upto=2)) == []

    def test_all_reads_only_the_types_asked_for(self, log: Log) -> None:
        kinds = ["a_done", "b_done", "c_done", "a_done", "c_done"]
        log.append("a-1", [fact(number, kind) for number, kind in enumerate(kinds)], NO_STREAM)
        assert numbers(log.all(types=frozenset({"a_done", "c_done"}))) == [0, 2, 3, 4]
        assert numbers(log.all(after=1, upto=4, types=frozenset({"a_done"}))) == [3]
        assert numbers(log.all(types=frozenset({"z_done"}))) == []
        assert numbers(log.all(types=frozenset())) == []

    def test_a_stream_is_read_after_a_position(self, log: Log) -> None:
        for number in range(6):
            log.append(f"a-{number % 2}", facts(number), ANY)
        assert numbers(log.stream("a-0")) == [0, 2, 4]
        assert numbers(log.stream("a-0", after=0)) == [2, 4]
        assert numbers(log.stream("a-0", after=2)) == []
        assert numbers(log.stream("a-9")) == []

    def test_an_iterator_lives_through_appends_made_meanwhile(self, log: Log) -> None:
        log.append("a-1", facts(*range(3)), NO_STREAM)
        everything, one = log.all(), log.stream("a-1")
        seen = [next(everything), next(one)]
        log.append("a-1", facts(*range(3, 6)), 2)
        assert numbers([*seen, *everything]) == [0, 0, 1, 2]
        assert numbers(one) == [1, 2]

    def test_a_time_is_the_largest_position_not_later_even_when_clocks_go_back(self, log: Log) -> None:
        times = [10, 20, 15, 40, 12, 50]
        log.append("a-1", [fact(n, time=START + time) for n, time in enumerate(times)], NO_STREAM)
        for asked in range(8, 54):
            fitting = [place for place, time in enumerate(times, 1) if time <= asked]
            assert log.position_at(START + asked) == max(fitting, default=0)

    def test_streams_of_any_name_and_events_of_any_size_are_kept(self, log: Log) -> None:
        large = "ü\n\0\u2028" * 40_000
        for name in ("a-1", "with space", "naïve-ß", "quote'\"-1", "nul\0-1", "A-1"):
            log.append(name, [fact(1, data={"number": 1, "text": large})], NO_STREAM)
            (found,) = log.stream(name)
            assert found.stream == name
            assert found.data["text"] == large
            assert b"\n" not in found.line
        assert log.head() == 6

    def test_more_events_than_a_page_holds_are_all_read_in_order(self, log: Log) -> None:
        log.append("a-1", facts(*range(0, 2400, 2)), NO_STREAM)
        log.append("b-1", facts(*range(1, 2400, 2)), NO_STREAM)
        assert [event.global_position for event in log.all()] == list(range(1, 2401))
        assert numbers(log.stream("b-1")) == list(range(1, 2400, 2))
        assert numbers(log.stream("a-1", after=1100)) == list(range(2202, 2400, 2))

    def test_events_are_recorded_ones(self, log: Log) -> None:
        log.append("a-1", facts(0), NO_STREAM)
        assert all(isinstance(event, Recorded) for event in [*log.all(), *log.stream("a-1")])

    # groups

    def test_appends_of_a_group_are_decided_one_by_one_in_order(self, log: Log) -> None:
        outcomes = log.append_group(
            [
                Append("a-1", facts(0, 1), NO_STREAM),
                Append("b-1", facts(2), NO_STREAM),
                Append("a-1", facts(3), 1),
                Append("a-1", facts(4), ANY),
            ]
        )
        assert outcomes == [
            (Place(1, 0), Place(2, 1)),
            (Place(3, 0),),
            (Place(4, 2),),
            (Place(5, 3),),
        ]
        assert numbers(log.all()) == [0, 1, 2, 3, 4]
        assert numbers(log.stream("a-1")) == [0, 1, 3, 4]

    def test_a_refusal_in_a_group_touches_no_other(self, log: Log) -> None:
        first, late, broken, none, second = log.append_group(
            [
                Append("a-1", facts(0), NO_STREAM),
                Append("a-1", facts(1), NO_STREAM),
                Append("b-1", [fact(2, data={"n": float("nan")})], NO_STREAM),
                Append("c-1", [], ANY),
                Append("a-1", facts(3), 0),
            ]
        )
        assert (first, none, second) == ((Place(1, 0),), (), (Place(2, 1),))
        assert isinstance(late, WrongExpectedVersion)
        assert (late.expected, late.actual) == (NO_STREAM, 0)
        assert isinstance(broken, Unrecordable)
        assert numbers(log.all()) == [0, 3]

    def test_a_repeat_is_known_within_a_group_and_after_it(self, log: Log) -> None:
        wish = Append("a-1", facts(0, 1), NO_STREAM)
        again = Append("a-1", facts(1), ANY)
        places = (Place(1, 0), Place(2, 1))
        assert log.append_group([wish, wish, again]) == [places, places, places[1:]]
        assert log.append_group([again, wish]) == [places[1:], places]
        assert log.head() == 2

    def test_a_group_without_a_wish_is_nothing(self, log: Log) -> None:
        assert log.append_group([]) == []
        assert log.head() == 0
