"""Values out of an agent's line, clamped to what the log can hold; what does not fit is noted."""

from collections.abc import Mapping
from typing import Any, Final

from handlers.framing import TEXT_LIMIT
from schemas.turn import Usage

NAME_LIMIT: Final = 200
COUNT_LIMIT: Final = 10**15
"""Far beyond any true count, far below what a sum of many could overflow."""

_COST_LIMIT = 10**9
_MODEL_LIMIT = 100
_LAST_SECOND = 253_402_300_799  # of the year 9999: milliseconds would lie far behind it


def mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def word(value: Any, limit: int = NAME_LIMIT) -> str | None:
    """A short text of one line without control characters; None where there is none."""
    if not isinstance(value, str):
        return None
    return "".join(char if char.isprintable() else " " for char in value[:limit]).strip() or None


def text(value: Any, notes: list[str]) -> str:
    if not isinstance(value, str):
        return ""
    encoded = value.encode("utf-8", "replace")
    if len(encoded) <= TEXT_LIMIT:
        return value
    notes.append(f"the result text of {len(encoded)} bytes is cut to {TEXT_LIMIT}")
    return encoded[:TEXT_LIMIT].decode("utf-8", "ignore")


def count(line: Mapping[str, Any], key: str, notes: list[str]) -> int:
    value = line.get(key)
    if value is None:
        return 0
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= COUNT_LIMIT:
        return value
    notes.append(f"{key} is no count and was taken as 0")
    return 0


def cost(value: Any, notes: list[str]) -> float:
    if value is None:
        return 0.0
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if number and 0 <= value <= _COST_LIMIT:  # NaN compares false with everything
        return float(value)
    notes.append("total_cost_usd is no amount and was taken as 0")
    return 0.0


def status(value: Any) -> int | None:
    """An HTTP status, given as a number or as its digits."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) == 3:
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 100 <= value <= 599 else None


def moment(value: Any) -> int | None:
    """Seconds since 1970, given as a number or as its digits, in microseconds; None for anything else."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 12:
        value = int(value)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return round(value * 1_000_000) if number and 0 < value <= _LAST_SECOND else None


def usage(line: Mapping[str, Any], notes: list[str]) -> Usage:
    """The tokens of a result line: of all its models where it lists them.

    Its own `usage` leaves subagents out, and of an error it may hold the last request alone.
    """
    models = line.get("modelUsage")
    if isinstance(models, dict) and models and all(isinstance(one, dict) for one in models.values()):
        if len(models) > _MODEL_LIMIT:
            notes.append(f"only the first {_MODEL_LIMIT} models are counted")
        counted = list(models.values())[:_MODEL_LIMIT]

        def total(key: str) -> int:
            return sum(count(one, key, notes) for one in counted)

        return Usage(
            input_tokens=total("inputTokens"),
            output_tokens=total("outputTokens"),
            cache_read_tokens=total("cacheReadInputTokens"),
            cache_creation_tokens=total("cacheCreationInputTokens"),
        )
    own = mapping(line.get("usage"))
    return Usage(
        input_tokens=count(own, "input_tokens", notes),
        output_tokens=count(own, "output_tokens", notes),
        cache_read_tokens=count(own, "cache_read_input_tokens", notes),
        cache_creation_tokens=count(own, "cache_creation_input_tokens", notes),
    )
