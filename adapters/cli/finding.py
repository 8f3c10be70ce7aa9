"""Which task somebody means: its id or the beginning of it, ignoring case."""

import difflib
from typing import Final

from adapters.cli.failure import NOT_FOUND, USAGE, Failure
from projections.projection import Row
from projections.view_rows import ViewRows
from schemas.shown import quoted, shown

CANDIDATES: Final = 10
NEAR_AMONG: Final = 5000
"""Comparing is slow: the nearest name is sought among so many."""


def find_task(views: ViewRows, text: str) -> tuple[str, Row]:
    """Its row in the view `tasks` and the key of it. Raises Failure (2 for several, 6 for none).

    A refusal is found as `refused-POSITION`, as `list` shows it, by its file's name, or by the id
    that the file bears in the archive.
    """
    wanted = text.strip().lower()
    if not wanted:
        raise Failure(USAGE, "usage", "an empty id names no task.", "`evt list` shows all of them.")
    row = views.row("tasks", wanted)
    if row is not None:
        return wanted, row
    rows = views.rows("tasks")
    found = [key for key in rows if key.startswith(wanted)]
    if not found:
        refused = {key: str(row["refused_id"]).lower() for key, row in rows.items() if row.get("refused_id")}
        # `bad-1234abcd`: the file's name, and what tells it from others of that name.
        found = [key for key, known in refused.items() if wanted in (known, known.rpartition("-")[0])]
        found = found or [key for key, known in refused.items() if known.startswith(wanted)]
    if len(found) == 1:
        return found[0], rows[found[0]]
    if found:
        more = f" and {len(found) - CANDIDATES} more" if len(found) > CANDIDATES else ""
        several = ", ".join(map(shown, found[:CANDIDATES]))
        sentence = f"{quoted(text)} could be any of {len(found)} tasks: {several}{more}."
        raise Failure(USAGE, "ambiguous", sentence, "Name one of them.")
    near = difflib.get_close_matches(wanted[:64], list(rows)[-NEAR_AMONG:], n=1)
    hint = f"Did you mean {shown(near[0])}?" if near else "`evt list` shows all tasks."
    raise Failure(NOT_FOUND, "not_found", f"there is no task {quoted(text)}.", hint)
