"""The words for what was done to the whole log."""

from collections.abc import Mapping
from typing import Final

from adapters.cli.words.telling import Data, Telling
from schemas import names


def _recovered(data: Data) -> str:
    kept = f"; what stood there is kept in {data['kept_as']}" if data["kept_as"] else ""
    return f"{data['events']} events, because {data['problem']}{kept}"


def _adopted(data: Data) -> str:
    waited = f"{len(data['pending'])} files that waited lie in tasks/"
    left = f"; {'; '.join(data['left'])}" if data["left"] else ""
    return f"{len(data['moved'])} records moved to logs/v1, {waited}{left}"


MOVING: Final[Mapping[str, Telling]] = {
    names.FIRST_SYSTEM_ADOPTED: Telling("green", _adopted),
    names.LOG_RECOVERED: Telling("yellow", _recovered),
    names.BACKUP_MADE: Telling(
        "dim", lambda data: f"events 1 to {data['position']}, in {data['destination']}"
    ),
}
