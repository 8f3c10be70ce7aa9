"""What somebody meets who knows the README alone: reasons, mistakes and words of the command line."""

import hashlib
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from adapters.cli.main import call
from eventstore.file_lock import FileLock
from projections.all_views import BY_NAME
from projections.summary import summary
from schemas.attempt import TaskInterrupted
from tests.homes import BuiltHome
from tests.reading_evt import Evt, Said
from tests.service import command, environment, home_at
from tests.service import evt as program

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def home(tmp_path: Path) -> Iterator[BuiltHome]:
    with BuiltHome(tmp_path / "home") as built:
        yield built


@pytest.fixture
def evt(home: BuiltHome, capsys: pytest.CaptureFixture[str]) -> Evt:
    return Evt(home.root, capsys)


def why(said: Said) -> dict[str, str]:
    return {row["id"]: row["why"] for row in said.document["waiting"]}


# why a task waits


def test_without_a_service_that_is_the_reason(home: BuiltHome, evt: Evt) -> None:
    home.queue("one")
    home.store_views()
    assert why(evt("status", "--json")) == {"one": "no service runs: `evt run`"}
    assert "no service runs" in evt("show", "one").out
    listed = evt("list")
    assert listed.err == "No service runs in this home: `evt run` does the work.\n"
    assert listed.lines[1].endswith("Fix the total")


def test_with_a_service_the_task_that_holds_the_directory_is_named(home: BuiltHome, evt: Evt) -> None:
    home.queue("first")
    home.claim("first")
    home.queue("second")
    home.store_views()
    with FileLock(home.root / "logs" / ".owner"):
        assert why(evt("status", "--json")) == {"second": "first works in the same directory"}
        assert "first works in the same directory" in evt("show", "second").out
        listed = evt("list")
    assert (listed.err, "Fix the total: first works" in listed.out) == ("", True)


def test_with_a_free_directory_it_waits_for_a_worker(home: BuiltHome, evt: Evt) -> None:
    home.queue("one")
    with FileLock(home.root / "logs" / ".owner"):
        assert why(evt("status", "--json")) == {"one": ""}
        assert "for a worker" in evt("status").out


def test_an_interrupted_task_says_that_it_starts_again(home: BuiltHome, evt: Evt) -> None:
    home.queue("one")
    home.claim("one")
    home.task("one", TaskInterrupted(attempt=1, reason="the service was stopped", agent_was_alive=False))
    with FileLock(home.root / "logs" / ".owner"):
        assert why(evt("status", "--json")) == {"one": "was interrupted and starts again"}


# the inbox


def test_status_tells_what_lies_in_the_inbox_and_what_is_passed_over(home: BuiltHome, evt: Evt) -> None:
    assert "inbox" not in evt("status").out
    for name in ("b.task.md", "a.task.md", "n.txt", "m.md", "l.md", "k.md", ".x.tmp", "c.md~", "d.swp"):
        (home.root / "tasks" / name).write_bytes(b"x")
    told = evt("status", "--json").document["inbox"]
    ignored = ["k.md", "l.md", "m.md", "n.txt"]
    assert told == {"waiting": ["a.task.md", "b.task.md"], "ignored": ignored, "problem": None}
    (line,) = [line for line in evt("status").lines if line.startswith("inbox")]
    assert "not taken in yet: a.task.md, b.task.md" in line
    assert line.endswith("k.md, l.md, m.md and 1 more")


def test_a_file_that_is_a_task_already_does_not_wait_until_it_holds_something_else(
    home: BuiltHome, evt: Evt
) -> None:
    def waiting() -> list[str]:
        found: list[str] = evt("status", "--json").document["inbox"]["waiting"]
        return found

    lying = home.root / "tasks" / "one.task.md"
    lying.write_bytes(b"look at it")
    assert waiting() == ["one.task.md"]
    home.queue("other")
    received = dict(next(iter(home.log.stream("task-other"))).data)
    digest = hashlib.sha256(b"look at it").hexdigest()
    home.raw("task-one", "task_received", {**received, "file_name": lying.name, "content_sha256": digest})
    assert waiting() == []
    lying.write_bytes(b"look at that")
    assert waiting() == ["one.task.md"]


def test_an_inbox_that_is_gone_is_said(home: BuiltHome, evt: Evt) -> None:
    (home.root / "tasks" / "processed").rmdir()
    (home.root / "tasks").rmdir()
    assert "inbox    it cannot be looked into: " in evt("status").out


# wait


def test_wait_knows_a_file_that_is_not_taken_in_yet(home: BuiltHome, evt: Evt) -> None:
    (home.root / "tasks" / "one.task.md").write_bytes(b"look")
    said = evt("wait", "one", "--timeout", "0")
    assert (said.code, said.out) == (3, "")
    assert "note: one.task.md lies in the inbox and is not taken in yet." in said.err
    assert "one.task.md still lies in the inbox" in said.err
    assert evt("wait", "two", "--timeout", "0").code == 6


def test_wait_goes_on_with_the_task_that_the_file_becomes(home: BuiltHome, evt: Evt) -> None:
    lying = home.root / "tasks" / "one.task.md"
    lying.write_bytes(b"look")

    def take_in() -> None:
        home.succeed("one")
        lying.unlink()

    timer = threading.Timer(0.3, take_in)
    timer.start()
    try:
        said = evt("wait", "one", "--timeout", "20")
    finally:
        timer.join()
    assert said.code == 0, said.err
    assert said.out.startswith("one  succeeded (unchecked)")
    assert said.err.count("lies in the inbox") == 1


def test_wait_ends_when_the_file_is_taken_away(home: BuiltHome, evt: Evt) -> None:
    lying = home.root / "tasks" / "one.task.md"
    lying.write_bytes(b"look")
    timer = threading.Timer(0.3, lying.unlink)
    timer.start()
    try:
        said = evt("wait", "one", "--timeout", "20")
    finally:
        timer.join()
    assert (said.code, "became no task" in said.err) == (6, True)


# artifacts


def test_an_artifact_that_the_log_knows_and_nobody_finds_is_missing(home: BuiltHome, evt: Evt) -> None:
    home.succeed("one")
    home.write_artifact("one")
    assert evt("validate-artifacts").out == "1 artifact checked, 0 bad\n"
    path = home.root / "results" / "one.json"
    path.unlink()
    said = evt("validate-artifacts")
    assert said.code == 1
    assert said.lines[0].startswith(f"{path}: it is missing;")
    assert said.lines[-1] == "0 artifacts checked, 0 bad, 1 missing"
    assert evt("validate-artifacts", "--json").document["missing"] == [str(path)]


def test_what_is_named_and_is_no_artifact_is_said(home: BuiltHome, evt: Evt, tmp_path: Path) -> None:
    home.succeed("one")
    home.write_artifact("one")
    text = evt("validate-artifacts", str(home.root / "summaries" / "one_summary.txt"))
    assert (text.code, "it is no artifact, for it is no JSON" in text.out) == (1, True)
    index = home.root / "results" / "index.json"
    index.write_bytes(b"{}")
    assert "it is the index of them" in evt("validate-artifacts", str(index)).out
    folder = evt("validate-artifacts", str(home.root / "summaries"))
    assert (folder.code, folder.out) == (0, "0 artifacts checked, 0 bad\n")
    assert folder.err == f"note: there is no artifact in {home.root / 'summaries'}.\n"
    assert evt("validate-artifacts", str(tmp_path / "nowhere")).code == 6


UNREADABLE = """
import os, sys
import adapters.cli.validate_artifacts
from adapters.cli.main import call
if os.geteuid() == 0:
    os.seteuid(65534)
sys.exit(call(["validate-artifacts", sys.argv[1]], {}))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="modes of folders are POSIX")
def test_a_folder_that_may_not_be_looked_into_is_a_fault() -> None:
    with tempfile.TemporaryDirectory(prefix="evt-closed-") as name:
        Path(name).chmod(0o755)
        closed = Path(name) / "closed"
        closed.mkdir(mode=0)
        try:
            said = subprocess.run(
                [sys.executable, "-c", UNREADABLE, str(closed)],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                capture_output=True,
                encoding="utf-8",
                check=False,
            )
        finally:
            closed.chmod(0o700)
    assert said.returncode == 1, said.stderr
    first, last = said.stdout.splitlines()
    assert first == f"{closed}: it cannot be looked into: Permission denied"
    assert last == "0 artifacts checked, 1 bad"


# warnings


def test_warnings_are_seen_in_the_log_and_in_the_summary(home: BuiltHome, evt: Evt) -> None:
    home.queue("one", warnings=("`colour` is kept.", "second"))
    home.claim("one")
    home.finish_turn("one")
    (line,) = evt("tail", "--type", "task_received").lines
    assert line.endswith("from one.task.md, 2 warnings: `colour` is kept.")
    lines = summary(list(home.log.stream("task-one"))).splitlines()
    assert {"Warning:   `colour` is kept.", "Warning:   second"} <= set(lines)


# add


@pytest.mark.parametrize(
    ("word", "code", "sentence"),
    [
        ("notes.txt", 6, "there is no file notes.txt."),
        ("Notes.PY", 6, "there is no file Notes.PY."),
        ("some/where", 6, "there is no file some/where."),
        ("lib", 2, "lib is a folder."),
        ("lib of mine", 2, "lib of mine is a folder."),
        ("lib of mine/none.md", 6, "there is no file lib of mine/none.md."),
        ("my own.task.md", 6, "there is no file my own.task.md."),
        ("./my own.md", 6, "there is no file ./my own.md."),
        ("/no such/folder/x.task.md", 6, "there is no file /no such/folder/x.task.md."),
        ("", 2, "the text is empty."),
        ("  ", 2, "the text is empty."),
    ],
)
def test_a_path_that_was_meant_as_a_file_becomes_no_task(
    home: BuiltHome, evt: Evt, monkeypatch: pytest.MonkeyPatch, word: str, code: int, sentence: str
) -> None:
    monkeypatch.chdir(home.root)
    (home.root / "lib").mkdir()
    (home.root / "lib of mine").mkdir()
    head = home.log.head()
    for more in ((), ("--check",)):
        said = evt("add", word, *more)
        assert (said.code, said.out) == (code, "")
        assert said.err.startswith(f"evt: {sentence}\n")
    assert home.log.head() == head


@pytest.mark.skipif(not Path("/dev/null").exists(), reason="there is no such device here")
def test_a_device_becomes_no_task(evt: Evt) -> None:
    said = evt("add", "/dev/null")
    assert (said.code, "/dev/null is no regular file." in said.err) == (2, True)


def test_after_a_task_that_nobody_knows_is_taken_with_a_warning(tmp_path: Path) -> None:
    home = home_at(tmp_path / "home")
    warning = "`after` names nope, which is not known yet."
    said = program(home, "add", "look at it", "--after", "nope")
    assert (said.returncode, f"note: {warning}" in said.stderr) == (0, True)
    rows = orjson.loads(program(home, "add", "look at it", "--after", "nope", "--json").stdout)
    assert rows[0]["warnings"] == [warning]
    known = orjson.loads(program(home, "add", "look", "--after", rows[0]["task_id"], "--json").stdout)
    assert known[0]["warnings"] == []


# json


def test_with_json_every_line_of_stderr_is_json(tmp_path: Path) -> None:
    home = home_at(tmp_path / "home", "EVT_DREAM=1\n")
    said = program(home, "wait", "task_1", "--json")
    assert said.returncode == 6
    said = program(home, "cancel", "task_1", "--json")
    notes = [orjson.loads(line) for line in said.stderr.splitlines()]
    assert [next(iter(note)) for note in notes] == ["note", "error"]
    assert notes[0]["note"].startswith("EVT_DREAM is set")


def test_the_demo_has_no_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["demo", "--json"], {}) == 2
    assert "for the eye" in orjson.loads(capsys.readouterr().err)["error"]["message"]


def test_common_options_may_stand_before_the_verb(
    home: BuiltHome, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = str(home.root)
    for before in (["--json", "--home", place], [f"--home={place}", "--color", "never", "--json"]):
        assert call([*before, "status"], {}) == 0
        assert orjson.loads(capsys.readouterr().out)["home"] == str(home.root)
    assert call(["--home", str(tmp_path), "list", "--home", str(home.root)], {}) == 0, "the nearer wins"


def test_help_of_a_verb_is_its_own_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        call(["help", "project"], {})
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert said.startswith("usage: evt project ")
    assert all(f"\n  {name.ljust(10)}  " in said for name in BY_NAME)
    assert "work that" not in said.partition("the views:")[0]
    assert call(["help"], {}) == 0
    assert call(["help", "dance"], {}) == 2


# init


@pytest.mark.parametrize(
    ("place", "words"), [("tasks/new", ", in tasks, where that home keeps its own state."), ("play/new", ".")]
)
def test_no_home_is_made_inside_another(tmp_path: Path, place: str, words: str) -> None:
    home = home_at(tmp_path / "home")
    said = program(home / place, "init")
    assert said.returncode == 7
    assert f"lies inside the home {home}{words}" in said.stderr
    assert not (home / place).exists()


def test_a_home_is_taken_up_again_wherever_it_lies(tmp_path: Path) -> None:
    home = home_at(tmp_path / "home")
    inner = home_at(home / "inner")
    assert program(inner, "init", XDG_CONFIG_HOME=str(tmp_path)).returncode == 0


def test_a_folder_that_was_not_empty_is_said(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_bytes(b"mine")
    for times in (1, 0):
        said = program(tmp_path / "full", "init", XDG_CONFIG_HOME=str(tmp_path))
        assert said.returncode == 0, said.stderr
        assert said.stderr.count("was not empty") == times
    assert (tmp_path / "full" / "mine.txt").read_bytes() == b"mine"
    new = program(tmp_path / "new", "init", XDG_CONFIG_HOME=str(tmp_path))
    assert new.stderr == ""


# small words


def test_what_failed_is_said_with_its_sentence_first(home: BuiltHome, evt: Evt) -> None:
    home.fail("bad", "the agent gave up.")
    (line,) = evt("tail", "--type", "task_failed").lines
    assert line.endswith("task_failed           the agent gave up. (interactive, permission_denied)")


def test_cancelled_twice_is_said(tmp_path: Path) -> None:
    home = home_at(tmp_path / "home")
    task = orjson.loads(program(home, "add", "look at it", "--json").stdout)[0]["task_id"]
    assert program(home, "cancel", task).stdout == f"{task} is cancelled\n"
    assert program(home, "cancel", task).stdout == f"{task} was cancelled already\n"


def test_the_demo_ends_with_where_its_home_was_and_what_comes_next(tmp_path: Path) -> None:
    told = subprocess.run(
        command("demo"),
        env=environment(TMPDIR=str(tmp_path), TEMP=str(tmp_path), XDG_CONFIG_HOME=str(tmp_path)),
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    paid, where, following = told.stdout.splitlines()[-3:]
    assert paid.endswith("nobody was billed.")
    place = Path(where.removeprefix("The home ").partition(" is removed again")[0])
    assert place.parent == tmp_path
    assert not place.exists()
    assert following.endswith("evt init ~/evt-home")
