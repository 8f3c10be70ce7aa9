"""Where a task's events stand in the log, or a refusal's: the view of tasks knows."""

from typing import NamedTuple

from adapters.cli.call import Call
from adapters.cli.finding import find_task
from adapters.cli.reading import reading
from projections.to_archive import refused_subject
from schemas import names


class Standing(NamedTuple):
    """The stream of a task; of a refusal its position, and the file that is archived for it."""

    stream: str | None
    refusal: int | None
    subject: str | None


def events_of(call: Call, task_id: str) -> Standing:
    """Raises Failure, LogUnreadable."""
    with reading(call) as found:
        key, row = find_task(found.views, task_id)
        if row["status"] == "refused":
            return Standing(None, found.views.written_at("tasks", key), refused_subject(row["refused_id"]))
        return Standing(names.task_stream(key), None, None)
