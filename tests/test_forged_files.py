"""Files that somebody has forged: a log with triggers of their own, and views with rows of their own."""

import sqlite3
from contextlib import closing
from pathlib import Path

import apsw
import orjson
import pytest

from eventstore.event import NO_STREAM
from eventstore.log import LogUnreadable
from eventstore.sqlite.belongings import strange
from eventstore.sqlite.log import SqliteLog
from tests.log_contract import facts
from tests.service import events, evt, folder, home_at, task_text

SWALLOW = "CREATE TRIGGER x BEFORE INSERT ON events BEGIN SELECT RAISE(IGNORE); END"
WEAKER = (
    "DROP TRIGGER events_are_never_changed; CREATE TRIGGER events_are_never_changed "
    "BEFORE UPDATE ON events WHEN NEW.type = 'x' BEGIN SELECT RAISE(ABORT, 'no'); END"
)
SAID = "the trigger 'x' is none of the log's"


def change(path: Path, statement: str) -> None:
    with closing(apsw.Connection(str(path))) as other:
        other.execute(statement).fetchall()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "events.db"
    with closing(SqliteLog.create(made)) as log:
        log.append("thing-1", facts(1), NO_STREAM)
    return made


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = home_at(tmp_path / "home")
    files = [home / f"{name}.task.md" for name in ("one", "two")]
    for file in files:
        file.write_text(task_text(folder(home, file.name)), encoding="utf-8", newline="\n")
    assert evt(home, "add", *map(str, files)).returncode == 0
    return home


def test_a_line_that_a_foreign_trigger_swallows_is_not_acknowledged(path: Path) -> None:
    with closing(SqliteLog(path)) as log:
        change(path, SWALLOW)  # while it is open
        with pytest.raises(OSError, match="a line was not stored"):
            log.append("thing-2", facts(2, 3), NO_STREAM)
        assert log.head() == 1


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (SWALLOW, SAID),
        ("CREATE TRIGGER x AFTER INSERT ON heads BEGIN DELETE FROM heads; END", SAID),
        ("DROP TRIGGER events_are_never_changed", "the trigger events_are_never_changed is missing"),
        ("DROP TRIGGER events_are_never_removed", "the trigger events_are_never_removed is missing"),
        ("DROP TRIGGER events_are_only_appended", "the trigger events_are_only_appended is missing"),
        ("ALTER TABLE events ADD COLUMN note TEXT", "the table events is another"),
        (
            WEAKER,
            "the trigger events_are_never_changed is another",
        ),
    ],
)
def test_a_log_whose_guards_somebody_changed_is_read_and_not_written(
    path: Path, statement: str, said: str
) -> None:
    change(path, statement)
    with pytest.raises(LogUnreadable, match="nothing is written to it") as refused:
        SqliteLog(path)
    assert said in str(refused.value)
    with closing(SqliteLog(path, read_only=True)) as log:
        assert [event.stream for event in log.all()] == ["thing-1"]


@pytest.mark.parametrize(
    "statement", ["CREATE INDEX i ON events(type)", "CREATE TABLE mine(a)", "ANALYZE", "VACUUM"]
)
def test_what_merely_lies_in_the_logs_file_hinders_nobody(path: Path, statement: str) -> None:
    change(path, statement)
    with closing(SqliteLog(path)) as log:
        log.append("thing-2", facts(2), NO_STREAM)
    with closing(apsw.Connection(str(path))) as other:
        found = strange(other)
    assert found.wrong == ()
    assert bool(found.more) == statement.startswith("CREATE")


def test_a_changed_log_is_named_by_audit_refused_by_verbs_that_write_and_made_again(home: Path) -> None:
    change(home / "logs" / "events.db", SWALLOW)
    change(home / "logs" / "events.db", "CREATE INDEX i ON events(type)")
    before = [event.line for event in events(home)]
    audited = evt(home, "audit")
    assert (audited.returncode, audited.stdout.split()[0]) == (1, "DAMAGED")
    assert f"LOG-CHANGED: another program changed what guards the log's lines: {SAID}" in audited.stdout
    assert "the index 'i' lies in the log's file and is none of its own" in audited.stderr
    for words in (["add", "explain the cart", "--type", "analyze"], ["run", "--drain"], ["cancel", "one"]):
        refused = evt(home, *words)
        assert (refused.returncode, SAID in refused.stderr) == (2, True), words
        assert "Traceback" not in refused.stderr
    assert evt(home, "list").returncode == 0
    recovered = evt(home, "recover")
    assert recovered.returncode == 0
    assert f"The log was changed by another program ({SAID})." in recovered.stdout
    assert [event.line for event in events(home)][: len(before)] == before
    assert evt(home, "audit").returncode == 0
    assert evt(home, "run", "--drain").returncode == 0


FORGED = {
    "no-fields": "UPDATE {view} SET row = '{{}}'",
    "another-kind": "UPDATE {view} SET row = json_set(row, '$.status', json('[7]'), '$.waits_for', 3)",
    "a-word": "UPDATE {view} SET row = json_set(row, '$.status', 'dreaming')",
    "another-key": "UPDATE {view} SET key = key || '-x'",
    "another-place": "UPDATE {view} SET global_position = 'seven'",
    "numbers": "UPDATE {view} SET checksum = 7, row = 12",
}


@pytest.mark.parametrize("how", FORGED)
def test_rows_of_views_that_somebody_forged_end_no_verb_and_are_made_good_by_the_service(
    home: Path, how: str
) -> None:
    with closing(sqlite3.connect(home / "logs" / "views.db", isolation_level=None)) as database:
        for view in ("queue", "tasks", "executors", "to_write"):
            database.execute(FORGED[how].format(view=view))
    answers = [evt(home, *words) for words in (["status"], ["show", "one"], ["list", "--json"])]
    assert [(read.returncode, "Traceback" in read.stderr) for read in answers] == [(0, False)] * 3
    drained = evt(home, "run", "--drain")
    assert (drained.returncode, "Traceback" in drained.stderr) == (0, False), drained.stderr
    told = events(home)
    assert sorted(e.stream for e in told if e.type == "task_succeeded") == ["task-one", "task-two"]
    (rebuilt,) = [e.data["problem"] for e in told if e.type == "views_rebuilt"]
    assert "views.db was made anew from the log: the stored view" in rebuilt
    listed = orjson.loads(evt(home, "list", "--json").stdout)
    assert {row["id"]: row["status"] for row in listed} == dict.fromkeys(("one", "two"), "succeeded")
    assert evt(home, "replay", "--verify").returncode == 0
