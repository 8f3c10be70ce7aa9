"""The SQLite log keeps the contract, opened again and again, and nobody changes what it holds."""

import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from eventstore.bell import WORD, stamp_of
from eventstore.event import ANY, NO_STREAM, Place
from eventstore.log import WrongExpectedVersion
from eventstore.sqlite import heads as sqlite_heads
from eventstore.sqlite.log import SqliteLog
from eventstore.unknown_types import unknown_types
from tests.log_contract import START, LogContract, fact, facts, numbers


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.db"


@pytest.fixture
def log(path: Path) -> Iterator[SqliteLog]:
    log = SqliteLog.create(path)
    yield log
    log.close()


class TestSqliteLog(LogContract):
    pass


class TestSqliteLogThatSavesItsHeadsOften(LogContract):
    @pytest.fixture(autouse=True)
    def often(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sqlite_heads, "CHECKPOINT_EVERY", 2)
        monkeypatch.setattr(sqlite_heads, "KEPT_HEADS", 1)
        monkeypatch.setattr(sqlite_heads, "KEPT_STREAMS_OF_IDS", 1)


def rows(path: Path, query: str) -> list[Any]:
    connection = apsw.Connection(str(path))
    try:
        return list(connection.execute(query))
    finally:
        connection.close()


def test_a_log_opened_again_goes_on_where_it_stood(log: SqliteLog, path: Path) -> None:
    log.append("a-1", facts(0, 1), NO_STREAM)
    log.close()
    again = SqliteLog(path)
    assert again.append("a-1", facts(2), 1) == (Place(3, 2),)
    assert again.append("a-1", facts(0, 1), NO_STREAM) == (Place(1, 0), Place(2, 1))
    assert numbers(again.all()) == [0, 1, 2]
    again.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET line = x'00' WHERE global_position = 1",
        "UPDATE events SET time = 0",
        "UPDATE OR REPLACE events SET global_position = 2 WHERE global_position = 1",
        "DELETE FROM events WHERE global_position = 2",
        "DELETE FROM events",
        "INSERT OR REPLACE INTO events SELECT * FROM events WHERE global_position = 1",
        "REPLACE INTO events VALUES (2, 's', 0, 0, 't', 0, x'00')",
        "INSERT OR IGNORE INTO events VALUES (1, 's', 0, 0, 't', 0, x'00')",
        "INSERT INTO events VALUES (4, 's', 0, 0, 't', 0, x'00')",
        "INSERT INTO events VALUES (0, 's', 0, 0, 't', 0, x'00')",
        "INSERT INTO events VALUES (NULL, 's', 0, 0, 't', 0, x'00')",
        "INSERT INTO events SELECT * FROM events WHERE true ON CONFLICT DO UPDATE SET time = 1",
    ],
)
def test_no_statement_changes_removes_replaces_or_reorders_an_event(
    log: SqliteLog, path: Path, statement: str
) -> None:
    log.append("a-1", facts(0, 1), NO_STREAM)
    before = rows(path, "SELECT * FROM events")
    with pytest.raises(apsw.ConstraintError, match="an event is"):
        rows(path, statement)
    assert rows(path, "SELECT * FROM events") == before


def test_two_logs_on_one_file_see_each_others_events(log: SqliteLog, path: Path) -> None:
    other = SqliteLog(path)
    log.append("a-1", facts(0), NO_STREAM)
    assert other.append("a-1", facts(1), 0) == (Place(2, 1),)
    with pytest.raises(WrongExpectedVersion) as refusal:
        log.append("a-1", facts(2), 0)
    assert refusal.value.actual == 1
    assert log.append("a-1", facts(1), ANY) == (Place(2, 1),)
    assert numbers(log.stream("a-1")) == numbers(other.all()) == [0, 1]
    other.close()


def test_any_knows_a_repeat_of_what_another_log_has_appended_meanwhile(log: SqliteLog, path: Path) -> None:
    other = SqliteLog(path)
    log.append("a-1", facts(0), ANY)
    log.append("a-1", facts(1), ANY)
    place = other.append("a-1", facts(2), ANY)
    assert log.append("a-1", facts(2), ANY) == place
    assert log.head() == 3
    other.close()


def test_heads_are_saved_by_whoever_appends_and_stay_right(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_heads, "CHECKPOINT_EVERY", 5)
    log = SqliteLog.create(path)
    other = SqliteLog(path)
    for number in range(60):
        stream = f"s-{number % 7}"
        (log if number % 3 else other).append(stream, facts(number), ANY)
    ends = {f"s-{n}": (len(range(n, 60, 7)) - 1) for n in range(7)}
    (saved,) = rows(path, "SELECT global_position FROM checkpoint")[0]
    assert 55 <= saved <= 60
    for name, position, place in rows(path, "SELECT * FROM heads"):
        assert rows(path, f"SELECT stream, position FROM events WHERE global_position = {place}") == [
            (name, position)
        ]
    log.close()
    third = SqliteLog(path)
    for stream, position in ends.items():
        assert third.append(stream, [fact(100, id=f"new-{stream}")], position)[0].position == position + 1
    third.close()
    other.close()


def test_prev_leads_from_each_event_to_the_one_before_in_its_stream(log: SqliteLog, path: Path) -> None:
    for number in range(9):
        log.append(f"s-{number % 3}", facts(number), ANY)
    found = rows(path, "SELECT global_position, prev FROM events ORDER BY 1")
    assert found == [(place, max(0, place - 3)) for place in range(1, 10)]


def test_columns_are_copies_of_the_line(log: SqliteLog, path: Path) -> None:
    log.append("a-1", facts(3), NO_STREAM)
    (recorded,) = log.all()
    assert rows(path, "SELECT stream, position, type, time, line FROM events") == [
        ("a-1", 0, "thing_happened", START + 3, recorded.line)
    ]


def test_a_commit_is_synced_before_it_is_acknowledged(log: SqliteLog) -> None:
    assert log._connection.pragma("journal_mode") == "wal"
    assert log._connection.pragma("synchronous") == 2  # FULL
    assert log._connection.pragma("fullfsync") == 1


@pytest.mark.parametrize("at", ["INSERT INTO events", "COMMIT"])
def test_a_failed_append_leaves_nothing_and_the_next_one_succeeds(log: SqliteLog, at: str) -> None:
    log.append("a-1", facts(0), ANY)

    def refuse(cursor: object, statement: str, bindings: object) -> bool:
        if statement.startswith(at):
            raise MemoryError("planted")
        return True

    log._connection.exec_trace = refuse
    with pytest.raises(MemoryError):
        log.append("a-1", facts(1), ANY)
    log._connection.exec_trace = None
    assert numbers(log.all()) == numbers(log.stream("a-1")) == [0]
    assert log.append("a-1", facts(1, 2), 0) == (Place(2, 1), Place(3, 2))


def test_a_full_disk_is_an_os_error_and_work_goes_on_when_there_is_space(log: SqliteLog, path: Path) -> None:
    log.append("a-1", facts(0), NO_STREAM)
    pages = log._connection.pragma("page_count")
    log._connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(OSError, match="no space left"):
        log.append("a-1", [fact(1, data={"text": "x" * 100_000})], 0)
    log._connection.execute("PRAGMA max_page_count = 1000000")
    assert log.append("a-1", facts(2), 0) == (Place(2, 1),)


def test_after_a_failed_sync_nothing_more_is_appended_but_all_can_be_read(log: SqliteLog) -> None:
    log.append("a-1", facts(0), NO_STREAM)

    def fail(cursor: object, statement: str, bindings: object) -> bool:
        if statement == "COMMIT":
            raise apsw.IOError("planted")
        return True

    log._connection.exec_trace = fail
    for _ in range(2):
        with pytest.raises(OSError, match="disk failed"):
            log.append("a-1", facts(1), 0)
        log._connection.exec_trace = None
    assert numbers(log.all()) == [0]


def test_threads_take_turns(log: SqliteLog) -> None:
    def append(name: int) -> None:
        for number in range(20):
            log.append(f"s-{name}", [fact(number, f"t{name}")], ANY)
            assert len(list(log.stream(f"s-{name}"))) == number + 1

    threads = [threading.Thread(target=append, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [event.global_position for event in log.all()] == list(range(1, 81))
    assert all(len(list(log.stream(f"s-{name}"))) == 20 for name in range(4))


def test_a_slow_reader_keeps_no_transaction_open(log: SqliteLog, path: Path) -> None:
    log.append("a-1", facts(*range(3)), NO_STREAM)
    readers = [log.all(), log.stream("a-1")]
    assert [next(reader).position for reader in readers] == [0, 0]
    # A checkpoint in the way of no reader brings everything over.
    busy, frames, moved = rows(path, "PRAGMA wal_checkpoint(RESTART)")[0]
    assert (busy, frames) == (0, moved)


def test_the_data_version_tells_of_others_appends_only(log: SqliteLog, path: Path) -> None:
    other = SqliteLog(path)
    before = log.data_version()
    log.append("a-1", facts(0), ANY)
    assert log.data_version() == before
    other.append("a-1", facts(1), ANY)
    assert log.data_version() != before
    other.close()


def test_the_bell_rings_once_for_each_commit_and_stays_small(log: SqliteLog, path: Path) -> None:
    bell = path.with_name(".bell")
    words = [stamp_of(bell)]
    for number in range(20):
        log.append("a-1", facts(number, number + 100), ANY)
        words.append(stamp_of(bell))
    assert words[0] is None
    assert len(set(words)) == 21
    log.append("a-1", facts(0, 100), NO_STREAM)  # a repeat adds nothing
    with pytest.raises(WrongExpectedVersion):
        log.append("a-1", facts(7), 999)
    assert stamp_of(bell) == words[-1]
    assert bell.stat().st_size == WORD


def test_a_bell_of_another_form_is_taken_over(log: SqliteLog, path: Path) -> None:
    bell = path.with_name(".bell")
    bell.write_bytes(b"." * 4096)
    log.append("a-1", facts(0), ANY)
    assert bell.stat().st_size == WORD


@pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be removed there")
def test_a_bell_that_was_removed_is_made_again(log: SqliteLog, path: Path) -> None:
    bell = path.with_name(".bell")
    log.append("a-1", facts(0), ANY)
    before = stamp_of(bell)
    bell.unlink()
    log.append("a-1", facts(1), ANY)
    assert stamp_of(bell) not in (None, before)


def test_an_append_counts_though_its_bell_cannot_ring(log: SqliteLog, path: Path) -> None:
    path.with_name(".bell").mkdir()
    assert log.append("a-1", facts(0), NO_STREAM) == (Place(1, 0),)
    assert log.head() == 1


def test_types_are_counted_without_reading_a_line(log: SqliteLog) -> None:
    log.append("a-1", [fact(0, "known"), fact(1, "z_new"), fact(2, "z_new")], NO_STREAM)
    assert unknown_types(log, {"known"}) == {"z_new": 2}


def test_large_lines_come_page_by_page_and_none_is_lost(log: SqliteLog) -> None:
    text = "x" * 1_500_000
    log.append("a-1", [fact(number, data={"number": number, "text": text}) for number in range(9)], ANY)
    assert numbers(log.all()) == numbers(log.stream("a-1")) == list(range(9))
    assert numbers(log.all(types=frozenset({"thing_happened"}))) == list(range(9))
