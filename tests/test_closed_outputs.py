"""Standard streams that are closed, a current folder that is gone: how some daemons start programs."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.homes import BuiltHome

ROOT = Path(__file__).resolve().parent.parent
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="closes streams as a POSIX shell does")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[BuiltHome]:
    with BuiltHome(tmp_path / "home") as built:
        built.queue("two")
        built.store_views()
        yield built


def evt(home: Path, words: str, closed: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[bytes]:
    """Run it with the streams closed that `closed` names as a shell does; PYTHONPATH finds the packages."""
    return subprocess.run(
        ["/bin/sh", "-c", f'exec "$0" -m adapters.cli {words} {closed}', sys.executable],
        cwd=cwd,
        env={**os.environ, "EVT_HOME": str(home), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", "<&- >&- 2>&-"])
def test_a_verb_with_closed_streams_does_its_work_and_ends_well(home: BuiltHome, closed: str) -> None:
    said = evt(home.root, "list", closed)
    assert said.returncode == 0
    assert b"Traceback" not in said.stderr
    assert (b"two" in said.stdout) == (">&-" not in closed.replace("2>&-", ""))


def test_what_was_queued_is_told_as_queued_though_nobody_hears_the_notes(home: BuiltHome) -> None:
    head = home.log.head()
    said = evt(home.root, "add 'explain a module'", "2>&-")
    assert (said.returncode, home.log.head() > head) == (0, True)


def test_no_file_of_the_home_gets_the_number_of_a_closed_stream(tmp_path: Path) -> None:
    code = (
        "import os, sys\n"
        "from adapters.cli.start import fill_closed_streams\n"
        "fill_closed_streams()\n"
        "number = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)\n"
        "print('lost'), print('lost', file=sys.stderr)\n"
        "sys.exit(0 if number > 2 and sys.stdin.read() == '' else 1)\n"
    )
    file = tmp_path / "file"
    shell = ["/bin/sh", "-c", 'exec "$0" -c "$1" "$2" <&- >&- 2>&-', sys.executable, code, str(file)]
    assert subprocess.run(shell, cwd=ROOT, check=False, timeout=60).returncode == 0
    assert file.read_bytes() == b""


def from_a_removed_folder(home: Path, words: str, tmp_path: Path) -> subprocess.CompletedProcess[bytes]:
    gone = tmp_path / "gone"
    gone.mkdir()
    return subprocess.run(
        ["/bin/sh", "-c", f'rmdir "$1"; exec "$0" -m adapters.cli {words}', sys.executable, str(gone)],
        cwd=gone,
        env={**os.environ, "EVT_HOME": "", "PYTHONPATH": str(ROOT), "HOME_OF_TEST": str(home)},
        capture_output=True,
        check=False,
        timeout=60,
    )


def test_a_home_that_is_named_wholly_needs_no_current_folder(home: BuiltHome, tmp_path: Path) -> None:
    said = from_a_removed_folder(home.root, 'list --home "$HOME_OF_TEST"', tmp_path)
    assert (said.returncode, b"two" in said.stdout) == (0, True)


def test_a_current_folder_that_is_gone_is_told_as_that(home: BuiltHome, tmp_path: Path) -> None:
    said = from_a_removed_folder(home.root, "list", tmp_path)
    assert said.returncode == 2
    assert b"the current folder is gone" in said.stderr
