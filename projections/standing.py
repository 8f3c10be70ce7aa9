"""The status of a task in a row: `status`, `beneath` and `paused`, folded by the one rule there is."""

from typing import Any

from projections.projection import Row
from schemas.standing import UNKNOWN, Standing


def standing_of(row: Row | None) -> Standing:
    return UNKNOWN if row is None else Standing(row["status"], row["beneath"], row["paused"])


def told(standing: Standing) -> dict[str, Any]:
    """The three fields of a row."""
    return {"status": standing.status, "beneath": standing.beneath, "paused": standing.paused}
