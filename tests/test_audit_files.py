"""What `evt audit` reads: one file alone, a folder that may not be written, and what is no log."""

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import pytest

from adapters.cli.audit_inputs import over_rows
from adapters.cli.failure import BAD, GOOD, NOT_FOUND, USAGE
from eventstore.audit.mirror import MirrorCheck
from eventstore.audit.table_rows import SqliteRows
from eventstore.audit.verdict import Rows
from eventstore.sqlite import file as sqlite_file
from eventstore.tree.tiles import Tiles
from tests.audited import again, built
from tests.reading_evt import Evt
from tests.signed_trees import ORIGIN, SignedLog

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def signed(tmp_path: Path) -> SignedLog:
    made = built(tmp_path / "home")
    made.close()
    return made


@pytest.fixture
def evt(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Evt:
    return Evt(tmp_path / "home", capsys)


# one file alone


def test_a_file_is_judged_alone_against_a_tree_head(signed: SignedLog, evt: Evt, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    log, text = elsewhere / "copy.db", elsewhere / "copy.ndjson"
    shutil.copy(signed.root / "logs" / "events.db", log)
    shutil.copy(signed.mirror, text)
    head = elsewhere / "head.txt"
    head.write_bytes(signed.notes[1])
    key = signed.keys[0].verifying.vkey()
    for file in (log, text):
        told = evt("audit", "--json", "--log", str(file), "--tree-head", str(head), "--key", key).document
        assert (told["verdict"], told["anchored"], told["unanchored"]) == ("OK", 23, 16)
        assert evt("audit", "--json", "--log", str(file)).document["anchored"] == 34
    text.write_bytes(text.read_bytes()[:-30])
    told = evt("audit", "--json", "--log", str(text)).document
    assert (told["verdict"], told["events"]) == ("OK", 38)
    assert "torn" in told["notes"][-1]
    text.write_bytes(b"".join(text.read_bytes().splitlines(keepends=True)[:20]))
    first = evt("audit", "--json", "--log", str(text)).document["findings"][0]
    assert (first["title"], first["first"]) == ("TRUNCATED by 14", 21)


def test_nothing_is_written_beside_a_log_that_nobody_has_open(signed: SignedLog, evt: Evt) -> None:
    def state() -> dict[str, tuple[int, int]]:
        found = {path: path.stat() for path in (signed.root / "logs").rglob("*")}
        return {str(path): (facts.st_size, facts.st_mtime_ns) for path, facts in found.items()}

    before = state()
    assert evt("audit", "--log", str(signed.root / "logs" / "events.db")).code == GOOD
    assert state() == before


AS_NOBODY = """
import os, sys
from adapters.cli.main import call
call(sys.argv[1:], {})  # loads what is needed: nobody may not look into the interpreter's folder
os.setgroups([]), os.setgid(65534), os.setuid(65534)
sys.exit(call(sys.argv[1:], {}))
"""


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can be somebody else")
@pytest.mark.parametrize("in_use", [False, True])
def test_a_log_in_a_folder_that_may_not_be_written_is_judged(in_use: bool) -> None:
    """By a user who may read it and no more; `in_use` while its owner has it open, with a -wal beside it."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        made = built(Path(name) / "home")
        if not in_use:
            made.close()
        before = {path.name for path in (made.root / "logs").iterdir()}
        said = subprocess.run(
            [sys.executable, "-c", AS_NOBODY, "audit", "--log", str(made.root / "logs" / "events.db")],
            cwd=ROOT,
            env={**os.environ, "XDG_CONFIG_HOME": "/nonexistent"},
            capture_output=True,
            encoding="utf-8",
            timeout=60,
        )
        assert said.returncode == 0, said.stdout + said.stderr
        assert said.stdout.count("OK  39 events") == 2
        assert {path.name for path in (made.root / "logs").iterdir()} == before
        if in_use:
            made.close()


def test_a_log_that_is_being_written_is_judged_as_of_one_moment(tmp_path: Path, evt: Evt) -> None:
    made = built(tmp_path / "home")
    made.write_mirror()
    said = evt("audit", "--json")
    assert (said.code, said.document["events"]) == (GOOD, 39)
    path = made.root / "logs" / "events.db"
    with made.mirror.open("rb") as file, closing(sqlite_file.connect(path, read_only=True)) as connection:
        mirror = MirrorCheck(file, "the mirror")
        each = SqliteRows(connection, path).rows()
        first = next(each)
        made.grow(400)
        made.write_mirror()
        lines = [row[6] for row in (first, *each)]
        mirror.take(lines)
        assert mirror.findings() == ([], [])
    assert len(lines) == 39
    made.close()


def test_a_log_that_somebody_wrote_while_it_was_read_without_a_lock_is_read_again(signed: SignedLog) -> None:
    counts = []

    def work(rows: Rows) -> int:
        counts.append(len(list(rows.rows())))
        if len(counts) == 1:
            made = again(signed)
            made.grow(3)
            made.close()
        return counts[-1]

    assert over_rows(signed.root / "logs" / "events.db", work) == 42
    assert counts == [39, 42]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--log", "nowhere.db"), NOT_FOUND),
        (("--log", "."), USAGE),
        (("--anchor", "nowhere.txt"), NOT_FOUND),
        (("--anchor", "pyproject.toml"), USAGE),
        (("--tree-head", "pyproject.toml"), USAGE),
        (("--key", "no key"), USAGE),
        (("--key", "pyproject.toml"), USAGE),
        (("--log", "README.md"), USAGE),
        (("--log", "README.md", "prove", "1"), USAGE),
        (("-o", "x"), USAGE),
        (("prove",), USAGE),
        (("prove", "none"), USAGE),
        (("prove", "40"), NOT_FOUND),
        (("prove", "39"), BAD),
        (("check-proof", "README.md"), USAGE),
        (("check-proof", "nowhere"), NOT_FOUND),
    ],
)
def test_what_cannot_be_read_is_said_in_a_sentence(
    signed: SignedLog, evt: Evt, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], code: int
) -> None:
    monkeypatch.chdir(ROOT)
    said = evt("audit", *words)
    assert said.code == code, said
    assert said.out == ""
    assert said.err.startswith("evt: ")


def test_a_database_of_another_program_is_refused(signed: SignedLog, evt: Evt, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.db"
    with closing(sqlite3.connect(foreign)) as database:
        database.execute("CREATE TABLE t (x)")
        database.commit()
    (tmp_path / "text.db").write_text("no database\n", encoding="utf-8")
    (tmp_path / "empty.db").touch()
    for name in ("foreign.db", "text.db", "empty.db"):
        said = evt("audit", "--log", str(tmp_path / name))
        assert (said.code, said.out) == (USAGE, "")


def test_a_table_that_lets_anything_in_is_no_crash(signed: SignedLog, evt: Evt) -> None:
    path = signed.root / "logs" / "events.db"
    with closing(sqlite3.connect(path)) as database:
        database.executescript(
            "CREATE TABLE other AS SELECT * FROM events; DROP TABLE events;"
            "ALTER TABLE other RENAME TO events;"
            "UPDATE events SET line = NULL, stream = NULL, time = 'noon' WHERE global_position = 7;"
        )
    first = evt("audit", "--json").document["findings"][0]
    assert (first["title"], first["exact"]) == ("EDITED at 7", True)
    with closing(sqlite3.connect(path)) as database:
        database.executescript("ALTER TABLE events RENAME COLUMN line TO text;")
    assert evt("audit").code in (BAD, USAGE)


def test_tree_heads_that_were_hurt_do_not_hide_the_later_ones(signed: SignedLog, evt: Evt) -> None:
    heads = signed.tree / "heads"
    heads.write_bytes(heads.read_bytes().replace("— ".encode(), b"-- ", 1))
    told = evt("audit", "--json").document
    assert (told["verdict"], told["findings"][0]["kind"], told["anchored"]) == (
        "TAMPERED",
        "BAD-SIGNATURE",
        34,
    )
    heads.write_bytes(b"".join(note + b"\n" for note in signed.notes[:2]) + signed.notes[2][:-20])
    told = evt("audit", "--json").document
    assert told["findings"][0]["kind"] == "BAD-SIGNATURE"  # it was whole, for it is published
    heads.write_bytes(b"".join(note + b"\n" for note in signed.notes) + b"urn:evt:0190-home\n99\n")
    told = evt("audit", "--json").document
    assert told["verdict"] == "OK"
    assert any("torn" in note for note in told["notes"])


def test_a_smaller_tree_than_a_tile_and_a_larger_one_are_proved(tmp_path: Path, evt: Evt) -> None:
    with SignedLog.create(tmp_path / "home") as made:
        made.grow(700)
        made.sign()
        made.grow(1)
        made.sign()
    assert Tiles(made.tree).size() == 704
    assert evt("audit", "--json").document["anchored"] == 704
    assert evt("audit", "--json").document["origin"] == ORIGIN
