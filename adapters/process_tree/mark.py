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

# A mark is 2^61 and 60 bits of a hash, and half of it a service inside an agent sets:
# there the hard limit is the outer agent's mark, which stays, and the soft one is free.
_LEAST: Final = 1 << 61
_LINE: Final = b"Max realtime timeout"


def mark_of(session_id: str) -> int:
    """The session's number, from 2^61 up to 2^62."""
    digest = hashlib.sha256(session_id.encode("utf-8", "replace")).digest()
    return _LEAST | int.from_bytes(digest[:8], "big") >> 4


def limits_for(session_id: str) -> tuple[int, int] | None:
    """The soft and the hard limit that mark a child of ours; None where none can be set."""
    if sys.platform == "linux":
        mark = mark_of(session_id)
        hard = resource.getrlimit(resource.RLIMIT_RTTIME)[1]
        if hard == resource.RLIM_INFINITY or hard >= 2 * _LEAST:
            return mark, mark
        if hard >= _LEAST:
            return mark >> 1, hard
    return None


def limits_of(pid: int) -> tuple[int, int] | None:
    """The two limits of a process, dead ones too while they are not reaped; None: unlimited or unseen."""
    try:
        text = Path(f"/proc/{pid}/limits").read_bytes()
    except OSError:
        return None
    place = text.find(_LINE)
    if place < 0:
        return None
    soft, hard = text[place + len(_LINE) :].split(None, 2)[:2]
    if not soft.isdigit():
        return None
    return int(soft), int(hard) if hard.isdigit() else -1


def bears(pid: int, mark: int) -> bool:
    """Whether the process descends from an agent that was given this mark."""
    limits = limits_of(pid)
    return limits is not None and (limits[1] == mark or limits[0] == mark >> 1)


def marked_by_us(pid: int, own: tuple[int, int] | None) -> bool:
    """Whether the process bears a mark that this process, whose limits are `own`, does not bear."""
    limits = limits_of(pid)
    if limits is None or limits == own:
        return False
    soft, hard = limits
    if own is not None and hard == own[1]:
        return _LEAST <= 2 * soft < 2 * _LEAST
    return _LEAST <= hard < 2 * _LEAST
