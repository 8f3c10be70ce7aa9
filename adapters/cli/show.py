"""All about one task: how it went, what it said, what it changed, what to do next."""

import argparse
from collections.abc import Sequence
from typing import Any

from adapters.cli.call import Call
from adapters.cli.failure import GOOD
from adapters.cli.finding import find_task
from adapters.cli.moments import now
from adapters.cli.ownership import owned
from adapters.cli.reading import Reading, reading
from adapters.cli.task_page import Page, refused_page, task_page
from adapters.cli.words.others import Others
from adapters.cli.words.task import Around, at_work, name_of
from eventstore.event import Recorded
from handlers.scheduling import CLAIMABLE
from projections.projection import Row
from projections.to_archive import refused_subject
from schemas import names


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="the task's id or its beginning, in any case")


def run(call: Call) -> int:
    with reading(call) as found:
        key, row = find_task(found.views, call.args.id)
        artifact = found.views.row("artifacts", key)
        events = _events(found, key, row)
        if call.output.json:
            document: dict[str, Any] = {
                "position": found.views.position,
                "task": {**row, "id": name_of(key, row)},
                "artifact": artifact,
                "events": [event.envelope for event in events],
            }
            call.output.document(document)
            return GOOD
        page = Page(call.output, found.home.root, now())
        if row["status"] == "refused":
            refused_page(page, key, row, events)
        else:
            task_page(page, key, row, events, artifact, _around(found, row, page.now))
    return GOOD


def _around(found: Reading, row: Row, at: int) -> Around:
    """What else matters for one that waits for a worker; of others less is looked up."""
    due = row["status"] in CLAIMABLE
    return Around(
        Others(lambda other: found.views.row("tasks", other)),
        at,
        at_work(found.views.rows("queue").values()) if due else (),
        served=not due or owned(found.home) is not False,
        executors=found.views.rows("executors") if due else {},
    )


def _events(found: Reading, key: str, row: Row) -> Sequence[Recorded]:
    """The task's own stream, or of a refusal its event and where its file went."""
    upto = found.views.position
    if row["status"] != "refused":
        return [event for event in found.log.stream(names.task_stream(key)) if event.global_position <= upto]
    first = found.views.written_at("tasks", key) or 0
    refusal = list(found.log.all(first - 1, first))
    subject = refused_subject(row["refused_id"])
    moved = (
        event
        for event in found.log.stream(names.SYSTEM, refusal[0].position)
        if event.type == names.TASK_ARCHIVED and event.data["subject"] == subject
    )
    return [*refusal, *moved]
