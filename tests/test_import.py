"""`evt import` takes a log in as it is, all of it or nothing, and says which line it does not take."""

import io
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson
import pytest

from adapters.cli.main import call
from adapters.home_making import make_home
from eventstore.cloud_event import cloud_event
from eventstore.file_lock import FileLock
from eventstore.sqlite.log import SqliteLog
from tests.exported import lines_of, mirror_of, told
from tests.reading_evt import Evt, Said


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """The log of a home that was elsewhere."""
    return lines_of(told(tmp_path_factory.mktemp("elsewhere")))


@pytest.fixture(autouse=True)
def own_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "configuration"))


@pytest.fixture
def evt(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Evt:
    """Over the folder `new`, which is not there yet."""
    return Evt(tmp_path / "new", capsys)


def file_of(tmp_path: Path, content: bytes) -> str:
    path = tmp_path / "log.ndjson"
    path.write_bytes(content)
    return str(path)


def stored(root: Path) -> list[bytes]:
    log = SqliteLog(root / "logs" / "events.db", read_only=True)
    try:
        return [event.line + b"\n" for event in log.all()]
    finally:
        log.close()


def test_a_home_is_made_of_an_exported_log(evt: Evt, tmp_path: Path, lines: list[bytes]) -> None:
    said = evt("import", file_of(tmp_path, b"".join(lines)))
    assert said.code == 0, said.err
    assert said.out == f"took in {len(lines)} events: home {evt.root} holds {len(lines)}\n"
    assert stored(evt.root) == lines
    assert mirror_of(evt.root).read_bytes() == b"".join(lines)
    assert {path.name for path in evt.root.iterdir()} == {
        ".env", "blobs", "logs", "results", "summaries", "tasks", "work",
    }  # fmt: skip
    assert "identical" in evt("replay", "--verify").out
    assert evt("list", "--json").code == 0


def test_a_new_home_goes_on_where_the_old_one_ended(evt: Evt, tmp_path: Path, lines: list[bytes]) -> None:
    evt("import", file_of(tmp_path, b"".join(lines)))
    added = evt("add", "explain the cart")
    assert added.code == 0, added.err
    assert stored(evt.root)[: len(lines)] == lines
    assert {orjson.loads(line)["source"] for line in stored(evt.root)} == {"urn:evt:0190-home"}
    assert "identical" in evt("replay", "--verify").out


def test_cloudevents_are_known_by_what_they_hold(evt: Evt, tmp_path: Path, lines: list[bytes]) -> None:
    clouds = b"".join(cloud_event(line) + b"\n" for line in lines)
    said = evt("import", file_of(tmp_path, clouds), "--json")
    assert (said.code, said.document["added"]) == (0, len(lines)), said.err
    assert stored(evt.root) == lines


def test_stdin_is_read(evt: Evt, lines: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"".join(lines)), encoding="utf-8"))
    assert evt("import", "-").code == 0
    assert stored(evt.root) == lines


def test_a_last_line_without_its_newline_is_whole_all_the_same(
    evt: Evt, tmp_path: Path, lines: list[bytes]
) -> None:
    assert evt("import", file_of(tmp_path, b"".join(lines)[:-1])).code == 0
    assert stored(evt.root) == lines


def test_a_log_is_continued_by_one_that_begins_as_it_does(
    evt: Evt, tmp_path: Path, lines: list[bytes]
) -> None:
    evt("import", file_of(tmp_path, b"".join(lines[:9])))
    whole = file_of(tmp_path, b"".join(lines))
    said = evt("import", whole, "--json")
    assert (said.document["added"], said.document["events"]) == (len(lines) - 9, len(lines))
    assert stored(evt.root) == lines
    assert mirror_of(evt.root).read_bytes() == b"".join(lines)
    again = evt("import", whole)
    assert (again.code, "nothing new" in again.out) == (0, True)
    assert evt("import", file_of(tmp_path, b"".join(lines[:3]))).code == 0
    assert stored(evt.root) == lines
    assert "identical" in evt("replay", "--verify").out


def line(number: int, lines: list[bytes]) -> dict[str, object]:
    found: dict[str, object] = orjson.loads(lines[number - 1])
    return found


def written(envelope: dict[str, object]) -> bytes:
    return orjson.dumps(envelope, option=orjson.OPT_SORT_KEYS) + b"\n"


def changed(number: int, **keys: object) -> Callable[[list[bytes]], list[bytes]]:
    """One line with other values, as canonical as before."""

    def change(lines: list[bytes]) -> list[bytes]:
        return [*lines[: number - 1], written({**line(number, lines), **keys}), *lines[number:]]

    return change


def replaced(number: int, old: bytes, new: bytes) -> Callable[[list[bytes]], list[bytes]]:
    """One line with other bytes."""

    def change(lines: list[bytes]) -> list[bytes]:
        assert old in lines[number - 1]
        return [*lines[: number - 1], lines[number - 1].replace(old, new, 1), *lines[number:]]

    return change


DEEP = b'{"deep":' + b"[" * 300 + b"]" * 300 + b"}"

REFUSED: dict[str, tuple[Callable[[list[bytes]], list[bytes]], str]] = {
    "nothing": (lambda lines: [], "holds no event"),
    "prose": (lambda lines: [b"hello\n"], "line 1: no JSON"),
    "a list": (lambda lines: [b"[1,2]\n"], "line 1: not the keys of an event"),
    "a database": (lambda lines: [b"SQLite format 3\0" + b"\0" * 999], "line 1: it is a database"),
    "an empty line": (lambda lines: [*lines[:4], b"\n", *lines[4:]], "line 5: it is empty"),
    "a gap": (lambda lines: [*lines[:4], *lines[5:]], "line 5: it is event 6, and event 5 is the next one"),
    "the first is gone": (lambda lines: lines[1:], "line 1: it is event 2, and event 1 is the next one"),
    "two swapped": (lambda lines: [*lines[:4], lines[5], lines[4]], "line 5: it is event 6, and event 5"),
    "one twice": (lambda lines: [*lines[:4], lines[3]], "line 5: it is event 4, and event 5 is the next"),
    "a torn end": (lambda lines: [*lines[:4], lines[4][:60]], "the file ends in it: it was cut off"),
    "a torn line in the middle": (replaced(5, b"}\n", b"\n"), "line 5: no JSON"),
    "spaces": (replaced(5, b'"position":', b'"position": '), "line 5: its bytes are not those"),
    "other key order": (replaced(5, b'{"actor":"service",', b"{"), "line 5: not the keys of an event"),
    "keys in another order": (
        lambda lines: [*lines[:4], orjson.dumps(dict(reversed(line(5, lines).items()))) + b"\n", *lines[5:]],
        "line 5: its bytes are not those that an event has (from byte 2 on)",
    ),
    "a key twice": (replaced(5, b'{"actor"', b'{"actor":"x","actor"'), "line 5: its bytes are not those"),
    "escaped letters": (replaced(5, b"service", b"\\u0073ervice"), "line 5: its bytes are not those"),
    "a float written otherwise": (replaced(25, b"-0.0", b"-0.00"), "line 25: its bytes are not those"),
    "a huge integer": (replaced(25, b"9223372036854775807", b"9" * 30), "line 25: its bytes are not those"),
    "an integer over 64 bit": (
        replaced(25, b"9223372036854775807", b"9223372036854775808"),
        "line 25: data.",
    ),
    "NaN": (replaced(25, b"-0.0", b"NaN"), "line 25: no JSON"),
    "too deep": (replaced(25, b'{"deep":[[[{}]]]', DEEP[:-1]), "line 25: data.deep"),
    "half a surrogate": (replaced(5, b"service", b"\\ud800"), "line 5: no JSON"),
    "no UTF-8": (replaced(5, b"service", b"serv\xffce"), "line 5: no JSON"),
    "CR LF": (
        lambda lines: [one.replace(b"\n", b"\r\n") for one in lines],
        "line 1: it ends with a carriage",
    ),
    "a mark": (lambda lines: [b"\xef\xbb\xbf" + lines[0], *lines[1:]], "line 1: it begins with a byte order"),
    "UTF-16": (lambda lines: [b"".join(lines).decode().encode("utf-16")], "line 1: "),
    "a zero tail": (lambda lines: [*lines, b"\0" * 512], "it holds zero bytes"),
    "another home's source": (changed(5, source="urn:evt:else"), "line 5: its source is urn:evt:else"),
    "a time of another form": (changed(5, time="2026-01-02T03:04:09Z"), "line 5: its bytes are not those"),
    "no time": (changed(5, time="soon"), "line 5: not a time"),
    "an id that is a number": (changed(5, id=5), "line 5: its id is no text"),
    "a correlation that is a list": (changed(5, correlation_id=[]), "line 5: its correlation_id is neither"),
    "a schema that is true": (changed(5, schema=True), "line 5: its schema is no whole number"),
    "data that is a text": (changed(5, data="hello"), "line 5: its data is no object"),
    "a stream's number left out": (changed(5, position=9), "line 5: it is number 9 of stream task-shop"),
    "a place before the first": (changed(1, global_position=0), "line 1: "),
    "data of another shape": (changed(4, data={}), "line 4: its data is not that of a task_queued"),
    "a log that is no home's": (changed(1, type="task_dreamt"), "line 1: it is task_dreamt, not the home_cr"),
    "a home by another name": (
        changed(1, data={"home_id": "x", "version": "1"}),
        "line 1: it is home_created",
    ),
    "cloud events mixed with lines": (
        lambda lines: [cloud_event(lines[0]) + b"\n", lines[1]],
        "line 2: no event of CloudEvents",
    ),
    "a cloud event that lacks its place": (
        lambda lines: [cloud_event(lines[0]).replace(b'"sequence"', b'"sequenze"') + b"\n"],
        "line 1: it has the attribute sequenze",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_bad_line_is_named_and_nothing_is_written(
    evt: Evt, tmp_path: Path, lines: list[bytes], name: str
) -> None:
    change, says = REFUSED[name]
    said = evt("import", file_of(tmp_path, b"".join(change(lines))))
    assert (said.code, said.out) == (2, "")
    assert says in said.err, said.err
    assert said.err.startswith("evt: ")
    assert "Traceback" not in said.err
    assert not evt.root.exists()


def test_nothing_of_a_bad_file_goes_into_a_log_that_is_there(
    evt: Evt, tmp_path: Path, lines: list[bytes]
) -> None:
    evt("import", file_of(tmp_path, b"".join(lines[:9])))
    for name in ("a gap", "a torn end"):
        change, _ = REFUSED[name]
        assert evt("import", file_of(tmp_path, b"".join(change(lines)))).code == 2
    late = b"".join([*lines[:-1], lines[-1][:40]])
    assert evt("import", file_of(tmp_path, late)).code == 2
    assert stored(evt.root) == lines[:9]
    assert mirror_of(evt.root).read_bytes() == b"".join(lines[:9])


def test_what_lay_in_the_folder_stays_and_nothing_is_added_to_it(
    evt: Evt, tmp_path: Path, lines: list[bytes]
) -> None:
    evt.root.mkdir()
    (evt.root / "mine.txt").write_text("mine", encoding="utf-8")
    assert evt("import", file_of(tmp_path, lines[1])).code == 2
    assert [path.name for path in evt.root.iterdir()] == ["mine.txt"]
    assert evt("import", file_of(tmp_path, lines[0])).code == 0
    assert (evt.root / "mine.txt").read_text(encoding="utf-8") == "mine"
    assert not list(evt.root.glob(".*.tmp"))


def test_another_homes_log_is_refused_with_the_line_that_differs(
    evt: Evt, tmp_path: Path, lines: list[bytes]
) -> None:
    make_home(evt.root, register=False)
    before = stored(evt.root)
    said = evt("import", file_of(tmp_path, b"".join(lines)))
    assert (said.code, "line 1: it is not event 1 of this home (home_created)" in said.err) == (7, True)
    assert stored(evt.root) == before


def test_a_home_at_work_is_not_written_to(evt: Evt, tmp_path: Path, lines: list[bytes]) -> None:
    evt("import", file_of(tmp_path, b"".join(lines[:9])))
    with FileLock(evt.root / "logs" / ".owner"):
        said = evt("import", file_of(tmp_path, b"".join(lines)))
    assert (said.code, "is owned by another process" in said.err) == (7, True), said.err
    assert "pid 4242" in said.err
    assert stored(evt.root) == lines[:9]


def in_folder(capsys: pytest.CaptureFixture[str], folder: Path, *words: str) -> Said:
    capsys.readouterr()
    code = call(words, {})
    out, err = capsys.readouterr()
    return Said(code, out, err)


def test_without_a_name_only_a_home_that_is_there_is_continued(
    evt: Evt,
    tmp_path: Path,
    lines: list[bytes],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = file_of(tmp_path, b"".join(lines))
    monkeypatch.chdir(tmp_path)
    lost = in_folder(capsys, tmp_path, "import", path)
    assert (lost.code, "--home DIR" in lost.err) == (2, True)
    (tmp_path / "first").write_bytes(lines[0])
    evt("import", str(tmp_path / "first"))
    monkeypatch.chdir(evt.root)
    assert in_folder(capsys, evt.root, "import", path).code == 0
    assert stored(evt.root) == lines


@pytest.mark.parametrize(
    ("make", "code", "says"),
    [
        (lambda path: None, 6, "there is no file"),
        (lambda path: path.mkdir(), 2, "is no folder that `evt backup` made"),
    ],
)
def test_a_file_that_is_none_is_named(
    evt: Evt, tmp_path: Path, make: Callable[[Path], None], code: int, says: str
) -> None:
    make(tmp_path / "given")
    said = evt("import", str(tmp_path / "given"))
    assert (said.code, says in said.err) == (code, True), said.err
    assert not evt.root.exists()


def test_a_folder_that_has_only_a_mirror_is_for_recover(evt: Evt, tmp_path: Path, lines: list[bytes]) -> None:
    mirror_of(evt.root).parent.mkdir(parents=True)
    mirror_of(evt.root).write_bytes(lines[0])
    said = evt("import", file_of(tmp_path, b"".join(lines)))
    assert (said.code, "`evt recover" in said.err) == (7, True)
    assert mirror_of(evt.root).read_bytes() == lines[0]
    assert evt("init", str(evt.root)).code == 7


def test_a_line_of_50_mb_goes_through(evt: Evt, tmp_path: Path, lines: list[bytes]) -> None:
    envelope = {**line(25, lines), "data": {"text": "x" * 50_000_000}}
    path = file_of(tmp_path, b"".join([*lines[:24], written(envelope), lines[25]]))
    said = evt("import", path)
    assert said.code == 0, said.err[:500]
    assert stored(evt.root)[24] == written(envelope)
    assert mirror_of(evt.root).stat().st_size == Path(path).stat().st_size


@pytest.fixture
def backed_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Path]:
    """A backup with a signed tree head and a blob, as a folder."""
    root = tmp_path / "old"
    make_home(root)
    old = Evt(root, capsys)
    assert old("add", "explain the cart").code == 0
    assert old("backup", str(tmp_path / "backup")).code == 0
    yield tmp_path / "backup"


def test_a_backup_is_taken_in_with_its_signed_tree(evt: Evt, backed_up: Path) -> None:
    said = evt("import", str(backed_up))
    assert said.code == 0, said.err
    for name in ("keys", "heads", "checkpoint"):
        copied = evt.root / "logs" / "tree" / name
        assert copied.read_bytes() == (backed_up / "logs" / "tree" / name).read_bytes()
    assert stored(evt.root) == stored(backed_up)


def test_a_backup_on_another_machine_says_that_the_private_key_is_not_here(
    evt: Evt, tmp_path: Path, backed_up: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "elsewhere"))
    said = evt("import", str(backed_up))
    assert (said.code, "private key" in said.err) == (0, True), said.err
    shutil.rmtree(evt.root)
    told_as_json = evt("import", str(backed_up), "--json")
    assert "private key" in told_as_json.document["notes"][0]
