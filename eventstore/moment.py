"""A moment: microseconds since 1970 in columns, RFC 3339 UTC in lines."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ONE_MICROSECOND = timedelta(microseconds=1)
DAY = 86_400_000_000


def rfc3339(microseconds: int) -> str:
    """Render with six digits and `Z` (RFC 3339 section 5.6)."""
    moment = EPOCH + timedelta(microseconds=microseconds)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond:06d}Z"


def utc_day(microseconds: int) -> str:
    """YYYY-MM-DD, the first ten characters of `rfc3339`."""
    return _day(microseconds // DAY)


@lru_cache(maxsize=8)
def _day(number: int) -> str:
    # Most events share their day with the one before, and strftime is dear.
    return rfc3339(number * DAY)[:10]


def microseconds(text: str) -> int:
    """Read an RFC 3339 time; one without an offset is taken as UTC. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - EPOCH) // ONE_MICROSECOND
