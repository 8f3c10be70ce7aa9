"""What `evt audit` opens, as the kernel saw it: nothing for writing, whatever it is asked."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.service import command, environment, evt, home_at

STRACE = shutil.which("strace")
CHANGES = re.compile(
    r"\b(?:open(?:at2?)?\(.*(?:O_WRONLY|O_RDWR|O_CREAT|O_TRUNC)"
    r"|(?:creat|rename(?:at2?)?|unlink(?:at)?|mkdir(?:at)?|f?truncate|link(?:at)?|symlink(?:at)?|f?chmod(?:at)?"
    r"|utimensat|pwrite64)\()"
)
"""A call that may change a file, or opens one so that it may be changed."""

CALLS = ("%file", "ftruncate", "pwrite64", "fchmod")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = home_at(tmp_path / "home")
    assert evt(home, "add", "explain the cart", "--type", "analyze").returncode == 0
    return home


def changes(home: Path, trace: Path, *words: str) -> list[str]:
    """The calls of a verb that touch the home or what lies beside it, and could change something there."""
    if STRACE is None:
        pytest.skip("strace is not here: what a verb opens cannot be seen")
    watched = [STRACE, "-f", "-qq", "-e", f"trace={','.join(CALLS)}", "-y", "-o", str(trace)]
    said = subprocess.run(
        [*watched, *command(*words), "--home", str(home)],
        env=environment(PYTHONDONTWRITEBYTECODE="1"),
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert said.returncode == 0, said.stderr
    lines = trace.read_text(encoding="utf-8", errors="replace").splitlines()
    ours = str(home.parent)
    return [line for line in lines if CHANGES.search(line) and ours in line and str(trace) not in line]


@pytest.mark.parametrize(
    "words",
    [
        ("audit",),
        ("audit", "--json"),
        ("audit", "--log", "{logs}/events.db"),
        ("audit", "--log", "{logs}/events.ndjson", "--tree-head", "{logs}/tree/checkpoint"),
        ("audit", "--anchor", "{logs}/tree/checkpoint"),
        ("audit", "prove", "2"),
    ],
    ids=" ".join,
)
def test_an_audit_opens_nothing_for_writing(home: Path, tmp_path: Path, words: tuple[str, ...]) -> None:
    said = [word.format(logs=home / "logs") for word in words]
    assert changes(home, tmp_path / "trace", *said) == []


def test_a_verb_that_writes_is_seen(home: Path, tmp_path: Path) -> None:
    assert changes(home, tmp_path / "trace", "add", "explain the till", "--type", "analyze")
