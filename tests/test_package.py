"""The wheel: exactly our packages, with the files that they read, and it runs from any folder."""

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.tidy import PACKAGES

ROOT = Path(__file__).resolve().parent.parent
WAY_IN = "evt_start.py"
"""The script's way in, beside the packages: see `adapters/cli/evt_start.py`."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", check=False)
    assert told.returncode == 0, told.stdout + told.stderr
    (built,) = folder.glob("*.whl")
    with zipfile.ZipFile(built) as opened:
        yield opened


def test_the_wheel_carries_exactly_our_packages(wheel: zipfile.ZipFile) -> None:
    top = {name.partition("/")[0] for name in wheel.namelist()}
    assert {name for name in top if not name.endswith(".dist-info")} == {*PACKAGES, WAY_IN}
    assert len(top) == len(PACKAGES) + 2


@pytest.mark.parametrize(
    ("folder", "pattern"),
    [("prompts", "**/*.md"), ("schemas/json", "*.json"), ("adapters/recorded/recordings", "**/*")],
)
def test_the_wheel_carries_the_files_that_the_packages_read(
    wheel: zipfile.ZipFile, folder: str, pattern: str
) -> None:
    found = [path for path in (ROOT / folder).glob(pattern) if path.is_file() and path.suffix != ".pyc"]
    wanted = {path.relative_to(ROOT).as_posix() for path in found}
    assert wanted, f"nothing lies in {folder}"
    assert wanted <= set(wheel.namelist())


def test_the_wheel_carries_nothing_that_is_not_in_the_packages(wheel: zipfile.ZipFile) -> None:
    carried = {name for name in wheel.namelist() if ".dist-info/" not in name and name != WAY_IN}
    assert {name for name in carried if not (ROOT / name).is_file()} == set()
    assert {name for name in carried if "__pycache__" in name or name.endswith((".db", ".pyc"))} == set()


def test_the_wheel_brings_its_scripts_and_its_licence(wheel: zipfile.ZipFile) -> None:
    names = {name.partition(".dist-info/")[2]: name for name in wheel.namelist()}
    scripts = wheel.read(names["entry_points.txt"]).decode("utf-8")
    assert "evt = evt_start:main" in scripts
    assert wheel.read(WAY_IN) == (ROOT / "adapters" / "cli" / WAY_IN).read_bytes()
    assert "evt-recorded-agent = adapters.recorded.agent:main" in scripts
    assert b"MIT License" in wheel.read(names["licenses/LICENSE"])


def test_the_wheel_runs_from_any_folder(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    wheel.extractall(tmp_path / "installed")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "installed"), "PYTHONDONTWRITEBYTECODE": "1"}
    program = "import adapters.cli.main as m; print(m.__file__, flush=True); raise SystemExit(m.main())"
    told = subprocess.run(
        [sys.executable, "-P", "-c", program, "version"],
        cwd=elsewhere,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert told.returncode == 0, told.stderr
    assert str(tmp_path / "installed") in told.stdout.splitlines()[0]


def test_nothing_of_our_packages_names_on_the_pythonpath_is_run_instead(
    wheel: zipfile.ZipFile, tmp_path: Path
) -> None:
    venv.create(tmp_path / "venv", with_pip=False, symlinks=os.name != "nt")
    paths = {"base": str(tmp_path / "venv"), "platbase": str(tmp_path / "venv")}
    site = Path(sysconfig.get_path("purelib", "venv", vars=paths))
    wheel.extractall(site)
    # What we depend on is not installed anew: it comes behind, and without the project's own link.
    depended = sysconfig.get_path("purelib")
    (site / "depended.pth").write_text(f"{depended}\n", encoding="utf-8", newline="\n")
    hostile = tmp_path / "hostile"
    hostile.mkdir()
    for name in (*PACKAGES, "json"):
        (hostile / f"{name}.py").write_text("raise SystemExit(99)\n", encoding="utf-8", newline="\n")
    python = Path(sysconfig.get_path("scripts", "venv", vars=paths)) / Path(sys.executable).name
    script = "import sys; from evt_start import main; sys.exit(main())"
    kept = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    for path in (str(hostile), ".", os.pathsep):
        told = subprocess.run(
            [python, "-P", "-c", script, "version"],
            cwd=hostile,
            env={**kept, "PYTHONPATH": path},
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        assert (told.returncode, told.stderr) == (0, ""), path
