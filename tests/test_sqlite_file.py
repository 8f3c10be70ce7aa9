"""A file that is no log of ours is refused in one sentence, and not touched."""

import os
import subprocess
import sys
from pathlib import Path

import apsw
import pytest

from eventstore.event import NO_STREAM
from eventstore.log import LogUnreadable
from eventstore.sqlite import file as sqlite_file
from eventstore.sqlite.log import SqliteLog
from tests.log_contract import fact, facts, numbers

ROOT = Path(__file__).parents[1]


def other_program(path: Path) -> None:
    connection = apsw.Connection(str(path))
    assert connection.pragma("journal_mode", "wal") == "wal"
    connection.execute("CREATE TABLE events(a); INSERT INTO events VALUES (1)")
    connection.close()


def newer(path: Path) -> None:
    SqliteLog.create(path).close()
    connection = apsw.Connection(str(path))
    connection.execute("PRAGMA user_version = 99")
    connection.close()


def without_tables(path: Path) -> None:
    SqliteLog.create(path).close()
    connection = apsw.Connection(str(path))
    connection.execute("DROP TABLE checkpoint")
    connection.close()


def without_checkpoint(path: Path) -> None:
    SqliteLog.create(path).close()
    connection = apsw.Connection(str(path))
    connection.execute("DELETE FROM checkpoint")
    connection.close()


def cut_short(path: Path) -> None:
    log = SqliteLog.create(path)
    log.append("a-1", facts(*range(200)), NO_STREAM)
    log.close()
    os.truncate(path, 8192)


UNREADABLE = {
    "there is no log at": lambda path: None,
    "is empty (0 bytes)": lambda path: path.touch(),
    "is no file": lambda path: path.mkdir(),
    "is no SQLite file": lambda path: path.write_text("just a text\n" * 100, encoding="utf-8"),
    "belongs to another program": other_program,
    "was written by a newer version": newer,
    "is damaged: `evt recover` makes it again from its mirror (no such table": without_tables,
    "is damaged: `evt recover` makes it again from its mirror (no checkpoint)": without_checkpoint,
    "is damaged: `evt recover` makes it again from its mirror (database disk image": cut_short,
}


@pytest.mark.parametrize("read_only", [True, False], ids=["reading", "writing"])
@pytest.mark.parametrize("what", UNREADABLE)
def test_what_is_no_log_of_ours_is_refused_in_one_sentence(
    tmp_path: Path, what: str, read_only: bool
) -> None:
    path = tmp_path / "events.db"
    UNREADABLE[what](path)
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(LogUnreadable) as refusal:
        SqliteLog(path, read_only=read_only)
    text = str(refusal.value)
    assert text.startswith(f"{path} {what}" if not what.startswith("there") else f"{what} {path}")
    assert ": " in text
    assert "\n" not in text
    assert (path.read_bytes() if path.is_file() else None) == before
    if before is None or "damaged" not in what:
        left = {file.name for file in tmp_path.iterdir()} - {".gate"}
        assert left == ({path.name} if path.exists() else set())


def test_a_log_is_made_once(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    log = SqliteLog.create(path)
    log.append("a-1", facts(0), NO_STREAM)
    with pytest.raises(FileExistsError):
        SqliteLog.create(path)
    assert numbers(log.all()) == [0]
    log.close()


def test_a_creation_cut_short_is_finished(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    path.touch()
    log = SqliteLog.create(path)
    assert log.append("a-1", facts(0), NO_STREAM)
    log.close()


def test_what_a_creation_that_died_has_left_is_swept_by_the_next(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    for suffix in ("", "-journal", "-wal"):
        (tmp_path / f"events.db.making{suffix}").write_bytes(b"half of something")
    log = SqliteLog.create(path)
    assert log.append("a-1", facts(0), NO_STREAM)
    log.close()
    assert {file.name for file in tmp_path.iterdir()} == {".gate", ".bell", "events.db"}


def test_a_creation_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def fill(connection: apsw.Connection) -> None:
        raise OSError("no more of it")

    with pytest.raises(OSError, match="no more of it"):
        sqlite_file.create(tmp_path / "events.db", fill)
    assert {file.name for file in tmp_path.iterdir()} == {".gate"}


def test_a_log_whose_checkpoint_was_cut_off_opens(tmp_path: Path) -> None:
    """The main file's first page counts pages that are only in the -wal."""
    path = tmp_path / "events.db"
    SqliteLog.create(path).close()
    before = path.read_bytes()
    copy = tmp_path / "cut" / "events.db"
    copy.parent.mkdir()
    log = SqliteLog(path)
    log.append("a-1", [fact(number, data={"text": "x" * 4000}) for number in range(40)], NO_STREAM)
    wal = path.with_name("events.db-wal").read_bytes()
    log.close()
    after = path.read_bytes()
    for pages in range(1, len(after) // 4096):
        copy.write_bytes(after[: 4096 * pages] + before[4096 * pages :])
        copy.with_name("events.db-wal").write_bytes(wal)
        for read_only in (True, False):
            cut = SqliteLog(copy, read_only=read_only)
            assert cut.head() == 40
            cut.close()


def test_another_programs_file_is_not_made_a_log(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    other_program(path)
    before = path.read_bytes()
    with pytest.raises(FileExistsError):
        SqliteLog.create(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", ["a b.db", "100%.db", "what?.db", "hash#1.db", "ünï.db"])
def test_a_path_may_hold_what_addresses_may_not(tmp_path: Path, name: str) -> None:
    if sys.platform == "win32" and "?" in name:
        name = "what.db"
    path = tmp_path / name
    SqliteLog.create(path).close()
    log = SqliteLog(path, read_only=True)
    assert log.head() == 0
    log.close()
    assert path.is_file()


def test_a_log_for_reading_sees_a_living_writer_and_appends_nothing(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    writer = SqliteLog.create(path)
    reader = SqliteLog(path, read_only=True)
    writer.append("a-1", facts(0, 1), NO_STREAM)
    assert numbers(reader.all()) == numbers(reader.stream("a-1")) == [0, 1]
    with pytest.raises(OSError, match="for reading only"):
        reader.append("a-1", facts(2), 1)
    writer.append("a-1", facts(2), 1)
    assert numbers(reader.stream("a-1", after=0)) == [1, 2]
    reader.close()
    writer.close()


def test_a_log_for_reading_opens_when_nobody_writes(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    log = SqliteLog.create(path)
    log.append("a-1", facts(0), NO_STREAM)
    log.close()
    assert [file.name for file in tmp_path.glob("events.db-*")] == []
    reader = SqliteLog(path, read_only=True)
    assert numbers(reader.all()) == [0]
    reader.close()


READ = """
import os, sys
from pathlib import Path
from eventstore.log import LogUnreadable
from eventstore.sqlite.log import SqliteLog
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
try:
    print(SqliteLog(Path(sys.argv[1]), read_only=True).head())
except LogUnreadable as refusal:
    print(refusal)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="folders have no such modes there")
def test_a_folder_that_may_not_be_written_is_named_when_nobody_runs(tmp_path: Path) -> None:
    folder = tmp_path / "home"
    folder.mkdir()
    path = folder / "events.db"
    SqliteLog.create(path).close()
    for above in (tmp_path, *tmp_path.parents):
        if above == tmp_path or above.name.startswith(("pytest-", "popen-")):
            above.chmod(0o755)
    folder.chmod(0o555)
    done = subprocess.run(
        [sys.executable, "-c", READ, str(path)], cwd=ROOT, capture_output=True, encoding="utf-8", check=True
    )
    folder.chmod(0o755)
    assert "may not use or make events.db-wal and events.db-shm" in done.stdout
    assert str(folder) in done.stdout


FORK = """
import os, sys
from pathlib import Path
from eventstore.event import ANY
from eventstore.sqlite.log import SqliteLog
from tests.log_contract import facts
log = SqliteLog.create(Path(sys.argv[1]))
log.append("a-1", facts(0), ANY)
refused = 0
pid = os.fork()
if not pid:
    for use in (log.head, lambda: log.append("a-1", facts(1), ANY), lambda: log.stream("a-1"), log.all):
        try:
            use()
        except RuntimeError:
            refused += 1
    log.close()
    os._exit(refused)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
log.append("a-1", facts(2), ANY)
print(log.head())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork there")
def test_a_forked_child_is_refused_and_its_parent_goes_on(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORK, str(tmp_path / "events.db")],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    assert done.stdout.split() == ["4", "2"]
