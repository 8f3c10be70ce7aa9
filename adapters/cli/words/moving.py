"""The words for what was done to the whole log."""

from collections.abc import Mapping
from typing import Final

from adapters.cli.words.telling import Data, Telling
from schemas import names


def _recovered(data: Data) -> str:
    kept = f"; what stood there is kept in {data['kept_as']}" if data["kept_as"] else ""
    return f"{data['events']} events, because {data['problem']}{kept}"


MOVING: Final[Mapping[str, Telling]] = {
    names.LOG_RECOVERED: Telling("yellow", _recovered),
    names.BACKUP_MADE: Telling(
        "dim", lambda data: f"events 1 to {data['position']}, in {data['destination']}"
    ),
}
