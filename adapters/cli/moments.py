"""Moments and spans as people write and read them: `10m`, RFC 3339, `@P`."""

import re
import time
from typing import Final

from adapters.cli.failure import NOT_FOUND, USAGE, Failure
from eventstore.log import Log
from eventstore.moment import microseconds, rfc3339
from schemas.shown import quoted

SECOND: Final = 1_000_000
UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
SPAN = re.compile(r"(?:[0-9]{1,9}[smhdw])+")
POSITION = re.compile(r"@?([0-9]{1,18})")
WAYS: Final = "Write a span (10m, 2h30m, 3d), a time (2026-11-22T12:00:00Z) or a position (@120)."


def now() -> int:
    """Microseconds since 1970-01-01T00:00:00Z."""
    return time.time_ns() // 1000


def clock(moment: int) -> str:
    """HH:MM:SS.mmm in UTC."""
    return rfc3339(moment)[11:23]


def millisecond(moment: int) -> str:
    """The whole time in UTC as RFC 3339, to the millisecond."""
    return f"{rfc3339(moment)[:23]}Z"


def day(moment: int) -> str:
    """YYYY-MM-DD in UTC."""
    return rfc3339(moment)[:10]


def minute(moment: int) -> str:
    """YYYY-MM-DD HH:MM:SS in UTC, with a Z to say so."""
    return rfc3339(moment)[:19].replace("T", " ") + "Z"


def span(length: int) -> str:
    """A length of time (µs) in the one or two units that matter: `0.4s`, `12s`, `3m 20s`, `2d 4h`."""
    seconds = max(0, length) / SECOND
    if seconds < 10:
        return f"{seconds:.1f}s"
    left = round(seconds)
    parts: list[str] = []
    for name in ("d", "h", "m", "s"):
        count, left = divmod(left, UNITS[name])
        if count or parts:
            parts.append(f"{count}{name}" if count else "")
        if len(parts) == 2:
            break
    return " ".join(part for part in parts if part)


def ago(moment: int, at: int) -> str:
    """How long before `at` the moment was."""
    return f"{span(at - moment)} ago" if at - moment >= SECOND else "now"


def start_of(text: str, log: Log, at: int) -> int:
    """What `--since` says: the global position after which it begins; `at` is now. Raises Failure."""
    if text.startswith("@") and (found := POSITION.fullmatch(text)):
        return max(0, int(found[1]) - 1)
    # Clocks go backwards: what stands after the last event before the moment.
    return log.position_at(_moment(text, at, "--since") - 1)


def end_of(text: str, log: Log, at: int, option: str = "--at") -> int:
    """What `--at` says: the global position up to which, inclusive. Raises Failure."""
    if found := POSITION.fullmatch(text):
        position, head = int(found[1]), log.head()
        if position > head:
            sentence = f"there is no event {position}: the log ends at {head}."
            raise Failure(NOT_FOUND, "not_found", sentence, f"Leave {option} out for all of it.")
        return position
    return log.position_at(_moment(text, at, option))


def _moment(text: str, at: int, option: str) -> int:
    if SPAN.fullmatch(text):
        return at - SECOND * sum(int(n) * UNITS[unit] for n, unit in re.findall(r"([0-9]+)([smhdw])", text))
    try:
        return microseconds(text)
    except (ValueError, OverflowError):
        raise Failure(USAGE, "usage", f"{option} {quoted(text)} is no moment.", WAYS) from None
