"""The views' database: it equals a fold of the log whatever happens to it, and readers never need it."""

import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventstore.memory_log import MemoryLog
from eventstore.sqlite.log import SqliteLog
from projections import batch, metrics, tasks, views
from projections.all_views import ALL, BY_NAME
from projections.comparison import differences
from projections.live import LiveViews
from projections.projection import Projection, Row
from projections.view_rows import ViewRows
from projections.views import Views
from schemas import names
from schemas.executor import QueuePaused
from tests.grown_lives import Grown
from tests.life_cycles import Lives, cancelled, received

NUMBERS = list(range(3, 4000, 37))
READING = "projections.view_rows", "projections.all_views", "projections.comparison", "projections.artifact"


@pytest.fixture
def lives() -> Grown:
    grown = Grown(MemoryLog())
    grown.grow(NUMBERS)
    return grown


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "views.db"


def caught_up(path: Path, lives: Lives, projections: tuple[Projection, ...] = ALL) -> list[str]:
    """Bring the file up to the log's head; the repairs that it took."""
    stored = Views(path, projections)
    try:
        assert stored.catch_up(lives.log) == lives.log.head()
        return stored.repairs
    finally:
        stored.close()


def is_identical(path: Path, lives: Lives) -> bool:
    return differences(path, lives.log, ALL).identical


def fold(lives: Lives) -> dict[str, dict[str, Row]]:
    live = LiveViews(ALL)
    live.apply(lives.log.all())
    return {projection.name: live.rows(projection.name) for projection in ALL}


def read(path: Path, lives: Lives) -> tuple[dict[str, dict[str, Row]], str | None]:
    with ViewRows.open(path, lives.log, ALL) as rows:
        return {projection.name: rows.rows(projection.name) for projection in ALL}, rows.problem


def tamper(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(statement)
    connection.close()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(st.integers(0, 5000), max_size=40), max_size=4), st.integers(1, 9))
def test_views_that_grew_step_by_step_equal_a_fresh_fold(steps: list[list[int]], batch: int) -> None:
    lives = Grown(MemoryLog())
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(views, "BATCH", batch)
        path = Path(folder) / "views.db"
        for numbers in steps:
            lives.grow(numbers)
            # The reader overlays the tail before the writer has stored it.
            assert read(path, lives)[0] == fold(lives)
            assert caught_up(path, lives) == []
        caught_up(path, lives)
        assert is_identical(path, lives)
        assert read(path, lives) == (fold(lives), None)


def test_the_views_of_the_log_on_disk_equal_those_of_the_log_in_memory(path: Path, tmp_path: Path) -> None:
    log = SqliteLog.create(tmp_path / "events.db")
    on_disk, in_memory = Grown(log), Grown(MemoryLog())
    on_disk.grow(NUMBERS)
    in_memory.grow(NUMBERS)
    caught_up(path, on_disk)
    assert read(path, on_disk) == (fold(in_memory), None)
    assert is_identical(path, on_disk)
    log.close()


def test_progress_is_told_after_each_batch(path: Path, lives: Grown, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "BATCH", 10)
    told: list[tuple[int, int]] = []
    stored = Views(path, ALL)
    stored.catch_up(lives.log, lambda position, head: told.append((position, head)))
    stored.close()
    head = lives.log.head()
    assert told == [(min(position, head), head) for position in range(10, head + 10, 10)]


def test_rows_are_read_one_by_one_as_all_together(path: Path, lives: Grown) -> None:
    caught_up(path, lives)
    lives.grow([7, 19, 601])
    with ViewRows.open(path, lives.log, ALL) as rows:
        assert rows.position == lives.log.head()
        for key, found in rows.written("tasks").items():
            assert rows.row("tasks", key) == found.row
            assert rows.written_at("tasks", key) == found.global_position
        assert rows.row("tasks", "nobody") is None
        assert rows.written_at("tasks", "nobody") is None


def test_a_reader_answers_for_one_moment(path: Path, lives: Grown) -> None:
    caught_up(path, lives)
    with ViewRows.open(path, lives.log, ALL) as rows:
        before = fold(lives)
        lives.grow(range(1, 900, 31))
        caught_up(path, lives)
        assert {projection.name: rows.rows(projection.name) for projection in ALL} == before


def test_without_a_file_a_reader_folds_the_log_and_says_why(path: Path, lives: Grown) -> None:
    rows, problem = read(path, lives)
    assert rows == fold(lives)
    assert problem is not None
    assert "views.db" in problem
    assert not path.exists()


def test_a_projection_of_a_new_version_is_dropped_and_folded_again(path: Path, lives: Grown) -> None:
    def lying(key: str, row: Row | None, event: object) -> Row:
        return {"lie": key}

    old = tasks.PROJECTION._replace(apply=lying, version=0)
    others = tuple(projection for projection in ALL if projection is not tasks.PROJECTION)
    caught_up(path, lives, (old, *others))
    assert read(path, lives)[0] == fold(lives)
    assert caught_up(path, lives) == []
    assert is_identical(path, lives)


def test_views_of_another_log_are_folded_again(path: Path, lives: Grown) -> None:
    other = Grown(MemoryLog())
    other.grow(range(1, 9000, 7))
    caught_up(path, other)
    assert other.log.head() > lives.log.head()
    assert read(path, lives)[0] == fold(lives)
    caught_up(path, lives)
    assert is_identical(path, lives)


def test_views_of_another_log_of_the_same_length_are_folded_again(path: Path) -> None:
    one, other = Lives(MemoryLog()), Lives(MemoryLog())
    one.tell("a", received("a"))
    other.raw("chat-1", "said", {})
    caught_up(path, one)
    assert fold(other) == read(path, other)[0] != fold(one)
    caught_up(path, other)
    assert is_identical(path, other)


def test_a_rebuild_heals_rows_that_somebody_changed(path: Path, lives: Grown) -> None:
    caught_up(path, lives)
    tamper(path, "UPDATE tasks SET row = '{}'")
    assert not is_identical(path, lives)
    stored = Views(path, ALL)
    assert stored.rebuild(lives.log) == lives.log.head()
    stored.close()
    assert is_identical(path, lives)


def test_differences_begin_with_the_row_whose_last_event_came_first(path: Path) -> None:
    lives = Lives(MemoryLog())
    first = lives.tell("a", received("a"))
    lives.whole("b")
    caught_up(path, lives)
    tamper(path, "UPDATE tasks SET row = json_set(row, '$.title', 'x')")
    tamper(path, "INSERT INTO timers VALUES ('ghost', '{}', 7, 0)")
    tamper(path, "DELETE FROM received")
    # What the log gained since is no difference.
    lives.tell("c", received("c"))
    found = differences(path, lives.log, ALL)
    assert [(one.view, one.key) for one in found.differences] == [
        ("received", "a"),
        ("tasks", "a"),
        ("timers", "ghost"),
        ("tasks", "b"),
    ]
    earliest = found.differences[0]
    assert (earliest.global_position, earliest.stored) == (first.global_position, None)
    assert found.events == lives.log.head() - 1
    assert found.not_compared == {}


def test_views_that_are_not_there_are_not_called_identical(path: Path, lives: Grown) -> None:
    found = differences(path, lives.log, ALL)
    assert not found.identical
    assert set(found.not_compared) == {projection.name for projection in ALL}


@pytest.mark.parametrize("content", [b"not a database at all, but long enough to be looked at" * 20])
def test_a_file_that_is_no_database_is_kept_aside(path: Path, lives: Grown, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    assert read(path, lives)[0] == fold(lives)
    assert path.read_bytes() == content
    (repair,) = caught_up(path, lives)
    assert "views.db.aside-1" in repair
    assert path.with_name("views.db.aside-1").read_bytes() == content
    assert is_identical(path, lives)


def test_another_programs_database_is_kept_aside_whole(path: Path, lives: Grown) -> None:
    path.parent.mkdir()
    tamper(path, "CREATE TABLE recipes (name TEXT)")
    tamper(path, "INSERT INTO recipes VALUES ('soup')")
    assert read(path, lives)[0] == fold(lives)
    (repair,) = caught_up(path, lives)
    assert "another program" in repair
    aside = sqlite3.connect(path.with_name("views.db.aside-1"))
    assert aside.execute("SELECT name FROM recipes").fetchall() == [("soup",)]
    aside.close()
    assert is_identical(path, lives)


def test_an_empty_file_is_taken_for_a_new_one(path: Path, lives: Grown) -> None:
    path.parent.mkdir()
    path.touch()
    assert caught_up(path, lives) == []
    assert is_identical(path, lives)


@pytest.mark.parametrize("damage", ["middle", "tail", "header"])
def test_a_torn_file_is_made_anew_and_reported(path: Path, lives: Grown, damage: str) -> None:
    caught_up(path, lives)
    content = bytearray(path.read_bytes())
    match damage:
        case "middle":
            content[4096:] = b"\xa5" * len(content[4096:])
        case "tail":
            del content[len(content) // 2 :]
        case _:
            content[:100] = bytes(100)
    path.write_bytes(content)
    assert read(path, lives)[0] == fold(lives)
    lives.tell("Z", received("Z"), cancelled())
    assert len(caught_up(path, lives)) == 1
    assert is_identical(path, lives)


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE tasks",
        "ALTER TABLE tasks RENAME COLUMN row TO line",
        "UPDATE tasks SET row = 'no json'",
        "UPDATE tasks SET row = '[]'",
        "PRAGMA user_version = 99",
        "UPDATE checkpoints SET global_position = 'abc'",
        "UPDATE checkpoints SET global_position = -3",
        "UPDATE checkpoints SET event_id = x'00ff'",
        "CREATE TRIGGER x BEFORE INSERT ON tasks BEGIN SELECT RAISE(ABORT, 'no'); END",
    ],
)
def test_tables_that_are_not_as_we_made_them_are_made_anew(path: Path, lives: Grown, statement: str) -> None:
    caught_up(path, lives)
    tamper(path, statement)
    assert read(path, lives)[0] == fold(lives)
    for task_id in lives.IDS:
        lives.raw(f"task-{task_id.lower()}", "task_dreamt_of", {})
    assert len(caught_up(path, lives)) == 1
    assert is_identical(path, lives)


def test_lost_checkpoints_are_a_reason_to_fold_again(path: Path, lives: Grown) -> None:
    caught_up(path, lives)
    tamper(path, "DROP TABLE checkpoints")
    assert read(path, lives)[0] == fold(lives)
    caught_up(path, lives)
    assert is_identical(path, lives)


def test_a_file_that_is_deleted_under_a_running_writer_is_made_again(path: Path, lives: Grown) -> None:
    stored = Views(path, ALL)
    stored.catch_up(lives.log)
    for name in ("views.db", "views.db-wal", "views.db-shm"):
        path.with_name(name).unlink(missing_ok=True)
    lives.grow([5, 11])
    stored.catch_up(lives.log)
    assert is_identical(path, lives)
    stored.close()


def test_two_writers_at_once_come_to_the_same_rows(
    path: Path, lives: Grown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "BATCH", 3)
    lives.grow(range(11, 3000, 17))
    repairs: list[list[str]] = []
    threads = [threading.Thread(target=lambda: repairs.append(caught_up(path, lives))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert repairs == [[], [], []]
    assert is_identical(path, lives)


def test_a_batch_is_thrown_away_when_another_writer_was_first(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lives = Lives(MemoryLog())
    lives.tell("a", received("a"))
    ours = batch.next_batch

    def slow(*arguments: object) -> object:
        found = ours(*arguments)  # type: ignore[arg-type]
        monkeypatch.setattr(views, "next_batch", ours)
        caught_up(path, lives)
        return found

    monkeypatch.setattr(views, "next_batch", slow)
    # A count that was added twice would show.
    caught_up(path, lives, (metrics.PROJECTION,))
    assert fold(lives)["metrics"]["all"] == {"received": 1}
    assert is_identical(path, lives)


def test_a_failure_in_a_batch_leaves_rows_and_checkpoint_as_they_were(path: Path, lives: Grown) -> None:
    caught_up(path, lives)
    lives.say(names.SYSTEM, QueuePaused(reason="enough"))

    def failing(key: str, row: Row | None, event: object) -> Row:
        raise RuntimeError("a bug")

    others = tuple(view for view in ALL if view.name != "executors")
    broken = BY_NAME["executors"]._replace(apply=failing)
    stored = Views(path, (*others, broken))
    with pytest.raises(RuntimeError, match="a bug"):
        stored.catch_up(lives.log)
    stored.close()
    before = differences(path, lives.log, ALL)
    assert set(before.compared.values()) == {lives.log.head() - 1}
    assert before.identical


def test_a_locked_file_is_waited_for_and_not_thrown_away(
    path: Path, lives: Grown, monkeypatch: pytest.MonkeyPatch
) -> None:
    caught_up(path, lives)
    monkeypatch.setattr(views, "BUSY_S", 0.0)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    lives.grow([5])
    stored = Views(path, ALL)
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        stored.catch_up(lives.log)
    assert stored.repairs == []
    holder.execute("ROLLBACK")
    holder.close()
    stored.catch_up(lives.log)
    stored.close()
    assert is_identical(path, lives)


def test_reading_the_views_imports_nothing_heavy() -> None:
    modules = ", ".join(READING)
    heavy = {"pydantic", "sqlite_utils", "trio", "rich", "apsw"}
    program = f"import sys, {modules}; print(sorted({heavy!r} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, encoding="utf-8")
    assert (run.stdout.strip(), run.stderr) == ("[]", "")
