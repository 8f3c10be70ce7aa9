"""A task's id where its author wrote none: from the file's name or from the message's own id."""

import hashlib
import re
import unicodedata
from collections.abc import Callable
from itertools import count

from schemas.task_id import MAX_LENGTH, is_reserved

HEX = re.compile(r"[0-9a-f]{8,}")


def id_from_stem(file_name: str) -> str | None:
    """The file's stem made safe; None when nothing of it can stand in an id."""
    name = re.split(r"[\\/]", file_name)[-1]
    if name.lower().endswith(".task.md"):
        stem = name[: -len(".task.md")]
    else:
        head, dot, ending = name.rpartition(".")
        stem = head if dot and head and re.fullmatch("[A-Za-z0-9]{1,8}", ending) else name
    plain = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode("ascii")
    safe = re.sub(r"[^A-Za-z0-9._-]+", "-", plain)
    safe = re.sub(r"\.{2,}", ".", safe).lstrip("._-")[:MAX_LENGTH].rstrip(".-")
    if not safe:
        return None
    return f"task_{safe}"[:MAX_LENGTH].rstrip(".-") if is_reserved(safe) else safe


def free_id(wanted: str, taken: Callable[[str], bool]) -> str:
    """`wanted`, or the first of `wanted-2`, `wanted-3`, … that is not `taken`.

    Ids are unique ignoring case: that is for `taken` to judge.
    """
    if not taken(wanted):
        return wanted
    endings = (f"-{number}" for number in count(2))
    candidates = (wanted[: MAX_LENGTH - len(ending)] + ending for ending in endings)
    return next(candidate for candidate in candidates if not taken(candidate))


def text_id(message_id: str) -> str:
    """`task_` and 8 hex digits of a message's own id, the same whenever it is asked.

    Of a UUID the last 8: a UUIDv7 begins with the time, which two messages may share.
    Of an id that is not made of hex digits, its SHA-256 stands in.
    """
    digits = message_id.lower().replace("-", "")
    if HEX.fullmatch(digits):
        return f"task_{digits[-8:]}"
    return f"task_{hashlib.sha256(message_id.encode('utf-8', 'surrogateescape')).hexdigest()[:8]}"
