"""A line: an event as its bytes in the log. Everything is rendered before the place is known."""

from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Any, Final, NamedTuple, NoReturn

import orjson

from eventstore.event import Event, Recorded, Upcasts
from eventstore.log import Unrecordable
from eventstore.moment import microseconds, rfc3339

KEYS: Final = frozenset(
    {
        "actor", "causation_id", "correlation_id", "data", "global_position", "id",
        "position", "schema", "source", "stream", "time", "type",
    }
)  # fmt: skip
DEEPEST: Final = 200
ERASED: Final = "[erased]"
"""What stands where a text was erased."""
LARGEST: Final = 2**63 - 1
SMALLEST: Final = -(2**63)
END_OF_TIME: Final = 253_402_300_800_000_000
"""Year 10000 in µs: RFC 3339 ends before it."""

_MARK: Final = b"\0"
"""In JSON a zero byte is escaped: this one stands where a number of the place comes, and nowhere else."""
_PLACE: Final = orjson.Fragment(_MARK)

_AS_THEY_ARE: Final = frozenset({str, bool, type(None)})

Trail = tuple["Trail", str | int] | None
"""The way from the envelope to a value, the last step first; spelled out only for a refusal."""


class NotALine(ValueError):
    """These bytes are no line of a log."""


class Draft(NamedTuple):
    """A line that lacks the two numbers of its place."""

    head: bytes
    middle: bytes
    tail: bytes

    def splice(self, global_position: int, position: int) -> bytes:
        """The finished line, without a newline."""
        return b"%b%d%b%d%b" % (self.head, global_position, self.middle, position, self.tail)


def render(stream: str, event: Event) -> Draft:
    """Render all but the place, as `orjson.dumps(envelope, option=OPT_SORT_KEYS)` would.

    Raises Unrecordable with the path of the value that a line cannot hold.
    """
    # Called for each event under way to the disk: no call that can be spared.
    event_id, kind, data, time, actor, source, correlation_id, causation_id, schema = event
    if not 0 <= time < END_OF_TIME:
        raise Unrecordable(f"time: {time} µs is not between the years 1970 and 9999")
    if type(data) is not dict:
        data = dict(data)
    envelope = {
        "actor": actor,
        "causation_id": causation_id,
        "correlation_id": correlation_id,
        "data": data,
        "global_position": _PLACE,
        "id": event_id,
        "position": _PLACE,
        "schema": schema,
        "source": source,
        "stream": stream,
        "time": rfc3339(time),
        "type": kind,
    }
    if _is_plain((data, schema), 1):
        try:
            # What is no text in the envelope is a TypeError here, before orjson makes one of it.
            "".join((event_id, kind, actor, source, stream, correlation_id or "", causation_id or ""))
            return _spliceable(envelope)
        except TypeError:
            pass  # or half a surrogate pair, or a key that is no text: below it is said where
    _check({name: value for name, value in envelope.items() if value is not _PLACE}, None, 0)
    try:
        return _spliceable(envelope)
    except TypeError as error:  # a subclass that orjson will not see through
        raise Unrecordable(f"event: {error}") from error


def _spliceable(envelope: Mapping[str, Any]) -> Draft:
    head, middle, tail = orjson.dumps(envelope, option=orjson.OPT_SORT_KEYS).split(_MARK)
    return Draft(head, middle, tail)


def parse(line: bytes, upcasts: Upcasts | None = None) -> Recorded:
    """Read one line (without its newline) as it stands in a mirror. Raises NotALine."""
    try:
        envelope: Any = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise NotALine(f"no JSON: {error}") from error
    if not isinstance(envelope, dict) or envelope.keys() != KEYS:
        raise NotALine("not the keys of an event")
    place = envelope["global_position"], envelope["position"]
    texts = envelope["stream"], envelope["type"], envelope["time"]
    if not all(type(number) is int for number in place) or not all(isinstance(text, str) for text in texts):
        raise NotALine("not the kinds of value that an event has")
    try:
        time = microseconds(envelope["time"])
    except (ValueError, OverflowError) as error:
        raise NotALine(f"not a time: {error}") from error
    return Recorded(place[0], envelope["stream"], place[1], envelope["type"], time, line, upcasts)


def _is_plain(values: Iterable[Any], depth: int) -> bool:
    """Whether orjson writes each of them as it is, or says that it cannot. False is no refusal yet."""
    # Called for each value of each event: no call that can be spared.
    for value in values:
        kind = type(value)
        if kind in _AS_THEY_ARE:
            continue
        if kind is int:
            if not SMALLEST <= value <= LARGEST:
                return False
        elif kind is float:
            if not isfinite(value):
                return False
        elif depth > DEEPEST:
            return False
        elif kind is dict:
            if not _is_plain(value.values(), depth + 1):
                return False
        elif not (kind is list or kind is tuple) or not _is_plain(value, depth + 1):
            return False
    return True


def _check(value: object, trail: Trail, depth: int) -> None:
    """Refuse what orjson would refuse, and what it would change in silence (NaN becomes null)."""
    if value is None or value is True or value is False:
        return
    if isinstance(value, str):
        if not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError:
                _refuse(trail, "the text holds half of a surrogate pair, which is no Unicode")
    elif isinstance(value, int):
        if not SMALLEST <= value <= LARGEST:
            _refuse(trail, "the integer does not fit into 64 bit")
    elif type(value) is float:
        if not isfinite(value):
            _refuse(trail, f"{value} is no JSON number")
    elif depth > DEEPEST:
        _refuse(trail, f"nested deeper than {DEEPEST} levels")
    elif isinstance(value, dict):
        for key, held in value.items():
            if type(key) is not str:
                _refuse(trail, f"a key is {type(key).__name__}, not text")
            _check(key, trail, depth)
            _check(held, (trail, key), depth + 1)
    elif isinstance(value, list) or type(value) is tuple:
        for index, held in enumerate(value):
            _check(held, (trail, index), depth + 1)
    else:
        _refuse(trail, f"{type(value).__name__} is no JSON")


def _refuse(trail: Trail, why: str) -> NoReturn:
    raise Unrecordable(f"{_path(trail)}: {why}")


def _path(trail: Trail) -> str:
    """`data.files[3].path`; a key that is half a surrogate pair is shown escaped."""
    steps: list[str] = []
    while trail is not None:
        trail, step = trail
        steps.append(f"[{step}]" if isinstance(step, int) else f".{step}")
    shown = "".join(reversed(steps)).removeprefix(".") or "event"
    return shown.encode(errors="backslashreplace").decode()
