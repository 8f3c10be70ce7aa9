"""Whether an attempt that failed is worth another one, and when: by the class of its error."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final

from schemas.attempt import VALIDATION_BACKOFF, VALIDATION_RETRIES, ErrorClass

MULTIPLIER: Final = 2.0
JITTER: Final = (0.85, 1.35)
LONGEST_S: Final = 600.0
UNLIMITED: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Retries:
    """At most so many, the first after `delay_s`; `resume`: the agent's session goes on.

    Each delay is `multiplier` times the one before.
    """

    most: int
    delay_s: float = 0.0
    resume: bool = False
    multiplier: float = MULTIPLIER


NONE: Final = Retries(0)
RETRIES: Final[Mapping[str, Retries]] = MappingProxyType(
    {
        "timeout": Retries(1, 1.0, resume=True),
        "inactivity": Retries(2, 1.0, resume=True),
        "network": Retries(3, 1.5, resume=True),
        "rate_limit": Retries(3, 2.0, resume=True),
        "validation": Retries(VALIDATION_RETRIES, 1.0, resume=True, multiplier=VALIDATION_BACKOFF),
    }
)
"""By class of error. Every other class would fail again in the same way."""

NOT_STARTED: Final = Retries(UNLIMITED, 5.0, resume=True)
"""An agent that could not be started says nothing about the task: it keeps its place and its session."""

QUOTA_WAITS: Final = 20
"""So many windows in a row without an end are enough: nobody is served by a loop."""

BLIND_WAIT_S: Final = 900
"""So long a used-up quota is waited for that does not say when it is full again."""

LONGEST_QUOTA_S: Final = 8 * 86_400
"""The longest window is a week; a reset farther away is a slip of the pen."""


def retries_for(
    error_class: ErrorClass, reason: str, conditions: Mapping[str, Any] = MappingProxyType({})
) -> Retries:
    """`conditions` are the attempt's as the log has them: an old log's know nothing of validation."""
    if reason == "agent_not_started":
        return NOT_STARTED
    found = RETRIES.get(error_class, NONE)
    if error_class != "validation":
        return found
    return replace(
        found,
        most=int(conditions.get("validation_retries", found.most)),
        multiplier=float(conditions.get("validation_backoff", found.multiplier)),
    )


def delay(retries: Retries, retry: int, command_id: str) -> float:
    """Seconds until the retry-th retry: multiplied each time up to ten minutes, then spread by chance.

    The chance is the command's own id, so that deciding twice gives the same moment.
    """
    low, high = JITTER
    share = int.from_bytes(hashlib.sha256(command_id.encode()).digest()[:4]) / 2**32
    longest = retries.delay_s * retries.multiplier ** min(retry - 1, 30)
    return round(min(longest, LONGEST_S) * (low + (high - low) * share), 3)
