"""Real working directories, what an agent may do in them, and what is then found; with git as the referee."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import trio

from adapters.work_tree import WorkTrees

needs_git = pytest.mark.skipif(
    shutil.which("git") is None, reason="git builds the repositories of these tests"
)
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="links, modes and names as POSIX has them")

Found = list[tuple[str, ...]]
Act = Callable[[Path], object]

FILES = {
    "README": "read me",
    "src/app.py": "print('app')",
    "src/deep/er/x.py": "print('x')",
    "run.sh": "echo run",
    "empty": "",
    ".gitignore": "*.log\nbuild/\n/.env\n",
}


def git(folder: Path, *arguments: str) -> str:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
    }
    names = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main"]
    names += ["-c", "protocol.file.allow=always"]
    done = subprocess.run(
        ["git", *names, *arguments], cwd=folder, env=environment, capture_output=True, check=True
    )
    return os.fsdecode(done.stdout)


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8", newline="\n")


def edit(name: str, text: str = "edited") -> Act:
    return lambda folder: write(folder, {name: text})


def do(*acts: Act) -> Act:
    def all_of(folder: Path) -> None:
        for act in acts:
            act(folder)

    return all_of


def run(*arguments: str) -> Act:
    return lambda folder: git(folder, *arguments)


def move(old: str, new: str) -> Act:
    def act(folder: Path) -> None:
        (folder / new).parent.mkdir(parents=True, exist_ok=True)
        (folder / old).rename(folder / new)

    return act


def remove(name: str) -> Act:
    def act(folder: Path) -> None:
        place = folder / name
        shutil.rmtree(place) if place.is_dir() and not place.is_symlink() else place.unlink()

    return act


def link(name: str, target: str) -> Act:
    def act(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(target)

    return act


def snapshot(cwd: Path) -> bytes:
    return trio.run(WorkTrees(()).snapshot, str(cwd))


def changes(cwd: Path, before: bytes) -> Found:
    found = trio.run(WorkTrees(()).changes, str(cwd), before)
    return [(one.change, one.path, *([one.moved_from] if one.moved_from else [])) for one in found.files]


def found_after(cwd: Path, act: Act) -> Found:
    """What is found when the agent does this and nothing else."""
    before = snapshot(cwd)
    act(cwd)
    return changes(cwd, before)


def make_clean(folder: Path) -> Path:
    """A repository with a commit, and nothing else to tell."""
    folder.mkdir()
    write(folder, FILES)
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "first")
    return folder


def status_of(folder: Path) -> set[str]:
    """The paths that git calls changed; a rename is two."""
    lines = git(folder, "status", "--porcelain", "-z", "--no-renames", "-uall").split("\0")
    return {line[3:] for line in lines if line}


def paths_of(found: Found) -> set[str]:
    return {path for _, *paths in found for path in paths}
