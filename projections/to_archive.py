"""to_archive: task files and where they belong; the archiver drains what is `pending`.

A row outlives its first move: it is kept, not pending, while the task is under way,
and deleted when the receipt for the final place stands in the log, or when the file was gone.
"""

from typing import Final

from eventstore.event import Recorded
from projections.projection import Projection, Row
from schemas import names

FOLDER: Final = "tasks/processed"


def refused_subject(refused_id: str) -> str:
    return f"refused-{refused_id}"


def subject_of(event: Recorded) -> str:
    """The key of the task (its id in lower case) or of the refusal that a file belongs to."""
    if event.type == names.TASK_REFUSED:
        return refused_subject(event.data["refused_id"])
    return names.task_of(event.stream) or str(event.data["subject"])


def _keys(event: Recorded) -> tuple[str, ...]:
    if event.type in (names.TASK_REFUSED, names.TASK_RECEIVED):
        return () if event.data["file_name"] is None else (subject_of(event),)
    if event.type != names.TASK_ARCHIVED and names.task_of(event.stream) is None:
        return ()
    return (subject_of(event),)


def _apply(key: str, row: Row | None, event: Recorded) -> Row | None:
    match event.type:
        case names.TASK_RECEIVED:
            task_id = event.data["task_id"]
            return _arrived(event, task_id, task_id, _place(task_id, "queued"), "queued")
        case names.TASK_REFUSED:
            return _refused(event, key)
        case names.TASK_ARCHIVED:
            return None if row is None else _archived(row, event)
        case names.RETRY_REQUESTED:
            return _again(row, event, key)
        case _:
            if row is None:
                return None
            status = names.STATUS_OF_END[event.type]
            if row["have"] == _place(row["task_id"], status) and not row["pending"]:
                return None  # ended as it did before it was done again: its file lies there already
            return {**row, "want": _place(row["task_id"], status), "status": status, "pending": True}


def _place(task_id: str, status: str) -> str:
    return f"{FOLDER}/{task_id}.{status}.task.md"


def _arrived(event: Recorded, subject: str, task_id: str | None, want: str, status: str) -> Row:
    return {
        "subject": subject,
        "task_id": task_id,
        "file_name": event.data["file_name"],
        "content_sha256": event.data["content_sha256"],
        "have": None,
        "want": want,
        "status": status,
        "pending": True,
        "reason": None,
    }


def _again(row: Row | None, event: Recorded, key: str) -> Row | None:
    """A task whose file rests already gets its row back: the file follows its next end too."""
    place = event.data["archived"]
    if row is not None:
        # Its file may be on the way to the place of the end before: that receipt is not the last one now.
        return {**row, "status": "queued", "want": row["have"] or row["want"], "pending": row["have"] is None}
    if place is None:
        return None
    return {
        "subject": event.data["task_id"],
        "task_id": event.data["task_id"],
        "file_name": None,
        "content_sha256": None,
        "have": place,
        "want": place,
        "status": "queued",
        "pending": False,
        "reason": None,
    }


def _refused(event: Recorded, subject: str) -> Row:
    data = event.data
    place = _place(data["refused_id"], "refused")
    reason = {name: data[name] for name in ("code", "reason", "remedy", "line")}
    return {**_arrived(event, subject, None, place, "refused"), "reason": reason}


def _archived(row: Row, event: Recorded) -> Row | None:
    there = event.data["status"] == row["status"]
    if event.data["path"] is None or (there and row["status"] in names.ENDED):
        return None  # what is gone is never moved again
    # The receipt may be for the place before this one: then the file has farther to go.
    return {**row, "have": event.data["path"], "pending": not there}


PROJECTION: Final = Projection(
    name="to_archive",
    version=2,
    types=frozenset({names.TASK_RECEIVED, names.TASK_REFUSED, names.TASK_ARCHIVED, names.RETRY_REQUESTED})
    | names.ENDS,
    keys=_keys,
    apply=_apply,
)
