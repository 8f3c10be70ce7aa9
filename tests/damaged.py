"""Ways in which the files of a log get hurt, for tests of mending."""

import shutil
from contextlib import closing
from pathlib import Path

import apsw
import orjson

from eventstore.sqlite.check import check
from eventstore.sqlite.log import SqliteLog
from schemas import names
from tests.exported import mirror_of
from tests.reading_evt import Evt
from tests.unguarded import unguarded

PAGE = 4096
BESIDE = ("-wal", "-shm")


def log_of(root: Path) -> Path:
    return root / "logs" / "events.db"


def settled(root: Path) -> None:
    """All of the log in the one file, so that a test knows what it hurts."""
    with closing(apsw.Connection(str(log_of(root)))) as connection:
        connection.execute("PRAGMA journal_mode = DELETE").fetchall()
        connection.execute("PRAGMA journal_mode = WAL").fetchall()


def stored(root: Path) -> list[bytes]:
    """The lines as the log gives them, with newlines."""
    with closing(SqliteLog(log_of(root), read_only=True)) as log:
        return [event.line + b"\n" for event in log.all()]


def leaf_pages(root: Path) -> list[int]:
    """Numbers of the pages that hold the events' rows, in order; the file is settled first."""
    settled(root)
    with closing(apsw.Connection(str(log_of(root)), flags=apsw.SQLITE_OPEN_READONLY)) as connection:
        found = connection.execute(
            "SELECT pageno FROM dbstat WHERE name = 'events' AND pagetype = 'leaf' ORDER BY path"
        ).fetchall()
    return [int(str(number)) for (number,) in found]


def spoil_page(root: Path, number: int) -> None:
    """Overwrite the head of a page: SQLite notices when it reads it."""
    with log_of(root).open("r+b") as file:
        file.seek((number - 1) * PAGE)
        file.write(b"\xff" * 64)


def flip(root: Path, old: bytes, new: bytes) -> None:
    """Change bytes of a row where they stand, as a bad disk does: SQLite does not notice."""
    assert len(old) == len(new)
    settled(root)
    content = log_of(root).read_bytes()
    assert content.count(old) == 1, content.count(old)
    log_of(root).write_bytes(content.replace(old, new))


def past_the_triggers(root: Path, statement: str) -> None:
    """Change the rows as somebody does who takes the guards away first."""
    with unguarded(log_of(root)) as connection:
        connection.execute(statement).fetchall()


def without_wal(root: Path, take: Path) -> None:
    """Put a file in the log's place as it was before its last commits came out of the -wal."""
    for suffix in BESIDE:
        log_of(root).with_name(f"events.db{suffix}").unlink(missing_ok=True)
    shutil.copyfile(take, log_of(root))


def other_program(path: Path) -> None:
    path.unlink(missing_ok=True)
    with closing(apsw.Connection(str(path))) as connection:
        connection.execute("CREATE TABLE customers(name); INSERT INTO customers VALUES ('Ada')").fetchall()


def newer(path: Path) -> None:
    with closing(apsw.Connection(str(path))) as connection:
        connection.execute("PRAGMA user_version = 99").fetchall()


def files_of(root: Path) -> dict[str, bytes]:
    """What stands in the home's logs, without locks and what SQLite makes for readers."""
    left_out = {".gate", ".bell", ".owner", "events.db-shm", "events.db-wal"}
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted((root / "logs").rglob("*"))
        if path.is_file() and path.name not in left_out
    }


def last_event(root: Path, kind: str) -> dict[str, object]:
    """The data of the newest event of a type."""
    found = [orjson.loads(line) for line in stored(root)]
    data: dict[str, object] = [event["data"] for event in found if event["type"] == kind][-1]
    return data


def whole_again(evt: Evt, lines: list[bytes]) -> None:
    """The log holds all the lines and the event that says so, the mirror the same, and all of it works."""
    assert stored(evt.root)[: len(lines)] == lines
    assert last_event(evt.root, names.LOG_RECOVERED)["events"] == len(lines)
    assert mirror_of(evt.root).read_bytes() == b"".join(stored(evt.root))
    assert check(log_of(evt.root)) >= len(lines)
    assert "identical" in evt("replay", "--verify").out
    added = evt("add", "explain the cart")
    assert added.code == 0, added.err
    assert not (evt.root / "logs" / "recovering").exists()
