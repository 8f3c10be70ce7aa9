"""The real Claude CLI for the tests: two pinned versions from npm, in a folder of their own.

    python -m tools.claude_lane        install it, and say where it is

It lies in the virtual environment that runs this, or in the folder that CLI_LANE_FOLDER
names. What is installed stands in tools/claude_lane/package-lock.json; nothing is
installed again until that file changes.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tools.lane import LaneMissing as LaneMissing
from tools.lane import folder_for, put_in_place, told_by

ROOT = Path(__file__).resolve().parent.parent
RECIPE = ROOT / "tools" / "claude_lane"
RECIPE_FILES = ("package.json", "package-lock.json", ".npmrc")
FOLDER_VARIABLE = "CLI_LANE_FOLDER"
PACKAGE = "@anthropic-ai/claude-code"
OLDER, NEWER = "claude-older", "claude-newer"
ANSWER_LIMIT_S = 30.0


@dataclass(frozen=True)
class Cli:
    """One version of the CLI: a native program, started without node."""

    name: str
    version: str
    program: Path


@dataclass(frozen=True)
class Lane:
    older: Cli
    newer: Cli

    @property
    def both(self) -> tuple[Cli, Cli]:
        return self.older, self.newer


@dataclass(frozen=True)
class Recipe:
    """What is to be installed."""

    folder: Path

    @cached_property
    def stamp(self) -> str:
        """Changes with what is to be installed."""
        digest = hashlib.sha256()
        for name in RECIPE_FILES:
            digest.update((self.folder / name).read_bytes())
        return digest.hexdigest()[:16]

    @cached_property
    def versions(self) -> Mapping[str, str]:
        """Alias → version, as the lock has it."""
        lock = json.loads((self.folder / "package-lock.json").read_text(encoding="utf-8"))
        return {name: lock["packages"][f"node_modules/{name}"]["version"] for name in (OLDER, NEWER)}


def lane_folder(environ: Mapping[str, str], prefix: Path, base_prefix: Path) -> Path:
    """Where lanes lie. Raises LaneMissing outside a virtual environment when nothing is named."""
    return folder_for("claude-lane", FOLDER_VARIABLE, environ, prefix, base_prefix)


def ensure(environ: Mapping[str, str], recipe: Recipe, folder: Path) -> Lane:
    """The lane, installed first where it is not there yet. Raises LaneMissing.

    Several may do this at once: each installs beside, and the first one's stays.
    """
    home = folder / recipe.stamp
    if not home.is_dir():
        npm = shutil.which("npm", path=environ.get("PATH"))
        if npm is None:
            raise LaneMissing("npm was not found on the PATH, and the Claude CLI comes from npm.")
        with put_in_place(home) as beside:
            for name in RECIPE_FILES:
                shutil.copyfile(recipe.folder / name, beside / name)
            told_by("npm ci", [npm, "ci", "--no-progress"], environ, beside)
    return Lane(*(_cli(name, recipe.versions[name], home) for name in (OLDER, NEWER)))


def _cli(name: str, version: str, home: Path) -> Cli:
    """The native program of a version. An npm that knows no libc brings two: the one that runs is taken."""
    for program in _programs(version, home):
        try:
            told = subprocess.run(
                [program, "--version"],
                env={"PATH": os.defpath, "HOME": str(home)},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=ANSWER_LIMIT_S,
            )
        except (OSError, subprocess.TimeoutExpired):
            continue
        if told.returncode == 0 and told.stdout.split()[:1] == [version]:
            return Cli(name, version, program)
    raise LaneMissing(f"npm installed no Claude CLI {version} that runs on this machine.")


def _programs(version: str, home: Path) -> Iterator[Path]:
    for manifest in sorted((home / "node_modules").rglob(f"{PACKAGE}-*/package.json")):
        if json.loads(manifest.read_text(encoding="utf-8"))["version"] == version:
            found = (manifest.parent / name for name in ("claude", "claude.exe"))
            yield from (program for program in found if program.is_file())


def main(arguments: Sequence[str]) -> int:
    if arguments:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        folder = lane_folder(os.environ, Path(sys.prefix), Path(sys.base_prefix))
        lane = ensure(os.environ, Recipe(RECIPE), folder)
    except LaneMissing as problem:
        print(f"claude lane: {problem}", file=sys.stderr)
        return 1
    for cli in lane.both:
        print(f"{cli.name} {cli.version}: {cli.program}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
