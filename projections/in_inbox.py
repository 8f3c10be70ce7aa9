"""in_inbox: files that were taken in or refused and may still lie in the inbox."""

from collections.abc import Iterable
from typing import Final

from eventstore.event import Recorded
from projections.projection import Projection, Row
from projections.to_archive import subject_of
from schemas import names


def lookup(rows: Iterable[Row]) -> dict[tuple[str, str | None], str]:
    """(file name, SHA-256 of its content) → the subject that such a file became."""
    return {(row["file_name"], row["content_sha256"]): row["subject"] for row in rows}


def _keys(event: Recorded) -> tuple[str, ...]:
    if event.type != names.TASK_ARCHIVED and event.data["file_name"] is None:
        return ()
    return (subject_of(event),)


def _apply(key: str, row: Row | None, event: Recorded) -> Row | None:
    if event.type == names.TASK_ARCHIVED:
        return None
    return {
        "subject": event.data.get("task_id", key),
        "file_name": event.data["file_name"],
        "content_sha256": event.data["content_sha256"],
    }


PROJECTION: Final = Projection(
    name="in_inbox",
    version=1,
    types=frozenset({names.TASK_RECEIVED, names.TASK_REFUSED, names.TASK_ARCHIVED}),
    keys=_keys,
    apply=_apply,
)
