"""From a model's text to a checked answer: JSON that keeps to its schema, or a word that says why not."""

import json
import re
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from schemas.shown import shortened

_FENCED = re.compile(r"\A\s*```(?:json)?\s*\n(.*?)\n\s*```\s*\Z", re.DOTALL | re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]")


class Reply(BaseModel):
    """What a model is to answer. Every field is bounded: the schema goes to the model as it stands."""

    # What it says beside that is passed over, never taken.
    model_config = ConfigDict(frozen=True, extra="ignore")


Answer = TypeVar("Answer", bound=Reply)


class Unusable(ValueError):
    """`code` is for programs (`empty`, `not_json`, `off_schema`, `prompt_echo`), the text a sentence."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


def read_reply(text: str, wanted: type[Answer]) -> Answer:
    """The answer in a text: JSON alone, in a Markdown fence, or in the midst of prose. Raises Unusable."""
    if not text.strip():
        raise Unusable("empty", "the model said nothing.")
    value = _object(text)
    if value is None:
        raise Unusable("not_json", "the model's answer holds no whole JSON object.")
    try:
        return wanted.model_validate_json(json.dumps(value), strict=True)
    except (ValidationError, ValueError, RecursionError) as wrong:
        sentence = f"the model's answer is not what was asked for: {_first(wrong)}"
        raise Unusable("off_schema", sentence) from None


def plain(text: str, limit: int) -> str:
    """On one line, without control characters and hidden ones, at most `limit` characters."""
    return shortened(" ".join(_CONTROL.sub(" ", text).split()), limit)


def lines_of(text: str) -> list[str]:
    """Its lines without control characters and hidden ones, and without blanks at their ends."""
    return [_CONTROL.sub(" ", line).rstrip() for line in text.splitlines()]


def _object(text: str) -> dict[str, object] | None:
    fenced = _FENCED.match(text)
    found = fenced[1] if fenced else text
    start = found.find("{")
    if start < 0:
        return None
    try:
        value, _ = json.JSONDecoder().raw_decode(found, start)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _first(wrong: Exception) -> str:
    if not isinstance(wrong, ValidationError):
        return "it cannot be read."
    error = wrong.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(str(part) for part in error["loc"]) or "the whole"
    return f"`{shortened(place, 60)}`: {shortened(str(error['msg']), 160)}."
