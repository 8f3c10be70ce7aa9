"""Rows that are sought by a field are those that a look at every row finds."""

import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from eventstore.event import ANY
from eventstore.log import Log
from eventstore.memory_log import MemoryLog
from projections.all_views import BY_NAME
from projections.projection import Row
from projections.view_rows import ViewRows
from projections.views import Views
from schemas import names
from tools.bench import corpus_lives

EVENTS = 1500
TASKS = BY_NAME["tasks"]


@pytest.fixture(scope="module")
def log() -> Log:
    made = MemoryLog()
    for stream, event in corpus_lives.events(EVENTS):
        made.append(stream, [event], ANY)
    return made


class Beginning:
    """A log as it was, for views that are behind."""

    def __init__(self, log: Log, head: int) -> None:
        self.log, self.at = log, head

    def head(self) -> int:
        return self.at

    def __getattr__(self, name: str) -> object:
        return getattr(self.log, name)


@pytest.fixture(params=[0, 1, 700, EVENTS - 1, EVENTS])
def views(request: pytest.FixtureRequest, tmp_path: Path, log: Log) -> Iterator[ViewRows]:
    """Views that were stored when the log was so long; 0: there are none."""
    path = tmp_path / "views.db"
    if request.param:
        writer = Views(path, [TASKS])
        writer.catch_up(Beginning(log, request.param))  # type: ignore[arg-type] # all but its head is the log's
        writer.close()
    with ViewRows.open(path, log, [TASKS]) as found:
        yield found


def ended_last(row: Row, key: str) -> tuple[int, str]:
    return row["ended_at"], key


def test_what_is_sought_is_what_a_look_at_every_row_finds(views: ViewRows, tmp_path: Path) -> None:
    rows = views.rows("tasks")
    counts = views.seek("tasks", lambda tasks: tasks.counts("status", "succeeded"))
    assert counts == Counter(row["status"] for row in rows.values())
    assert len(counts) > 3
    for mostly in (*counts, "no status", ""):
        assert views.seek("tasks", lambda tasks: tasks.counts("status", mostly)) == counts  # noqa: B023
    for wanted in (("queued", "running"), ("received",), tuple(names.ENDED), ()):
        found = views.seek("tasks", lambda tasks: tasks.where("status", wanted))  # noqa: B023
        assert list(found.items()) == [item for item in rows.items() if item[1]["status"] in wanted]
    over = sorted(
        ((key, row) for key, row in rows.items() if row["status"] in names.ENDED),
        key=lambda item: ended_last(item[1], item[0]),
        reverse=True,
    )
    for most in (0, 1, 5, len(over) + 1):
        last = views.seek("tasks", lambda tasks: tasks.last("status", names.ENDED, "ended_at", most))  # noqa: B023
        assert list(last.items()) == over[:most]
    assert views.problem == (None if (tmp_path / "views.db").exists() else "there is no views.db")


def test_stored_rows_are_found_by_the_index(tmp_path: Path, log: Log) -> None:
    path, asked = tmp_path / "views.db", list[str]()
    writer = Views(path, [TASKS])
    writer.catch_up(log)
    writer.close()
    with ViewRows.open(path, log, [TASKS]) as views:
        assert views._connection is not None
        views._connection.set_trace_callback(asked.append)
        views.seek("tasks", lambda tasks: tasks.counts("status", "succeeded"))
        views.seek("tasks", lambda tasks: tasks.where("status", ("queued",)))
        views.seek("tasks", lambda tasks: tasks.last("status", ("failed",), "ended_at", 3))
    connection = sqlite3.connect(path)
    plans = [str(connection.execute(f"EXPLAIN QUERY PLAN {query}").fetchall()) for query in asked]
    connection.close()
    assert len(plans) >= 3
    # All rows are counted by whichever index is small; nothing else goes through all of one.
    through = [query for query, plan in zip(asked, plans, strict=True) if "SCAN" in plan]
    assert through == ['SELECT count(*) FROM "tasks"']
    assert all("tasks_sought" in plan or "COVERING INDEX" in plan for plan in plans)


def test_rows_that_cannot_be_read_are_sought_in_the_log_instead(tmp_path: Path, log: Log) -> None:
    path = tmp_path / "views.db"
    writer = Views(path, [TASKS])
    writer.catch_up(log)
    writer.close()
    connection = sqlite3.connect(path)
    connection.execute("UPDATE tasks SET row = replace(row, 'queued', 'queue\"d')")
    connection.commit()
    connection.close()
    with ViewRows.open(path, log, [TASKS]) as views, ViewRows.open(tmp_path / "none", log, [TASKS]) as folded:
        for found in (views, folded):
            assert found.seek("tasks", lambda tasks: tasks.where("status", ("succeeded",)))
        assert views.rows("tasks") == folded.rows("tasks")
