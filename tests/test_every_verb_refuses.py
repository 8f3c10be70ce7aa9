"""Rows that hold for every verb: a log that is none, a full stdout, a home of another user."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from adapters.cli.table import VERBS
from tests.damaged import files_of, log_of
from tests.exported import told
from tests.reading_evt import Evt
from tests.service import command, environment
from tests.test_foreign_logs import LOGS
from tests.test_foreign_logs import VERBS as TRIED

MORE: Mapping[str, Sequence[str]] = {
    "wait": ("wait", "shop", "--timeout", "1"),
    "retry": ("retry", "--failed"),
    "pause": ("pause",),
    "resume": ("resume",),
    "audit": ("audit",),
    "erase": ("erase", "1"),
    "validate-artifacts": ("validate-artifacts",),
    "create-sample": ("create-sample",),
    "tail-events": ("tail-events",),
}
WITHOUT_A_LOG = frozenset({"agents", "completion", "demo", "version"})
"""They need no log."""
OTHERWISE = frozenset({"init", "import", "recover", "key"})
"""The first three make one; `key` looks for the key first, and a home without a log of ours may have none."""
FULL = Path("/dev/full")
FULLY = ("audit", "audit --json", "export", "agents", "validate-artifacts", "backup KEPT", "wait shop")
NOBODY_UID = 65534
as_root = pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() != 0, reason="only root can give a file to another user"
)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return told(tmp_path_factory.mktemp("sound"))


@pytest.fixture
def evt(sound: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Evt:
    return Evt(Path(shutil.copytree(sound, tmp_path / "home")), capsys)


def test_no_verb_is_left_out() -> None:
    shown = {name for name, verb in VERBS.items() if verb.group}
    tried = {words[0] for words in TRIED} | MORE.keys()
    assert shown - tried == (WITHOUT_A_LOG | OTHERWISE) & shown


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("words", MORE.values(), ids=lambda words: words[0])
@pytest.mark.parametrize("log", LOGS)
def test_what_is_no_log_is_named_and_nothing_is_written(evt: Evt, log: str, words: Sequence[str]) -> None:
    make, says, remedy = LOGS[log]
    make(log_of(evt.root))
    before = files_of(evt.root)
    said = evt(*words)
    assert (said.code, said.out) == (2, ""), said
    assert said.err.startswith(f"evt: {log_of(evt.root)} {says}"), said.err
    assert remedy in said.err
    assert files_of(evt.root) == before


@pytest.mark.parametrize("make", [a_folder, Path.unlink], ids=["a folder", "nothing"])
@pytest.mark.parametrize(
    "words", [("status",), ("add", "explain the cart"), *MORE.values()], ids=lambda words: words[0]
)
def test_a_home_without_its_log_is_sent_to_recover(
    evt: Evt, words: Sequence[str], make: Callable[[Path], None]
) -> None:
    make(log_of(evt.root))
    said = evt(*words)
    assert (said.code, said.out) == (2, ""), said
    assert "`evt recover" in said.err


@pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("words", FULLY)
def test_a_full_disk_under_stdout_is_said_with_74(sound: Path, tmp_path: Path, words: str) -> None:
    with FULL.open("wb") as full:
        said = subprocess.run(
            [*command(), *words.replace("KEPT", str(tmp_path / "kept")).split()],
            env=environment(EVT_HOME=str(sound)),
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
            timeout=60,
        )
    assert said.returncode == 74
    said_last = b"".join(said.stderr.splitlines()[-2:])
    assert b"No space left on device (stdout)." in said_last
    assert b"Make room there" in said_last


@as_root
@pytest.mark.parametrize(
    "words",
    [
        *MORE.values(),
        *(("cancel", "later"), ("replay",), ("project", "tasks"), ("project", "artifacts", "--write")),
        *(("export",), ("backup", "KEPT"), ("recover",), ("agents",), ("key", "change")),
        *(("audit", "prove", "1"), ("erase", "1", "--field", "x", "--reason", "y")),
    ],
    ids=" ".join,
)
def test_another_users_home_is_named_with_its_owner_and_left_as_it_is(
    evt: Evt, tmp_path: Path, words: Sequence[str]
) -> None:
    if sys.platform == "win32":
        return
    for path in (evt.root, *evt.root.rglob("*")):
        os.chown(path, NOBODY_UID, NOBODY_UID)
    before = files_of(evt.root)
    said = evt(*(word.replace("KEPT", str(tmp_path / "kept")) for word in words))
    assert (said.code, said.out) == (4, "")
    assert said.err.startswith(f"evt: the home {evt.root} belongs to nobody (uid {NOBODY_UID})")
    assert files_of(evt.root) == before
    assert not (tmp_path / "kept").exists()
    assert {path.stat().st_uid for path in evt.root.rglob("*")} == {NOBODY_UID}, "nothing is made there"
