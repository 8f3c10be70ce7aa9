"""The lane is installed once, by npm, from a lock that names no address; what fails is a sentence."""

import json
import os
import stat
import sys
from pathlib import Path

import pytest

from tests import lane
from tools.claude_lane import (
    FOLDER_VARIABLE,
    NEWER,
    OLDER,
    RECIPE,
    RECIPE_FILES,
    LaneMissing,
    Recipe,
    ensure,
    lane_folder,
)

on_posix = pytest.mark.skipif(sys.platform == "win32", reason="the played npm begins with a #! line")

PLAYED_NPM = f"""#!{sys.executable}
import json, os, sys
from pathlib import Path
Path(os.environ["CALLS"]).open("a", encoding="utf-8").write(" ".join(sys.argv[1:]) + "\\n")
if said := os.environ.get("NPM_SAYS"):
    sys.exit(said)
lock = json.loads(Path("package-lock.json").read_text(encoding="utf-8"))
for name in ("claude-older", "claude-newer"):
    version = lock["packages"]["node_modules/" + name]["version"]
    for libc in ("linux", "linux-musl"):
        place = Path("node_modules", name, "node_modules", "@anthropic-ai", "claude-code-" + libc)
        place.mkdir(parents=True)
        (place / "package.json").write_text(json.dumps({{"version": version}}), encoding="utf-8")
        works = libc == os.environ["LIBC"]
        text = "#!/bin/sh\\n" + (f"echo '{{version}} (Claude Code)'\\n" if works else "exit 1\\n")
        (place / "claude").write_text(text, encoding="utf-8")
        (place / "claude").chmod(0o755)
"""


class Stage:
    """A folder for lanes, and an npm that is played."""

    def __init__(self, folder: Path) -> None:
        self.lanes = folder / "lanes"
        self.calls = folder / "calls"
        programs = folder / "bin"
        programs.mkdir()
        npm = programs / "npm"
        npm.write_text(PLAYED_NPM, encoding="utf-8", newline="\n")
        npm.chmod(npm.stat().st_mode | stat.S_IXUSR)
        self.environ = {"PATH": f"{programs}:{os.defpath}", "CALLS": str(self.calls), "LIBC": "linux"}


@on_posix
@pytest.mark.parametrize("libc", ["linux", "linux-musl"])
def test_a_lane_is_installed_once_and_the_program_that_runs_is_taken(libc: str, tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.environ["LIBC"] = libc
    first, again = (ensure(stage.environ, Recipe(RECIPE), stage.lanes) for _ in range(2))
    assert first == again
    assert stage.calls.read_text(encoding="utf-8") == "ci --no-progress\n"
    assert {cli.program.parent.name for cli in first.both} == {f"claude-code-{libc}"}
    versions = Recipe(RECIPE).versions
    assert [(cli.name, cli.version) for cli in first.both] == [
        (OLDER, versions[OLDER]),
        (NEWER, versions[NEWER]),
    ]


@on_posix
def test_another_lock_is_installed_anew_and_the_old_lane_goes(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    old = ensure(stage.environ, Recipe(RECIPE), stage.lanes)
    (stage.lanes / "somebody's").mkdir()
    other = tmp_path / "recipe"
    other.mkdir()
    for name in RECIPE_FILES:
        (other / name).write_bytes((RECIPE / name).read_bytes() + b"\n")
    new = ensure(stage.environ, Recipe(other), stage.lanes)
    assert new != old
    assert not old.older.program.exists()
    assert {path.name for path in stage.lanes.iterdir()} == {"somebody's", Recipe(other).stamp}


@on_posix
def test_an_install_that_fails_says_why_and_leaves_nothing(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.environ["NPM_SAYS"] = "npm notice hello\nnpm error code ENOTFOUND"
    with pytest.raises(LaneMissing, match=r"`npm ci` ended with exit code 1: npm error code ENOTFOUND"):
        ensure(stage.environ, Recipe(RECIPE), stage.lanes)
    assert list(stage.lanes.iterdir()) == []


@on_posix
def test_a_program_that_does_not_run_here_is_no_lane(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.environ["LIBC"] = "neither"
    with pytest.raises(LaneMissing, match=r"installed no Claude CLI .* that runs on this machine"):
        ensure(stage.environ, Recipe(RECIPE), stage.lanes)


def test_without_npm_there_is_no_lane(tmp_path: Path) -> None:
    with pytest.raises(LaneMissing, match="npm was not found on the PATH"):
        ensure({"PATH": str(tmp_path)}, Recipe(RECIPE), tmp_path / "lanes")


def test_the_lane_lies_in_the_virtual_environment_or_where_somebody_says(tmp_path: Path) -> None:
    venv, system = tmp_path / "venv", tmp_path / "system"
    assert lane_folder({}, venv, system) == venv / "claude-lane"
    assert lane_folder({FOLDER_VARIABLE: str(tmp_path)}, system, system) == tmp_path
    with pytest.raises(LaneMissing, match="in no virtual environment; name a folder in CLI_LANE_FOLDER"):
        lane_folder({}, system, system)


def test_the_lock_names_versions_and_hashes_and_no_address() -> None:
    text = (RECIPE / "package-lock.json").read_text(encoding="utf-8")
    assert "://" not in text
    packages = json.loads(text)["packages"]
    assert all("integrity" in one and "resolved" not in one for name, one in packages.items() if name)
    asked = json.loads((RECIPE / "package.json").read_text(encoding="utf-8"))["dependencies"]
    versions = Recipe(RECIPE).versions
    assert asked == {name: f"npm:@anthropic-ai/claude-code@{version}" for name, version in versions.items()}
    assert "registry=" not in (RECIPE / ".npmrc").read_text(encoding="utf-8")


@pytest.mark.parametrize(("value", "ending"), [("true", pytest.fail.Exception), ("", pytest.skip.Exception)])
def test_a_missing_lane_is_skipped_here_and_fails_in_ci(
    value: str, ending: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", value)
    monkeypatch.setattr(lane, "_found", lambda: "npm was not found")
    with pytest.raises(ending, match="npm was not found"):
        lane.the_lane()
