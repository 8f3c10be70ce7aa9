"""Under CI a test that is skipped for an unknown reason makes the session end red, and is named."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.known_skips import KNOWN

ROOT = Path(__file__).resolve().parent.parent
POWERSHELL = "def test_powershell_completes_a_line():\n    pytest.skip('{}')\n"
FILES = {
    "unknown": ("test_lane.py", "def test_a_lane():\n    pytest.skip('no lane here')\n"),
    "marked": ("test_lane.py", "@pytest.mark.skipif(True, reason='no lane here')\ndef test_a_lane(): ...\n"),
    "whole file": ("test_lane.py", "pytest.skip('no lane here', allow_module_level=True)\n"),
    "known": ("test_completion_scripts.py", POWERSHELL.format("PowerShell is not here and not in Debian")),
    "known, another reason": ("test_completion_scripts.py", POWERSHELL.format("no lane here")),
    "denied": ("test_lane.py", "def test_a_lane():\n    pytest.skip('nothing may be mounted here: no')\n"),
    "expected to fail": ("test_lane.py", "@pytest.mark.xfail\ndef test_a_lane():\n    assert 0\n"),
}


def ended(folder: Path, file: str, ci: str | None, *words: str) -> tuple[int, str]:
    """Exit code and words of a run with the suite's own conftest, over one file and a test that passes."""
    name, text = FILES[file]
    tests = folder / "tests"
    tests.mkdir()
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8", newline="\n")
    (tests / "test_well.py").write_text("def test_well(): ...\n", encoding="utf-8", newline="\n")
    (tests / name).write_text(f"import pytest\n\n{text}", encoding="utf-8", newline="\n")
    env = {name: value for name, value in os.environ.items() if name != "CI" and "PYTEST" not in name}
    command = [
        *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "tests.conftest"),
        *("-c", str(folder / "pytest.ini"), f"--rootdir={folder}", *words, str(tests)),
    ]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=env if ci is None else {**env, "CI": ci},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("side_by_side", [(), ("-n", "2")], ids=["alone", "side by side"])
@pytest.mark.parametrize("file", ["unknown", "whole file"])
def test_an_unknown_skip_ends_a_run_of_ci_red_and_is_named(
    tmp_path: Path, file: str, side_by_side: tuple[str, ...]
) -> None:
    code, said = ended(tmp_path, file, "true", *side_by_side)
    assert code == 1, said
    place = "tests/test_lane.py" if file == "whole file" else "tests/test_lane.py::test_a_lane"
    assert f"CI must run {place}, which was skipped: no lane here." in said
    assert "1 passed, 1 skipped" in said


@pytest.mark.parametrize("file", ["marked", "known, another reason"])
def test_neither_a_mark_nor_a_known_name_alone_is_enough(tmp_path: Path, file: str) -> None:
    code, said = ended(tmp_path, file, "true")
    assert code == 1, said
    assert "which was skipped: no lane here." in said


@pytest.mark.parametrize(
    ("file", "ci"),
    [
        ("known", "true"),
        ("denied", "true"),
        ("expected to fail", "true"),
        ("unknown", None),
        ("unknown", "false"),
    ],
)
def test_a_known_skip_and_any_skip_elsewhere_leave_the_run_green(
    tmp_path: Path, file: str, ci: str | None
) -> None:
    code, said = ended(tmp_path, file, ci)
    assert code == 0, said
    assert "CI must run" not in said


@pytest.mark.parametrize("test", KNOWN)
def test_what_may_be_skipped_is_still_a_test_of_ours(test: str) -> None:
    file, name = test.split("::")
    assert f"def {name}(" in (ROOT / file).read_text(encoding="utf-8")
