"""A tombstone: an event's line with texts erased and the same envelope, so that views still fold."""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

import orjson

from eventstore.line import ERASED

_STEP: Final = re.compile(r'\[(\d+)\]|\[("(?:[^"\\]|\\.)*")\]|\.?([^.\[\]]+)')
_PLAIN: Final = re.compile(r"[\w-]+")
"""A key that a name holds as it is; any other stands there as `["key"]`."""


class NoSuchField(ValueError):
    """The event's data has nothing under that name, or no text."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


def texts(data: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Every string of a payload with the name by which it can be erased.

    Such as `spec.prompt`, `files[2]`, `spec.metadata["a.b"]`.
    """
    if isinstance(data, str):
        yield name, data
    elif isinstance(data, dict):
        for key, value in data.items():
            yield from texts(value, _named(name, key))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from texts(value, f"{name}[{index}]")


def tombstone(line: bytes, fields: tuple[str, ...]) -> bytes:
    """The line with the same envelope, in which the texts below each of `fields` read `[erased]`.

    A field names a text, or a part of the data: then all texts in it. Raises NoSuchField.
    """
    envelope = orjson.loads(line)
    for field in fields:
        envelope["data"] = _erased(envelope["data"], _steps(field), field)
    return orjson.dumps(envelope, option=orjson.OPT_SORT_KEYS)


def _steps(field: str) -> list[str | int]:
    steps: list[str | int] = []
    at = 0
    while at < len(field):
        found = _STEP.match(field, at)
        if found is None:
            raise NoSuchField(field)
        steps.append(_step(found, field))
        at = found.end()
    if not steps:
        raise NoSuchField(field)
    return steps


def _step(found: re.Match[str], field: str) -> str | int:
    number, quoted, plain = found.groups()
    if number is not None:
        return int(number)
    if quoted is None:
        return str(plain)
    try:
        return str(json.loads(quoted))
    except ValueError:
        raise NoSuchField(field) from None


def _named(name: str, key: str) -> str:
    if _PLAIN.fullmatch(key):
        return f"{name}.{key}" if name else key
    return f"{name}[{json.dumps(key)}]"


def _holds(value: Any, step: str | int) -> bool:
    if isinstance(step, str):
        return isinstance(value, dict) and step in value
    return isinstance(value, list) and step < len(value)


def _erased(value: Any, steps: list[str | int], field: str) -> Any:
    if not steps:
        return _all_erased(value, field)
    step, rest = steps[0], steps[1:]
    if not _holds(value, step):
        raise NoSuchField(field)
    erased = _erased(value[step], rest, field)
    if isinstance(step, str):
        return {**value, step: erased}
    return [*value[:step], erased, *value[step + 1 :]]


def _all_erased(value: Any, field: str) -> Any:
    if isinstance(value, str):
        return ERASED
    if isinstance(value, dict) and value:
        return {key: _all_erased(held, field) if _has_text(held) else held for key, held in value.items()}
    if isinstance(value, list) and value:
        return [_all_erased(held, field) if _has_text(held) else held for held in value]
    raise NoSuchField(field)


def _has_text(value: Any) -> bool:
    return next(texts(value), None) is not None
