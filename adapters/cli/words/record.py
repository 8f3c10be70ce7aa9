"""The words for what the log says of itself: tree heads, keys, erasures."""

from collections.abc import Mapping
from typing import Final

from adapters.cli.words.telling import Data, Telling
from schemas import names

WHY: Final = {
    "events": "enough events had come",
    "time": "a minute after the last ones",
    "shutdown": "at the end of the service",
    "verb": "at the end of a verb",
    "rotation": "for a new key",
    "erasure": "before an erasure",
}


def _head(data: Data) -> str:
    before = f"after the one over {data['size_before']} events" if data["size_before"] else "the first one"
    return f"{WHY.get(data['reason'], data['reason'])}, {before}, with key {data['key']}"


def _key(data: Data) -> str:
    before = f"in place of {data['previous']}" if data["previous"] else "in place of one that is lost"
    return f"{data['key']} {before}"


def _erased(data: Data) -> str:
    blobs = f" and {len(data['blobs'])} blobs" if data["blobs"] else ""
    return f"event {data['position']} ({', '.join(data['fields'])}){blobs}: {data['reason']}"


def _finished(data: Data) -> str:
    return f"event {data['position']}, written anew: {', '.join(data['files'])}"


RECORD: Final[Mapping[str, Telling]] = {
    names.TREE_HEAD_SIGNED: Telling("dim", _head),
    names.TREE_HEAD_REFUSED: Telling("red", lambda data: str(data["problem"])),
    names.SIGNING_KEY_CHANGED: Telling("yellow", _key),
    names.EVENT_ERASED: Telling("yellow", _erased),
    names.ERASURE_FINISHED: Telling("dim", _finished),
}
