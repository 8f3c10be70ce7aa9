"""What may lie in an inbox besides files, and the names that files may bear, row by row."""

import os
import re
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
import trio

from adapters.safe_files import NotRegular
from adapters.watchdog_inbox import WatchdogInbox
from schemas import names
from tests.rows import NOBODY, Drained, Row, check, drain, ground, shown_name
from tests.service import evt

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="Windows has neither these kinds nor these names"
)

WISH = b"Look at the sum.\n"
REGULAR = "Put a regular file there."
IGNORED = (
    *(
        ".x.task.md",
        ".x.task.md.swp",
        "x.task.md~",
        "x.task.md.tmp",
        "x.task.md.crdownload",
        "x.task.md.part",
    ),
    *(
        "~$x.task.md",
        ".~lock.x.task.md#",
        "#x.task.md#",
        "Thumbs.db",
        "desktop.ini",
        ".DS_Store",
        "notes.txt",
    ),
)
"""What editors, browsers and systems leave behind, and what is simply no task file."""


def linked(target: str) -> Callable[[Path], None]:
    return lambda path: path.symlink_to(target)


def device(path: Path) -> None:
    os.mknod(path, 0o020666, os.makedev(1, 3))


def bound(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as heard:
        heard.bind(str(path))


def hard_link(path: Path) -> None:
    other = path.parent.parent / "kept.txt"
    other.write_bytes(WISH)
    path.hardlink_to(other)


def no_file(about: str, name: str, puts: Callable[[Path], None], kind: str) -> Row:
    return Row(about, name, puts, f"It is {kind}; a task file is a regular file.", REGULAR)


MAY_MAKE_DEVICES = sys.platform != "win32" and os.geteuid() == 0
ROWS = (
    *([no_file("a device", "device.task.md", device, "a device")] if MAY_MAKE_DEVICES else []),
    no_file("a socket", "socket.task.md", bound, "a socket"),
    no_file("a named pipe", "pipe.task.md", lambda path: os.mkfifo(path), "a named pipe"),
    no_file(
        "a directory", "folder.task.md", lambda path: (path / "x.task.md").mkdir(parents=True), "a directory"
    ),
    no_file("a link to /etc/passwd", "passwd.task.md", linked("/etc/passwd"), "a symbolic link"),
    no_file("a link to nothing", "nothing.task.md", linked("nothing"), "a symbolic link"),
    no_file("a link to itself", "itself.task.md", linked("itself.task.md"), "a symbolic link"),
    Row(
        "a hard link",
        "hard.task.md",
        hard_link,
        "It is a hard link: the file has 2 names.",
        "Drop a copy of it, or set EVT_ALLOW_HARDLINKS=1.",
    ),
    Row(
        "a name of invalid UTF-8",
        "\udcff\udcfex.task.md",
        WISH,
        "Its name is not valid UTF-8, so the log could not tell it again.",
        "Rename it and drop it again.",
    ),
    Row("a newline in its name", "line\nTASK_REFUSED.task.md", WISH),
    Row("an escape in its name", "\x1b[2J\x1b]0;owned\x07.task.md", WISH),
    Row("a command in its name", "$(id)`id`;id|id&.task.md", WISH),
    Row("an option as its name", "-rf --json.task.md", WISH),
    Row("an RTL override in its name", "gpj.\u202emd.task.md", WISH),
    Row("an emoji as its name", "🚀.task.md", WISH),
    Row("a device of Windows", "CON.task.md", WISH),
    Row("dots and a space at its end", "x.. .task.md", WISH),
    Row("a name as long as there is", "n" * 247 + ".task.md", WISH),
    Row("spaces and quotes", 'it\'s "so" .task.md', WISH),
)
HARMLESS = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""What no line for a person may hold."""


@pytest.fixture(scope="module")
def drained(tmp_path_factory: pytest.TempPathFactory) -> Drained:
    home, root = ground(tmp_path_factory.mktemp("inbox"))
    for name in IGNORED:
        (home / "tasks" / name).write_bytes(WISH)
    return drain(home, root, ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.about)
def test_what_lies_in_the_inbox_is_taken_in_or_refused_with_its_sentence(drained: Drained, row: Row) -> None:
    check(row, drained)
    place = drained.archived(drained.row(shown_name(row.name)))
    assert os.path.lexists(place), "what was refused is moved aside as it is, never opened and never removed"
    if row.puts == WISH:
        assert place.read_bytes() == WISH


def test_what_programs_leave_behind_is_passed_over_in_silence(drained: Drained) -> None:
    assert drained.left() == sorted(IGNORED)
    told = [event.data["file_name"] for event in drained.log if "file_name" in event.data]
    assert sorted(told) == sorted(shown_name(row.name) for row in ROWS)


@pytest.mark.parametrize(
    "words", ["list", "status", "tail -n 1000", "project tasks", "project in_inbox", "show EACH"]
)
def test_a_hostile_name_is_escaped_in_every_output(drained: Drained, words: str) -> None:
    rows = drained.listed if "EACH" in words else drained.listed[:1]
    for row in rows:
        said = evt(drained.home, *words.replace("EACH", str(row["id"])).split())
        assert said.returncode == 0
        assert HARMLESS.search(said.stdout + said.stderr) is None
    whole = drained.said.stdout + drained.said.stderr
    assert HARMLESS.search(whole) is None
    assert not any(line.startswith("TASK_REFUSED") for line in whole.splitlines())


def test_a_hostile_name_is_escaped_in_every_summary_and_every_artifact_is_json(drained: Drained) -> None:
    summaries = list((drained.home / "summaries").rglob("*.txt"))
    assert len(summaries) == sum(row["status"] == "failed" for row in drained.listed) > 5
    for path in summaries:
        assert HARMLESS.search(path.read_text(encoding="utf-8")) is None, path
    for path in (drained.home / "results").glob("*.json"):
        assert orjson.loads(path.read_bytes())


def test_hard_links_are_taken_in_where_the_setting_says_so(tmp_path: Path) -> None:
    home, root = ground(tmp_path, NOBODY + "EVT_ALLOW_HARDLINKS=yes\n")
    (row,) = [row for row in ROWS if row.name == "hard.task.md"]
    found = drain(home, root, [row])
    assert found.row("hard.task.md")["status"] == "failed"
    assert found.archived(found.row("hard.task.md")).read_bytes() == WISH


def test_a_file_that_gets_a_second_name_after_the_scan_is_not_read(tmp_path: Path) -> None:
    home, _ = ground(tmp_path)
    path = home / "tasks" / "x.task.md"
    path.write_bytes(WISH)
    inbox = WatchdogInbox(home)
    (seen,) = trio.run(inbox.scan)
    assert seen.problem is None
    (tmp_path / "second").hardlink_to(path)
    with pytest.raises(NotRegular, match="hard link"):
        trio.run(inbox.read, "x.task.md", 100)
    (again,) = trio.run(inbox.scan)
    assert again.fingerprint != seen.fingerprint
    assert trio.run(WatchdogInbox(home, hard_links=True).read, "x.task.md", 100) == WISH


def test_a_file_without_the_right_to_read_it_is_refused(tmp_path: Path) -> None:
    if MAY_MAKE_DEVICES:
        pytest.skip("root may read every file")
    home, root = ground(tmp_path)
    path = home / "tasks" / "x.task.md"
    path.write_bytes(WISH)
    path.chmod(0)
    found = drain(home, root)
    row = found.row("x.task.md")
    assert (row["sentence"], row["remedy"]) == (
        "The file cannot be read: Permission denied.",
        "Let the service's user read it.",
    )
    assert names.TASK_RECEIVED not in {event.type for event in found.log}
