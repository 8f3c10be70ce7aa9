"""`evt backup` copies while others write, shows that the copy is right, and leaves no half of one."""

import gzip
import hashlib
import shutil
import threading
from contextlib import closing
from pathlib import Path

import orjson
import pytest

from adapters.home import Home
from adapters.home_backup import NotBackedUp, back_up
from adapters.home_making import make_home
from eventstore.event import ANY
from eventstore.sqlite.check import check
from eventstore.sqlite.log import SqliteLog
from eventstore.tree.head import TreeHead
from eventstore.tree.merkle import Frontier, leaf_hash
from eventstore.tree.tiles import Tiles
from schemas import names
from tests.damaged import files_of, log_of, past_the_triggers, stored
from tests.log_contract import fact
from tests.reading_evt import Evt
from tests.service import evt as evt_process
from tests.service import home_at, running, until


@pytest.fixture(autouse=True)
def own_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "configuration"))


@pytest.fixture
def evt(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Evt:
    """A home with two tasks, a signed tree and a blob."""
    evt = Evt(tmp_path / "home", capsys)
    make_home(evt.root)
    assert evt("add", "explain the cart").code == 0
    assert evt("add", "explain the till").code == 0
    blob(evt.root, b"what the agent said")
    return evt


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    return tmp_path / "kept"


def blob(root: Path, content: bytes, name: str | None = None) -> Path:
    found = name or hashlib.sha256(content).hexdigest()
    path = root / "blobs" / "sha256" / found[:2] / f"{found}.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content))
    return path


def root_of(lines: list[bytes]) -> str:
    tree = Frontier()
    tree.extend(leaf_hash(line.rstrip(b"\n")) for line in lines)
    return tree.root().hex()


def tree(folder: Path) -> dict[str, bytes]:
    """All files below it."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_the_copy_holds_the_log_the_blobs_and_the_signed_tree(evt: Evt, kept: Path) -> None:
    before = stored(evt.root)
    said = evt("backup", str(kept))
    assert said.code == 0, said.err
    assert said.lines[0] == f"backed up events 1 to {len(before)} and 1 blobs to {kept}"
    assert said.lines[1].split() == ["root", root_of(before)]
    assert stored(kept) == before
    assert {name for name in tree(kept) if not name.startswith("logs/tree/tile")} == {
        "backup.json",
        "logs/events.db",
        "logs/tree/checkpoint",
        "logs/tree/heads",
        "logs/tree/keys",
        blob(evt.root, b"what the agent said").relative_to(evt.root).as_posix(),
    }
    head = TreeHead.parse(
        (kept / "logs/tree/checkpoint").read_text(encoding="utf-8").partition("\n\n")[0] + "\n"
    )
    assert Tiles(kept / "logs" / "tree").root(head.size) == head.root


def test_an_event_tells_of_it(evt: Evt, kept: Path) -> None:
    wanted = evt("backup", str(kept), "--json").document
    events = [orjson.loads(line) for line in stored(evt.root)]
    (told,) = [event for event in events if event["type"] == names.BACKUP_MADE]
    assert told["data"] == {
        "position": wanted["position"],
        "root": wanted["root"],
        "destination": str(kept),
    }
    assert told["actor"].startswith("cli")
    assert wanted["bytes"] == sum(len(content) for content in tree(kept).values())
    assert "backup_made" in evt("tail").out


def test_a_later_backup_brings_what_is_new_and_copies_no_blob_twice(evt: Evt, kept: Path) -> None:
    evt("backup", str(kept))
    old = blob(evt.root, b"what the agent said").relative_to(evt.root)
    standing = (kept / old).stat().st_ino
    evt("add", "explain the shelf")
    blob(evt.root, b"and more")
    before = stored(evt.root)
    said = evt("backup", str(kept), "--json")
    assert said.code == 0, said.err
    assert (said.document["blobs"], said.document["new_blobs"]) == (2, 1)
    assert (kept / old).stat().st_ino == standing
    assert stored(kept) == before
    assert [path.name for path in kept.iterdir() if path.name.endswith(".tmp")] == []
    assert orjson.loads((kept / "backup.json").read_bytes())["root"] == root_of(before)
    assert evt("backup", str(kept)).code == 0


def test_a_backup_of_a_home_without_a_tree_or_blobs_works(
    tmp_path: Path, kept: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make_home(tmp_path / "bare", register=False).root
    shutil.rmtree(root / "blobs")
    assert Evt(root, capsys)("backup", str(kept)).code == 0
    assert check(log_of(kept)) == 1


def test_what_others_append_meanwhile_is_in_it_whole_or_not_at_all(evt: Evt, kept: Path) -> None:
    home, stop = Home(evt.root, named=True), threading.Event()

    def work() -> None:
        with closing(SqliteLog(home.log)) as own:
            number = 0
            while not stop.is_set():
                number += 1
                own.append("a-1", [fact(number, source=source, data={"text": "x" * 3000})], ANY)

    with closing(SqliteLog(home.log)) as log:
        source = next(log.all()).envelope["source"]
        thread = threading.Thread(target=work)
        thread.start()
        try:
            while log.head() < 60:
                pass
            made = back_up(home, log, source, kept, "now")
        finally:
            stop.set()
            thread.join()
    assert made.position >= 60
    assert stored(kept) == stored(evt.root)[: made.position]
    assert made.root.hex() == root_of(stored(kept))


def test_a_copy_is_made_beside_a_service_at_work(tmp_path: Path, kept: Path) -> None:
    home = home_at(tmp_path / "served")
    with running(home):
        until(home, lambda event: event.type == names.ORCHESTRATOR_STARTED)
        said = evt_process(home, "backup", str(kept))
        assert said.returncode == 0, said.stderr
        until(home, lambda event: event.type == names.BACKUP_MADE)
    assert stored(kept) == stored(home)[: len(stored(kept))]


# the place


def test_a_folder_that_holds_something_else_is_left_alone(evt: Evt, kept: Path) -> None:
    kept.mkdir()
    assert evt("backup", str(kept)).code == 0
    other = kept.with_name("other")
    other.mkdir()
    (other / "mine.txt").write_text("mine", encoding="utf-8")
    said = evt("backup", str(other))
    assert (said.code, "holds no backup" in said.err) == (7, True), said.err
    assert list(tree(other)) == ["mine.txt"]


@pytest.mark.parametrize("place", [".", "logs", "blobs/new", "..", "results"])
def test_a_home_is_not_backed_up_into_itself(evt: Evt, place: str) -> None:
    before = tree(evt.root)
    said = evt("backup", str(evt.root / place))
    assert (said.code, "keeps its own state" in said.err) == (7, True), said.err
    after = tree(evt.root)
    assert {name: after[name] for name in before if "events.db-" not in name} == {
        name: content for name, content in before.items() if "events.db-" not in name
    }


def test_another_homes_backup_is_left_alone(
    evt: Evt, kept: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evt("backup", str(kept))
    before = tree(kept)
    other = Evt(make_home(tmp_path / "second", register=False).root, capsys)
    said = other("backup", str(kept))
    assert (said.code, "the backup of another home" in said.err) == (7, True), said.err
    assert tree(kept) == before


def test_a_backup_that_somebody_worked_in_is_left_alone(evt: Evt, kept: Path, tmp_path: Path) -> None:
    evt("backup", str(kept))
    assert evt("add", "explain it", "--home", str(kept)).code == 0
    before = files_of(kept)
    said = evt("backup", str(kept))
    assert (said.code, "somebody has worked in" in said.err) == (7, True), said.err
    assert files_of(kept) == before


def test_a_backup_of_another_past_is_left_alone(evt: Evt, kept: Path, tmp_path: Path) -> None:
    early = Path(shutil.copytree(evt.root, tmp_path / "early"))
    evt("add", "explain the shelf")
    evt("backup", str(kept))
    before = tree(kept)
    shutil.rmtree(evt.root)
    shutil.copytree(early, evt.root)
    for number in range(3):
        evt("add", f"explain shelf {number}")
    said = evt("backup", str(kept))
    assert (said.code, "of another past" in said.err) == (7, True), said.err
    assert tree(kept) == before


# the proof


def test_a_blob_that_is_not_what_its_name_says_fails_the_backup(evt: Evt, kept: Path) -> None:
    blob(evt.root, b"other bytes", "ab" * 32)
    said = evt("backup", str(kept))
    assert (said.code, "other bytes than its name" in said.err) == (1, True), said.err
    assert not kept.exists()
    assert [path.name for path in kept.parent.iterdir() if path.name.endswith(".tmp")] == []


def test_a_log_that_is_damaged_fails_the_backup(evt: Evt, kept: Path) -> None:
    past_the_triggers(evt.root, "UPDATE events SET type = 'task_dreamt' WHERE global_position = 3")
    said = evt("backup", str(kept))
    assert said.code == 1
    assert "at event 3" in said.err
    assert "evt recover" in said.err
    assert not kept.exists()


def test_a_log_that_is_not_what_was_signed_fails_the_backup(evt: Evt, kept: Path) -> None:
    old = next(line for line in stored(evt.root) if b"explain the till" in line).rstrip(b"\n")
    new = old.replace(b"explain the till", b"explain the tool")
    past_the_triggers(evt.root, f"UPDATE events SET line = x'{new.hex()}' WHERE line = x'{old.hex()}'")
    said = evt("backup", str(kept))
    assert said.code == 1
    assert "the tree head over" in said.err
    assert "evt audit" in said.err
    assert not kept.exists()


def test_a_failed_later_backup_leaves_the_earlier_one_as_it_was(evt: Evt, kept: Path) -> None:
    evt("backup", str(kept))
    before = tree(kept)
    blob(evt.root, b"other bytes", "ab" * 32)
    assert evt("backup", str(kept)).code == 1
    assert tree(kept) == before


def test_a_copy_that_differs_from_the_log_is_found(evt: Evt, kept: Path) -> None:
    """As if the log were changed under the copying: the two roots are compared, not trusted."""
    home = Home(evt.root, named=True)
    with closing(SqliteLog(home.log, read_only=True)) as log:
        source = next(log.all()).envelope["source"]

        class Changed:
            """The log as another would read it."""

            def all(self, after: int = 0, upto: int | None = None, types: frozenset[str] | None = None):  # type: ignore[no-untyped-def]
                events = list(log.all(after, upto, types))
                return iter([*events[:-1], *events[-2:-1]] if types is None else events)

        with pytest.raises(NotBackedUp, match="another root than the log itself"):
            back_up(home, Changed(), source, kept, "now")  # type: ignore[arg-type]
    assert not kept.exists()


# what was erased


def test_what_was_erased_goes_from_the_backup_with_the_next_one(evt: Evt, kept: Path) -> None:
    secret = blob(evt.root, b"a secret").relative_to(evt.root)
    name = secret.name.removesuffix(".gz")
    assert evt("backup", str(kept)).code == 0
    assert (kept / secret).exists()
    with closing(SqliteLog(log_of(evt.root))) as log:
        source = next(log.all()).envelope["source"]
        data = {
            "position": 3,
            "leaf": leaf_hash(next(log.all(2)).line).hex(),
            "tombstone": "0" * 64,
            "fields": [],
            "blobs": [name],
            "reason": "r",
        }
        log.append("system", [fact(1, names.EVENT_ERASED, data=data, source=source)], ANY)
    (evt.root / secret).unlink()
    assert evt("backup", str(kept)).code == 0
    assert not (kept / secret).exists()


def test_a_damaged_blob_of_a_backup_is_named_and_nothing_is_imported(
    evt: Evt, kept: Path, tmp_path: Path
) -> None:
    evt("backup", str(kept))
    blob(kept, b"other bytes", "ab" * 32)
    said = evt("import", str(kept), "--home", str(tmp_path / "new"))
    assert (said.code, "other bytes than its name" in said.err) == (1, True), said.err
    assert not (tmp_path / "new").exists()
