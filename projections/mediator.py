"""mediator: how the local model has answered of late, in one row; whoever asks it looks here first.

`failures` counts its server's failures in a row; an answer that could not be used is no failure of that kind.
"""

from typing import Final

from eventstore.event import Recorded
from projections.projection import Projection, Row
from schemas import names

KEY: Final = "model"

FRESH: Final[Row] = {
    "model": None,
    "asked": 0,
    "answered": 0,
    "failures": 0,
    "failed_at": None,
    "fallback": None,
    "sentence": None,
    "answered_at": None,
    "prompt_tokens": 0,
    "output_tokens": 0,
}


def _keys(event: Recorded) -> tuple[str, ...]:
    return (KEY,)


def _apply(key: str, row: Row | None, event: Recorded) -> Row | None:
    before = FRESH if row is None else row
    data = event.data
    if not data["asked"]:
        return row
    new = {**before, "model": data["model"], "asked": before["asked"] + 1}
    for name in ("prompt_tokens", "output_tokens"):
        new[name] = before[name] + (data[name] or 0)
    if data["by"] == "model":
        return {**new, **_WELL, "answered": before["answered"] + 1, "answered_at": event.time}
    told = {"fallback": data["fallback"], "sentence": data["sentence"]}
    if data["fallback"] in names.MODEL_FAILURES:
        return {**new, **told, "failures": before["failures"] + 1, "failed_at": event.time}
    return {**new, **_WELL, **told}


_WELL: Final[Row] = {"failures": 0, "failed_at": None, "fallback": None, "sentence": None}

PROJECTION: Final = Projection(
    name="mediator", version=1, types=frozenset({names.MEDIATION_FINISHED}), keys=_keys, apply=_apply
)
