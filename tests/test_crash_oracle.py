"""What a crash could break is seen by the eye that looks for it: planted losses, gaps, torn records."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from eventstore.event import ANY
from eventstore.sqlite.log import SqliteLog
from schemas import names
from tests.homes import BuiltHome
from tests.log_contract import fact
from tests.unguarded import unguarded
from tools.crash import oracle, tracing
from tools.crash.faults import synced_again
from tools.crash.sandbox import LOG, lines
from tools.crash.witness import Ack


@pytest.fixture
def home(tmp_path: Path) -> Path:
    with BuiltHome(tmp_path / "home") as built:
        built.queue("alpha")
        built.queue("beta")
        built.store_views()
    return built.root


def acks(home: Path) -> list[Ack]:
    log = SqliteLog(home / LOG, read_only=True)
    try:
        return [Ack(event.global_position, event.position, event.stream, event.id) for event in log.all()]
    finally:
        log.close()


def change(home: Path, *statements: str) -> None:
    """As no program of ours could: without the guards."""
    with unguarded(home / LOG) as connection:
        for statement in statements:
            connection.execute(statement).fetchall()


def test_a_home_that_nothing_happened_to_is_well(home: Path) -> None:
    before, told = lines(home), acks(home)
    assert oracle.wrong_log(home, before, told) == []
    assert oracle.wrong_views(home) == []
    assert oracle.litter(home) == []


PLANTED: dict[str, Callable[[Path], object]] = {
    "event 5 of task-beta was acknowledged and is lost": lambda home: change(
        home, "DELETE FROM events WHERE global_position = 5"
    ),
    "the log cannot be read": lambda home: change(home, "DELETE FROM events WHERE global_position = 3"),
    "of the 5 events that stood there before, 2 is not the same": lambda home: change(
        home,
        "UPDATE events SET line = CAST(replace(line, 'alpha', 'alphb') AS BLOB) WHERE global_position = 2",
    ),
    "event 3 says another place or type than its columns": lambda home: change(
        home, "UPDATE events SET type = 'task_paused' WHERE global_position = 3"
    ),
    "event 4 is another one than was acknowledged": lambda home: change(
        home,
        "CREATE TEMP TABLE other AS SELECT line FROM events WHERE global_position = 5",
        "UPDATE events SET line = (SELECT line FROM other) WHERE global_position = 4",
    ),
    "the log is gone": lambda home: (home / LOG).unlink(),
    "the log does not open": lambda home: (home / LOG).write_text("no log", encoding="utf-8"),
}


@pytest.mark.parametrize("said", PLANTED)
def test_a_planted_damage_of_the_log_is_seen(home: Path, said: str) -> None:
    before, told = lines(home), acks(home)
    PLANTED[said](home)
    assert any(sentence.startswith(said) for sentence in oracle.wrong_log(home, before, told))


def test_a_changed_mirror_a_planted_row_and_litter_are_seen(home: Path) -> None:
    good = b"".join(line + b"\n" for line in lines(home))
    (home / oracle.MIRROR).write_bytes(good)
    assert oracle.wrong_mirror(home) == []
    (home / oracle.MIRROR).write_bytes(good[:-1])
    assert oracle.wrong_mirror(home) == ["the mirror is not the log, byte for byte"]
    with closing(sqlite3.connect(home / oracle.VIEWS, isolation_level=None)) as views:
        views.execute("UPDATE queue SET row = ? WHERE key = 'alpha'", ('{"status":"dreaming"}',))
    assert any("dreaming" in sentence for sentence in oracle.wrong_views(home))
    (home / "results" / ".0123456789abcdef.tmp").touch()
    assert oracle.litter(home) == ["results/.0123456789abcdef.tmp was left behind"]


def test_a_task_without_a_place_is_half_done(home: Path) -> None:
    said = "task gamma has no place in the queue"
    assert said not in oracle.half_done(home)
    log = SqliteLog(home / LOG)
    received = next(event for event in log.all() if event.type == names.TASK_RECEIVED)
    log.append("task-gamma", [fact(1, names.TASK_RECEIVED, data={**received.data, "task_id": "gamma"})], ANY)
    log.close()
    assert said in oracle.half_done(home)


TRACE = """\
71 pwrite64(4</h/logs/events.db-wal>, ""..., 24, 0) = 24
71 fdatasync(4</h/logs/events.db-wal>) = -1 EIO (Input/output error) (INJECTED)
72 write(5</h/logs/.bell>, ""..., 1 <unfinished ...>
71 fdatasync(4</h/logs/events.db-wal> <unfinished ...>
72 <... write resumed>)                 = 1
71 <... fdatasync resumed>)             = 0
71 rename("/h/results/.a.tmp", "/h/results/a.json") = 0
71 unlink("/h/logs/events.db-wal")      = ?
71 +++ killed by SIGKILL +++
"""


def test_a_trace_tells_each_call_of_each_thread_and_a_sync_that_was_tried_again(tmp_path: Path) -> None:
    (tmp_path / "trace.txt").write_text(TRACE, encoding="utf-8")
    calls = tracing.calls(tmp_path / "trace.txt")
    assert [(call.thread, call.name, call.number) for call in calls] == [
        (71, "pwrite64", 1),
        (71, "fdatasync", 1),
        (72, "write", 1),
        (71, "fdatasync", 2),
        (71, "rename", 1),
        (71, "unlink", 1),
    ]
    assert [call.path for call in calls][2:5] == [
        "/h/logs/.bell",
        "/h/logs/events.db-wal",
        "/h/results/.a.tmp",
    ]
    assert [call.injected for call in calls] == [False, True, False, False, False, False]
    assert synced_again(calls) == ["events.db-wal was synced again after a sync of it had failed"]
    assert synced_again(calls[2:]) == []
