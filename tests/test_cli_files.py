"""The verbs that look at files of a home or make some: artifacts, the sample, versions."""

import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import orjson
import pytest

from adapters.cli.main import call
from eventstore.file_lock import FileLock
from schemas.task_file import read_task
from tests.homes import BuiltHome
from tests.reading_evt import Evt


@pytest.fixture
def home(tmp_path: Path) -> Iterator[BuiltHome]:
    with BuiltHome(tmp_path / "home") as built:
        yield built


@pytest.fixture
def evt(home: BuiltHome, capsys: pytest.CaptureFixture[str]) -> Evt:
    return Evt(home.root, capsys)


# project artifacts --write


def outputs(home: BuiltHome) -> dict[str, bytes]:
    found = [*(home.root / "results").iterdir(), *(home.root / "summaries").iterdir()]
    return {str(path.relative_to(home.root).as_posix()): path.read_bytes() for path in found}


def test_files_are_written_again_byte_for_byte(home: BuiltHome, evt: Evt) -> None:
    home.succeed("Good", "an answer with ünïcödé 🎉")
    home.write_artifact("Good")
    home.fail("bad")
    home.write_artifact("bad")
    first = evt("project", "artifacts", "--write")
    assert first.code == 0
    assert "4 were as the log says, 0 differed, 1 were missing; 1 written" in first.out
    right = outputs(home)
    assert orjson.loads(right["results/index.json"]) == {
        "Good": "results/Good.json",
        "bad": "results/bad.json",
    }
    (home.root / "results" / "Good.json").write_bytes(b"forged")
    (home.root / "summaries" / "bad_summary.txt").unlink()
    document = evt("project", "artifacts", "--write", "--json").document
    assert (document["written"], document["same"]) == (2, 3)
    assert document["differed"] == ["results/Good.json"]
    assert document["missing"] == ["summaries/bad_summary.txt"]
    assert document["failed"] == document["unlike_receipt"] == document["to_write"] == []
    assert outputs(home) == right


def test_files_of_a_home_that_a_service_owns_are_left_to_it(home: BuiltHome, evt: Evt) -> None:
    home.succeed("one")
    home.write_artifact("one")
    (home.root / "results" / "one.json").write_bytes(b"forged")
    lock = FileLock(home.root / "logs" / ".owner")
    with lock:
        said = evt("project", "artifacts", "--write")
        assert (said.code, said.out) == (7, "")
        assert "owned by a service" in said.err
    assert (home.root / "results" / "one.json").read_bytes() == b"forged"
    assert evt("project", "artifacts", "--write").code == 0
    assert lock.try_acquire()
    lock.release()


@pytest.mark.skipif(sys.platform == "win32", reason="links want a privilege there")
def test_a_link_in_place_of_an_artifact_is_replaced_and_not_followed(home: BuiltHome, evt: Evt) -> None:
    home.succeed("one")
    home.write_artifact("one")
    other = home.root / "precious.txt"
    other.write_bytes(b"precious")
    place = home.root / "results" / "one.json"
    right = place.read_bytes()
    place.unlink()
    place.symlink_to(other)
    assert evt("project", "artifacts", "--write").code == 0
    assert not place.is_symlink()
    assert (place.read_bytes(), other.read_bytes()) == (right, b"precious")


def test_a_receipt_with_a_path_out_of_the_home_writes_nothing(home: BuiltHome, evt: Evt) -> None:
    home.succeed("one")
    home.write_artifact("one")
    receipt = {**list(home.log.stream("task-one"))[-1].data, "path": "../escaped.json"}
    home.raw("task-one", "artifact_written", receipt)
    said = evt("project", "artifacts", "--write")
    assert said.code == 1
    assert "does not lie inside the home" in said.err
    assert not (home.root.parent / "escaped.json").exists()


def test_tasks_without_an_artifact_of_their_last_turn_are_said(home: BuiltHome, evt: Evt) -> None:
    home.succeed("one")
    said = evt("project", "artifacts", "--write")
    assert said.code == 0
    assert "1 task has no artifact of the last turn yet" in said.err


# validate-artifacts


def artifact(home: BuiltHome, task_id: str = "one") -> dict[str, Any]:
    home.succeed(task_id)
    home.write_artifact(task_id)
    found: dict[str, Any] = orjson.loads((home.root / "results" / f"{task_id}.json").read_bytes())
    return found


def test_good_artifacts_are_counted(home: BuiltHome, evt: Evt) -> None:
    artifact(home)
    home.fail("two")
    home.write_artifact("two")
    evt("project", "artifacts", "--write")
    said = evt("validate-artifacts")
    assert (said.code, said.out) == (0, "2 artifacts checked, 0 bad\n")
    told = evt("validate-artifacts", "--json").document
    assert told == {"checked": 2, "bad": 0, "legacy": 0, "faults": [], "missing": []}


def test_each_fault_is_named_with_file_and_field(home: BuiltHome, evt: Evt, tmp_path: Path) -> None:
    good = artifact(home)
    faults: dict[str, Any] = {
        "a": {**good, "success": "yes"},
        "b": {**good, "outcome": {**good["outcome"], "verified": "maybe"}},
        "c": {**good, "surplus": 1},
        "d": {key: value for key, value in good.items() if key != "triage"},
        "e": [],
    }
    folder = tmp_path / "results"
    folder.mkdir()
    for name, content in faults.items():
        (folder / f"{name}.json").write_bytes(orjson.dumps(content))
    (folder / "f.json").write_bytes(b'{"cost": NaN}')
    (folder / "g.json").write_bytes(b"\xff\xfe")
    said = evt("validate-artifacts", str(folder), "--json")
    assert said.code == 1
    fields = {Path(fault["file"]).stem: fault["field"] for fault in said.document["faults"]}
    assert fields == {
        "a": "success",
        "b": "outcome.verified",
        "c": "surplus",
        "d": "triage",
        "e": "",
        "f": "",
        "g": "",
    }
    lines = evt("validate-artifacts", str(folder)).lines
    assert len(lines) == 8
    assert lines[1].startswith(f"{folder / 'b.json'}: outcome.verified: ")
    assert lines[-1] == "7 artifacts checked, 7 bad"


def test_an_artifact_of_the_first_system_is_passed_over_only_where_that_is_asked(
    home: BuiltHome, evt: Evt, tmp_path: Path
) -> None:
    artifact(home)
    old = tmp_path / "old.json"
    old.write_bytes(b'{"schema_version": "1.0", "task_id": "x"}')
    strict = evt("validate-artifacts", str(old))
    assert strict.code == 1
    assert "--ignore-legacy" in strict.out
    lenient = evt("validate-artifacts", str(old), str(home.root / "results"), "--ignore-legacy")
    assert (lenient.code, lenient.out) == (0, "2 artifacts checked, 0 bad, 1 of schema 1.0\n")


def test_given_files_need_no_home(
    home: BuiltHome, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    artifact(home)
    monkeypatch.chdir(tmp_path)
    assert call(["validate-artifacts", str(home.root / "results" / "one.json")], {}) == 0
    assert call(["validate-artifacts"], {}) == 2
    assert call(["validate-artifacts", "nowhere.json"], {}) == 6
    assert "there is no file nowhere.json" in capsys.readouterr().err


# create-sample


def test_a_sample_is_a_task_that_can_be_taken_in(home: BuiltHome, evt: Evt) -> None:
    said = evt("create-sample")
    assert said.code == 0
    path = home.root / "tasks" / "sample.task.md"
    assert said.out == f"{path}\n"
    task = read_task(path.read_bytes(), path.name, trusted=True)
    assert (task.type, task.title, task.warnings) == ("analyze", "Say what lies here", ())
    assert len(task.criteria) == 2


def test_a_sample_never_takes_the_place_of_a_file(home: BuiltHome, evt: Evt) -> None:
    inbox = home.root / "tasks"
    (inbox / "sample.task.md").write_bytes(b"mine")
    assert Path(evt("create-sample", "--json").document["path"]) == inbox / "sample-2.task.md"
    assert Path(evt("create-sample").out.strip()) == inbox / "sample-3.task.md"
    assert (inbox / "sample.task.md").read_bytes() == b"mine"
    names = {path.name for path in inbox.iterdir() if path.is_file()}
    assert names == {"sample.task.md", "sample-2.task.md", "sample-3.task.md"}


def test_a_sample_bears_a_name_that_becomes_its_id(home: BuiltHome, evt: Evt) -> None:
    """A stem that a task was made of before gets a number when it is taken in."""
    home.succeed("Sample")
    home.queue("sample-2")
    (home.root / "tasks" / "sample-3.task.md").write_bytes(b"mine")
    said = evt("create-sample")
    assert Path(said.out.strip()) == home.root / "tasks" / "sample-4.task.md"
    assert "`evt show sample-4`" in said.err


# version


def test_version_names_the_two_sqlites_that_are_at_work(evt: Evt) -> None:
    told = evt("version", "--json").document
    assert told["sqlite"] == {"log": apsw.sqlite_lib_version(), "views": sqlite3.sqlite_version}
    assert [library["version"] for library in told["sqlite_libraries"]] == list(told["sqlite"].values())
    assert set(told) == {"evt", "python", "sqlite", "sqlite_libraries", "platform"}
    assert evt("--version").out == evt("version").out
