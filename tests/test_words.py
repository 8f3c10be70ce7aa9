"""The words: each fact is named, registered and strict, each command has a decider, all can be folded."""

import math
import re
from collections.abc import Iterator
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from eventstore.event import ANY, Event
from eventstore.log import Unrecordable
from eventstore.memory_log import MemoryLog
from handlers.deciders import DECIDERS
from schemas import names
from schemas.attempt import End
from schemas.executor import ExecutorCommand
from schemas.mediation import MediationCommand
from schemas.registry import FACTS
from schemas.service import SystemCommand
from schemas.task import Placed, TaskCommand
from schemas.turn import AttemptCommand
from schemas.word import Command, Fact, Part
from tests.rule_bench import STREAM, Bench, received

IRREGULAR = {"made", "rebuilt", "sent", "timeout", "written"}
STATES = {"low", "lagging"}
"""What has come to be so: the moment tells it, as a verb would."""
TYPE_NAMES = {value for name, value in vars(names).items() if name.isupper() and isinstance(value, str)} - {
    names.SYSTEM,
    names.EXECUTOR,
    names.QUARANTINE,
}


def kinds_of(base: type[Any]) -> Iterator[type[Any]]:
    """Every class below `base` that is one of the words; those that a test made are none."""
    for kind in base.__subclasses__():
        if kind.__module__.startswith("schemas."):
            yield kind
        yield from kinds_of(kind)


def strategy(annotation: Any, metadata: tuple[Any, ...] = ()) -> st.SearchStrategy[Any]:
    """Any value that a field allows, as the log holds it."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return strategy(arguments[0], _constraints(arguments[1:]))
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin in (Union, UnionType):
        return st.one_of(*(strategy(one, metadata) for one in arguments))
    if origin is tuple:
        return st.lists(strategy(arguments[0]), max_size=3)
    if origin is dict:
        return st.dictionaries(st.text(max_size=5), strategy(arguments[1]), max_size=3)
    if isinstance(annotation, type) and issubclass(annotation, Part):
        return values_of(annotation)
    return _plain(annotation, metadata)


def _plain(annotation: Any, metadata: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    bounds = {
        name: getattr(one, name)
        for one in metadata
        for name in ("ge", "gt", "le", "lt")
        if hasattr(one, name)
    }
    if annotation is int:
        low, high = bounds.get("ge", -(2**63)), bounds.get("le", bounds.get("lt", 2**63) - 1)
        return st.integers(low, high)
    if annotation is float:
        lowest = bounds.get("ge", bounds.get("gt", -1e9))
        return st.floats(lowest, bounds.get("le", 1e9), allow_nan=False, exclude_min="gt" in bounds)
    if annotation is str:
        pattern = next((one.pattern for one in metadata if getattr(one, "pattern", None)), None)
        return (
            st.text(max_size=20) if pattern is None else st.text("0123456789abcdef", min_size=64, max_size=64)
        )
    known = {bool: st.booleans(), type(None): st.none(), Any: st.text(max_size=5)}
    return known[annotation]


def _constraints(given_with: tuple[Any, ...]) -> tuple[Any, ...]:
    found: list[Any] = []
    for one in given_with:
        found.extend(one.metadata if isinstance(one, FieldInfo) else [one])
    return tuple(found)


def values_of(part: type[Part]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {name: strategy(field.annotation, tuple(field.metadata)) for name, field in part.model_fields.items()}
    )


ANY_FACT = st.sampled_from(sorted(FACTS)).flatmap(
    lambda name: values_of(FACTS[name]).map(lambda values: FACTS[name].model_validate(values))
)


def numbers_in(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where the numbers stand in a payload."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from numbers_in(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from numbers_in(inner, (*path, index))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield path


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(copy[path[0]], path[1:], new)
    return copy


# names


def test_every_name_has_a_fact_and_every_fact_a_name() -> None:
    assert set(FACTS) == TYPE_NAMES


def test_every_fact_that_there_is_is_registered() -> None:
    assert set(FACTS.values()) == set(kinds_of(Fact)) - {End, Placed}


@pytest.mark.parametrize(("name", "fact"), FACTS.items())
def test_a_fact_is_called_what_its_class_is_called(name: str, fact: type[Fact]) -> None:
    assert name == fact.TYPE
    assert re.sub(r"(?<!^)([A-Z])", r"_\1", fact.__name__).lower() == name
    assert fact.SCHEMA >= 1


@pytest.mark.parametrize("name", FACTS)
def test_a_fact_reports_in_the_past_tense(name: str) -> None:
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", name)
    last = name.rpartition("_")[2]
    assert last.endswith("ed") or last in IRREGULAR | STATES


def test_every_end_of_a_task_gives_a_status_for_good() -> None:
    assert set(names.STATUS_OF_END) == names.ENDS <= set(FACTS)
    assert {fact.TYPE for fact in FACTS.values() if issubclass(fact, End)} == names.ENDS
    assert set(names.STATUS_OF_END.values()) <= names.ENDED <= set(names.STATUSES)


@pytest.mark.parametrize("task_id", ["a", "Fix-1", "a.b_c-D"])
def test_a_stream_says_whose_it_is(task_id: str) -> None:
    assert names.task_of(names.task_stream(task_id)) == task_id.lower()


@pytest.mark.parametrize("stream", ["system", "notice-1", "task", "tasks-1"])
def test_a_stream_of_no_task_says_so(stream: str) -> None:
    assert names.task_of(stream) is None


# commands


def test_every_command_has_a_decider_and_no_other_has_one() -> None:
    bases = {TaskCommand, AttemptCommand, MediationCommand, SystemCommand, ExecutorCommand}
    assert set(DECIDERS) == set(kinds_of(Command)) - bases


def test_every_command_says_its_stream() -> None:
    with pytest.raises(NotImplementedError):
        _ = Command(command_id="c", time=1, actor="a").stream
    for kind in kinds_of(Command):
        expected = "system"
        if issubclass(kind, TaskCommand):
            expected = STREAM
        elif issubclass(kind, ExecutorCommand):
            expected = "executor-claude"
        command = kind.model_construct(task_id="Fix-1", executor="claude", refused_id="r")
        assert command.stream == expected


def test_two_deciders_never_share_a_name() -> None:
    """The kept folds are told apart by it."""
    by_name = {decider.name: decider for decider in DECIDERS.values()}
    assert len(by_name) == len({id(decider) for decider in DECIDERS.values()})


# strictness


@pytest.mark.parametrize("part", list(kinds_of(Part)), ids=lambda part: part.__name__)
def test_every_word_is_frozen_and_holds_nothing_unnamed(part: type[Part]) -> None:
    assert part.model_config.get("extra") == "forbid"
    assert part.model_config.get("frozen") is True
    assert part.model_config.get("allow_inf_nan") is False


@pytest.mark.parametrize("fact", FACTS.values(), ids=lambda fact: fact.TYPE)
def test_every_fact_has_a_json_schema_that_names_all_it_may_hold(fact: type[Fact]) -> None:
    schema = fact.model_json_schema()
    Draft202012Validator.check_schema(schema)
    assert schema["additionalProperties"] is False
    assert set(schema["properties"]) == set(fact.model_fields)


@given(fact=ANY_FACT)
def test_any_fact_holds_to_its_own_schema(fact: Fact) -> None:
    told = fact.model_dump(mode="json")
    Draft202012Validator(type(fact).model_json_schema()).validate(told)
    assert type(fact).model_validate(told) == fact


@given(fact=ANY_FACT, name=st.text(min_size=1, max_size=8))
def test_a_fact_refuses_what_it_does_not_know(fact: Fact, name: str) -> None:
    if name not in type(fact).model_fields:
        with pytest.raises(ValidationError):
            type(fact).model_validate({**fact.model_dump(mode="json"), name: 1})


@given(fact=ANY_FACT, bad=st.sampled_from([math.nan, math.inf, -math.inf]))
def test_a_fact_refuses_what_is_no_number(fact: Fact, bad: float) -> None:
    told = fact.model_dump(mode="json")
    for path in numbers_in(told):
        with pytest.raises(ValidationError):
            type(fact).model_validate(replaced(told, path, bad))


def test_what_is_no_number_in_a_task_s_own_words_is_refused_and_never_written_as_null() -> None:
    with pytest.raises(Unrecordable):
        Bench(received(metadata={"ratio": math.nan}))


# every word can be folded by every decider


@given(facts=st.lists(ANY_FACT, max_size=12))
def test_no_decider_ever_refuses_an_event(facts: list[Fact]) -> None:
    log = MemoryLog()
    for index, fact in enumerate(facts):
        data = fact.model_dump(mode="json")
        log.append(STREAM, [Event(f"id-{index}", fact.TYPE, data, index, "a", "urn:x")], ANY)
    for decider in DECIDERS.values():
        state = decider.initial
        for event in log.all():
            state = decider.evolve(state, event)
        again = decider.initial
        for event in log.all():
            again = decider.evolve(again, event)
        assert again == state, "the same events give the same state"


@given(
    name=st.text(max_size=12).filter(lambda name: name not in FACTS),
    data=st.dictionaries(st.text(), st.none()),
)
def test_an_event_of_an_unknown_type_changes_no_state(name: str, data: dict[str, None]) -> None:
    log = MemoryLog()
    log.append(STREAM, [Event("id", name, data, 1, "a", "urn:x")], ANY)
    (event,) = log.all()
    for decider in DECIDERS.values():
        assert decider.evolve(decider.initial, event) == decider.initial
