"""The pages of the inspection name tests and commits that are there."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = (ROOT / "docs" / "inspection.md", ROOT / "docs" / "inspection-promises.md")
NAMED = re.compile(r"`(test_\w+\.py)(?:::(test_\w+))?`")
COMMIT = re.compile(r"`([0-9a-f]{7})`")


def missing(text: str) -> list[str]:
    """The tests that a text names and that are not there."""
    found = []
    for file, test in NAMED.findall(text):
        path = ROOT / "tests" / file
        there = path.is_file() and (not test or f"def {test}(" in path.read_text(encoding="utf-8"))
        if not there:
            found.append(f"{file}::{test}" if test else file)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_each_test_that_an_inspection_names_is_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert len(NAMED.findall(text)) >= 10
    assert missing(text) == []


def test_a_test_that_is_not_there_is_missed() -> None:
    assert missing("`test_inspection.py::test_of_nothing`, `test_of_nothing.py`, `test_inspection.py`") == [
        "test_inspection.py::test_of_nothing",
        "test_of_nothing.py",
    ]


def test_each_commit_that_the_inspection_names_is_in_the_history() -> None:
    named = COMMIT.findall(PAGES[0].read_text(encoding="utf-8"))
    assert named
    git = ["git", "-C", str(ROOT), "cat-file", "-e"]
    if subprocess.run([*git, "HEAD~20"], capture_output=True, check=False).returncode:
        pytest.skip("this clone has no history")
    found = {one: subprocess.run([*git, one], capture_output=True, check=False).returncode for one in named}
    assert [one for one, code in found.items() if code] == []
