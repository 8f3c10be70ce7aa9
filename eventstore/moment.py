"""A moment: microseconds since 1970 in columns, RFC 3339 UTC in lines."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ONE_MICROSECOND = timedelta(microseconds=1)
DAY = 86_400_000_000


def rfc3339(microseconds: int) -> str:
    """Render with six digits and `Z` (RFC 3339 section 5.6)."""
    seconds, rest = divmod(microseconds, 1_000_000)
    return f"{_second(seconds)}.{rest:06d}Z"


@lru_cache(maxsize=64)
def _second(number: int) -> str:
    # Many events are of one second, and strftime is dear.
    return (EPOCH + timedelta(seconds=number)).strftime("%Y-%m-%dT%H:%M:%S")


def utc_day(microseconds: int) -> str:
    """YYYY-MM-DD, the first ten characters of `rfc3339`."""
    return _day(microseconds // DAY)


@lru_cache(maxsize=8)
def _day(number: int) -> str:
    # Most events share their day with the one before.
    return rfc3339(number * DAY)[:10]


def microseconds(text: str) -> int:
    """Read an RFC 3339 time; one without an offset is taken as UTC. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - EPOCH) // ONE_MICROSECOND
