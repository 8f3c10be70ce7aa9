"""A mark that every descendant of an agent bears, whatever it clears, closes or leaves.

Linux hands resource limits on to every child and through every exec, keeps them in 64
bits, and lets nobody but root raise a hard one. The limit of CPU time under a real-time
policy, RLIMIT_RTTIME, matters to no ordinary program: set to some ten thousand years and
a number that is made of the session's id, it limits nothing and says whose a process is.
A daemon in a session of its own, with an empty environment and another parent, still says it.
"""

import hashlib
import sys
from pathlib import Path
from typing import Final

if sys.platform == "linux":
    import resource

Limits = tuple[int, int]
"""The soft and the hard one, in microseconds."""

# A mark is 2^61 and 60 bits of a hash, and half of it a service inside an agent sets:
# there the hard limit is the outer agent's mark, which stays, and the soft one is free.
_LEAST: Final = 1 << 61
_LINE: Final = b"Max realtime timeout"


def mark_of(session_id: str) -> int:
    """The session's number, from 2^61 up to 2^62."""
    digest = hashlib.sha256(session_id.encode("utf-8", "replace")).digest()
    return _LEAST | int.from_bytes(digest[:8], "big") >> 4


def limits_for(session_id: str) -> Limits | None:
    """The limits that mark a child of ours; None where none can be set."""
    if sys.platform == "linux":
        mark = mark_of(session_id)
        hard = resource.getrlimit(resource.RLIMIT_RTTIME)[1]
        if hard == resource.RLIM_INFINITY or hard >= 2 * _LEAST:
            return mark, mark
        if hard >= _LEAST:
            return mark >> 1, hard
    return None


def limits_of(pid: int) -> Limits | None:
    """The limits of a process, of a dead one too until it is reaped; None: unlimited, or not to be seen."""
    try:
        text = Path(f"/proc/{pid}/limits").read_bytes()
    except OSError:
        return None
    place = text.find(_LINE)
    if place < 0:
        return None
    soft, hard = text[place + len(_LINE) :].split(None, 2)[:2]
    return (int(soft), int(hard)) if soft.isdigit() and hard.isdigit() else None


def bears(limits: Limits | None, mark: int) -> bool:
    """Whether a process with these limits descends from an agent that was given this mark."""
    return limits is not None and (limits[1] == mark or limits[0] == mark >> 1)


def bears_any(limits: Limits | None, own: Limits | None) -> bool:
    """Whether it descends from an agent of this process, whose limits are `own`, whichever that was."""
    if limits is None or limits == own:
        return False
    soft, hard = limits
    inside = own is not None and hard == own[1]
    return _LEAST <= (2 * soft if inside else hard) < 2 * _LEAST
