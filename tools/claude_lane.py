"""The real Claude CLI for the tests: two pinned versions from npm, in a folder of their own.

    python -m tools.claude_lane        install it, and say where it is

It lies in the virtual environment that runs this, or in the folder that CLI_LANE_FOLDER
names. What is installed stands in tools/claude_lane/package-lock.json; nothing is
installed again until that file changes.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RECIPE = ROOT / "tools" / "claude_lane"
RECIPE_FILES = ("package.json", "package-lock.json", ".npmrc")
FOLDER_VARIABLE = "CLI_LANE_FOLDER"
PACKAGE = "@anthropic-ai/claude-code"
OLDER, NEWER = "claude-older", "claude-newer"
INSTALL_LIMIT_S = 300.0
ANSWER_LIMIT_S = 30.0


class LaneMissing(Exception):
    """There is no lane on this machine; the message is one sentence that says why."""


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
    if named := environ.get(FOLDER_VARIABLE):
        return Path(named).expanduser().absolute()
    if prefix == base_prefix:
        raise LaneMissing(f"This Python is in no virtual environment; name a folder in {FOLDER_VARIABLE}.")
    return prefix / "claude-lane"


def ensure(environ: Mapping[str, str], recipe: Recipe, folder: Path) -> Lane:
    """The lane, installed first where it is not there yet. Raises LaneMissing.

    Several may do this at once: each installs beside, and the first one's stays.
    """
    home = folder / recipe.stamp
    if not home.is_dir():
        npm = shutil.which("npm", path=environ.get("PATH"))
        if npm is None:
            raise LaneMissing("npm was not found on the PATH, and the Claude CLI comes from npm.")
        _install(npm, environ, recipe, home)
        _forget_others(folder, keep=home)
    return Lane(*(_cli(name, recipe.versions[name], home) for name in (OLDER, NEWER)))


def _install(npm: str, environ: Mapping[str, str], recipe: Recipe, home: Path) -> None:
    beside = home.with_name(f"{home.name}.new-{os.getpid()}")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    try:
        for name in RECIPE_FILES:
            shutil.copyfile(recipe.folder / name, beside / name)
        _run([npm, "ci", "--no-progress"], beside, environ)
        try:
            beside.rename(home)
        except OSError as problem:
            if not home.is_dir():
                raise LaneMissing(f"The lane could not be put in its place: {problem}.") from problem
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _run(command: Sequence[str], cwd: Path, environ: Mapping[str, str]) -> None:
    title = " ".join((Path(command[0]).stem, *command[1:2]))
    try:
        told = subprocess.run(
            command,
            cwd=cwd,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=INSTALL_LIMIT_S,
        )
    except subprocess.TimeoutExpired as problem:
        raise LaneMissing(f"`{title}` did not end within {INSTALL_LIMIT_S:.0f} s.") from problem
    except OSError as problem:
        raise LaneMissing(f"`{title}` could not be started: {problem.strerror}.") from problem
    if told.returncode != 0:
        said = [line for line in told.stderr.splitlines() if "error" in line]
        why = " ".join(said[:3]) or told.stderr[-300:].strip()
        raise LaneMissing(f"`{title}` ended with exit code {told.returncode}: {why}")


def _forget_others(folder: Path, keep: Path) -> None:
    """A lane is several hundred megabytes: those of other locks are not kept."""
    for other in folder.iterdir():
        if other != keep and re.fullmatch(r"[0-9a-f]{16}", other.name):
            shutil.rmtree(other, ignore_errors=True)


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


def main() -> int:
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
    sys.exit(main())
