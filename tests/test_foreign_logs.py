"""Where a home's log should be lies something else: every verb says so in a sentence and writes nothing."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.damaged import files_of, log_of, newer, other_program
from tests.exported import told
from tests.reading_evt import Evt


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return told(tmp_path_factory.mktemp("sound"))


@pytest.fixture
def evt(sound: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Evt:
    return Evt(Path(shutil.copytree(sound, tmp_path / "home")), capsys)


def text(path: Path) -> None:
    path.write_text("a text file\n" * 1000, encoding="utf-8", newline="\n")


def empty(path: Path) -> None:
    path.write_bytes(b"")


LOGS: dict[str, tuple[Callable[[Path], None], str, str]] = {
    "empty": (empty, "is empty (0 bytes)", "`evt recover`"),
    "text": (text, "is no SQLite file", "`evt recover`"),
    "another program's": (
        other_program,
        "belongs to another program and was not touched",
        "name the log's file",
    ),
    "newer": (newer, "was written by a newer version", "install the newer version"),
}
VERBS = (
    ("status",),
    ("list",),
    ("show", "shop"),
    ("tail",),
    ("project", "tasks"),
    ("replay", "--verify"),
    ("export",),
    ("backup", "{home}-kept"),
    ("add", "explain the cart"),
    ("cancel", "later"),
    ("run", "--drain"),
)


@pytest.mark.parametrize("verb", VERBS, ids=lambda words: words[0])
@pytest.mark.parametrize("log", LOGS)
def test_what_is_no_log_of_ours_is_named_by_every_verb(
    evt: Evt, tmp_path: Path, log: str, verb: tuple[str, ...]
) -> None:
    make, says, remedy = LOGS[log]
    make(log_of(evt.root))
    before = files_of(evt.root)
    said = evt(*(word.format(home=evt.root) for word in verb))
    assert (said.code, said.out) == (2, ""), said
    assert said.err.startswith(f"evt: {log_of(evt.root)} {says}"), said.err
    assert remedy in said.err
    assert said.err.count("\n") == 1
    assert files_of(evt.root) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home"]


@pytest.mark.parametrize("log", ["another program's", "newer"])
def test_nothing_is_made_of_such_a_file_by_init_either(evt: Evt, log: str) -> None:
    make, says, _ = LOGS[log]
    make(log_of(evt.root))
    before = files_of(evt.root)
    said = evt("init", str(evt.root))
    assert (said.code, says in said.err) == (2, True), said.err
    assert files_of(evt.root) == before
