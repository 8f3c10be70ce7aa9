"""The words for the disk: how much room there is, what could not be written, what is done then."""

from collections.abc import Mapping
from typing import Any, Final

from adapters.cli.moments import ago, minute, span
from adapters.cli.words.telling import Data, Telling
from schemas import names
from schemas.shown import shown

REMEDY: Final = "make room, and it goes on by itself"


def size(number: int) -> str:
    """Bytes as megabytes, or as what they are where they are few."""
    return f"{number / 2**20:.1f} MB" if number >= 2**20 // 10 else f"{number} bytes"


def low_in_words(low: Mapping[str, Any], now: int) -> str:
    """For `evt status`: `low` as the view has it, with what is free at this moment."""
    reserve = f", DISK_RESERVE_MB keeps {size(low['reserve_bytes'])}" if low["reserve_bytes"] else ""
    there = f"{size(low['free_now'])} free on {shown(low['path'])}{reserve}"
    return f"low since {ago(low['since'], now)}: {there}: nothing is begun; {REMEDY}"


def _low(data: Data) -> str:
    if data["refused_since"] is not None:
        return f"the log found no room from {minute(data['refused_since'])} on; nothing was begun meanwhile"
    there = f"{size(data['free_bytes'])} free on {data['path']}, less than {size(data['reserve_bytes'])}"
    return f"{there}: nothing is begun until there is room"


def _failed(data: Data) -> str:
    path, problem = data["path"], data["problem"]
    return f"{path} could not be written ({problem}): what it says stands in the log; it is tried again"


DISK: Final[Mapping[str, Telling]] = {
    names.DISK_LOW: Telling("red", _low),
    names.DISK_RESTORED: Telling(
        "green", lambda data: f"{size(data['free_bytes'])} free on {data['path']}: everything goes on"
    ),
    names.MIRROR_LAGGING: Telling(
        "red", lambda data: f"the mirror lacks {data['behind']} events ({data['problem']}); the log goes on"
    ),
    names.MIRROR_RESTORED: Telling(
        "green", lambda data: f"the mirror has all events again, after {span(round(data['lagged_s'] * 1e6))}"
    ),
    names.VIEWS_LAGGING: Telling(
        "red", lambda data: f"the views cannot be stored ({data['problem']}); readers fold the log instead"
    ),
    names.VIEWS_RESTORED: Telling(
        "green", lambda data: f"the views are stored again, after {span(round(data['lagged_s'] * 1e6))}"
    ),
    names.ARTIFACT_FAILED: Telling("red", _failed),
}
