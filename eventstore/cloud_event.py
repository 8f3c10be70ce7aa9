"""An event's line as CloudEvents 1.0 JSON, and back, byte for byte.

https://github.com/cloudevents/spec: the core attributes, and of the documented extensions `sequence`
(a text that sorts: 19 digits), `correlationid` and `causationid`. Ours are `actor`, `streamposition` and
`dataversion`, the latter two as text because an Integer of CloudEvents has 32 bit. What is null in the
line is absent.
"""

from typing import Any, Final

import orjson

SPEC_VERSION: Final = "1.0"
MEDIA_TYPE: Final = "application/json"
DIGITS: Final = 19
"""As many as the largest integer of 64 bit has."""

TEXTS: Final = {
    "id": "id",
    "source": "source",
    "type": "type",
    "subject": "stream",
    "time": "time",
    "actor": "actor",
    "correlationid": "correlation_id",
    "causationid": "causation_id",
}
"""Attribute → key of the envelope; both hold a text."""

NUMBERS: Final = {"sequence": "global_position", "streamposition": "position", "dataversion": "schema"}
OPTIONAL: Final = frozenset({"correlationid", "causationid"})
ATTRIBUTES: Final = frozenset({"specversion", "datacontenttype", "data", *TEXTS, *NUMBERS})


class NoCloudEvent(ValueError):
    """The line cannot be said in CloudEvents, or this is no such event; the text says why."""


def cloud_event(line: bytes) -> bytes:
    """The event as one JSON object without a newline. Raises NoCloudEvent: an attribute is never empty."""
    envelope: dict[str, Any] = orjson.loads(line)
    event: dict[str, Any] = {
        "specversion": SPEC_VERSION,
        "datacontenttype": MEDIA_TYPE,
        "data": envelope["data"],
    }
    for attribute, key in TEXTS.items():
        text = envelope[key]
        if text is None and attribute in OPTIONAL:
            continue
        if not text:
            raise NoCloudEvent(f"its {key} is empty, and no attribute of CloudEvents may be")
        event[attribute] = text
    for attribute, key in NUMBERS.items():
        event[attribute] = _written(attribute, envelope[key])
    return orjson.dumps(event, option=orjson.OPT_SORT_KEYS)


def line_of(event: bytes) -> bytes:
    """The line whose event this is, as `cloud_event` would give it; other JSON of the same values will do.

    The line is still to be judged. Raises NoCloudEvent.
    """
    try:
        found = orjson.loads(event)
    except orjson.JSONDecodeError as error:
        raise NoCloudEvent(f"no JSON: {error}") from error
    if not isinstance(found, dict) or found.get("specversion") != SPEC_VERSION:
        raise NoCloudEvent(f"no event of CloudEvents {SPEC_VERSION}")
    if strange := sorted(found.keys() - ATTRIBUTES):
        raise NoCloudEvent(f"it has the attribute {strange[0]}, which no event of this program has")
    if missing := sorted(ATTRIBUTES - OPTIONAL - found.keys()):
        raise NoCloudEvent(f"it lacks the attribute {missing[0]}")
    if found["datacontenttype"] != MEDIA_TYPE:
        raise NoCloudEvent(f"its datacontenttype is not {MEDIA_TYPE}")
    envelope: dict[str, Any] = {key: found.get(attribute) for attribute, key in TEXTS.items()}
    envelope |= {key: _number(attribute, found[attribute]) for attribute, key in NUMBERS.items()}
    envelope["data"] = found["data"]
    return orjson.dumps(envelope, option=orjson.OPT_SORT_KEYS)


def _written(attribute: str, number: int) -> str:
    return f"{number:0{DIGITS}d}" if attribute == "sequence" else str(number)


def _number(attribute: str, text: object) -> int:
    if isinstance(text, str) and text.isascii() and text.isdigit() and len(text) <= DIGITS:
        number = int(text)
        if text == _written(attribute, number):
            return number
    raise NoCloudEvent(f"its {attribute} is not the number that it should be")
