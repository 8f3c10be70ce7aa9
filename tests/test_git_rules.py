"""Which files of a repository count, with git itself as the referee."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import orjson
import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.work_tree import WorkTrees

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="links and pipes as POSIX has them")
needs_git = pytest.mark.skipif(
    shutil.which("git") is None, reason="git builds the repositories of these tests"
)


def git(folder: Path, *arguments: str) -> str:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
    }
    names = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main"]
    done = subprocess.run(
        ["git", *names, *arguments], cwd=folder, env=environment, capture_output=True, check=True
    )
    return done.stdout.decode()


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8", newline="\n")


def snapshot(cwd: Path) -> bytes:
    return trio.run(WorkTrees(()).snapshot, str(cwd))


def paths(cwd: Path) -> set[str]:
    """The files that count; those that do not have no content in a snapshot."""
    return {path for path, entry in orjson.loads(snapshot(cwd)).items() if len(entry) == 5}


def changes(cwd: Path, before: bytes) -> list[tuple[str, ...]]:
    found = trio.run(WorkTrees(()).changes, str(cwd), before)
    return [(one.change, one.path, *([one.moved_from] if one.moved_from else [])) for one in found.files]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-q")
    return folder


def listed_by_git(folder: Path) -> set[str]:
    listed = git(folder, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    return {name for name in listed if name and os.path.lexists(folder / name)}


RULES = """\
# a comment
*.log
!important.log
build/
/top
doc/**/draft
a b\\\x20
\\#hash
[Tt]emp?
**/deep/inner
dir/*
!dir/keep
[bad
[z-a]q
trailing\x20\x20
nested/**
"""


@needs_git
def test_what_counts_is_what_git_lists(repository: Path) -> None:
    names = """x.log important.log sub/y.log build/out sub/build/out top sub/top doc/draft doc/a/b/draft draft
        #hash temp1 Tempx sub/deep/inner dir/a dir/keep dir/sub/file trailing nested/a nested/b/c [bad zq
        ignored/forced.txt ignored/other.txt sub/local sub/kept excluded README build2/file sub/again.log"""
    write(repository, {name: name for name in names.split()})
    write(
        repository, {"a b ": "x", ".gitignore": RULES + "ignored/\n", "sub/.gitignore": "local\n!again.log\n"}
    )
    (repository / ".git" / "info").mkdir(exist_ok=True)
    (repository / ".git" / "info" / "exclude").write_text("excluded\n", encoding="utf-8", newline="\n")
    git(repository, "add", "-f", "ignored/forced.txt", "README")
    found = paths(repository)
    assert found == listed_by_git(repository)
    assert "ignored/forced.txt" in found
    assert not {"x.log", "excluded", "ignored/other.txt", "sub/local", "dir/a"} & found


PART = st.sampled_from(["a", "b", "ab", "a.b", "x"])
# An escaped slash is left out: what git makes of it depends on where it stands.
PATTERN = (
    st.lists(st.sampled_from(["a", "b", "*", "**", "?", "/", "!", ".", "[ab]", "x", "\\"]), max_size=6)
    .map("".join)
    .filter(lambda rule: "\\/" not in rule)
)


@needs_git
@settings(
    max_examples=40,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.sets(st.lists(PART, min_size=1, max_size=3).map("/".join), min_size=1, max_size=12),
    st.lists(PATTERN, max_size=4),
    st.lists(PATTERN, max_size=2),
)
def test_any_rules_hide_what_git_hides(
    repository: Path, names: set[str], rules: list[str], inner: list[str]
) -> None:
    for entry in repository.iterdir():
        if entry.name != ".git":
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    write(repository, {".gitignore": "\n".join(rules) + "\n", "a/.gitignore": "\n".join(inner) + "\n"})
    for name in sorted(names):
        place = repository / name
        if not place.exists() and all(not parent.is_file() for parent in place.parents):
            write(repository, {name: "x"})
    assert paths(repository) == listed_by_git(repository)


@needs_git
def test_rules_of_the_folders_above_hold_in_a_subdirectory(repository: Path) -> None:
    write(
        repository, {".gitignore": "*.log\n/sub/skip\n", "sub/a.log": "x", "sub/skip": "x", "sub/file": "x"}
    )
    assert paths(repository / "sub") == {"file"}


@needs_git
def test_a_directory_that_its_repository_ignores_is_seen_whole(repository: Path) -> None:
    write(repository, {".gitignore": "*\n", "project/file": "x"})
    assert paths(repository / "project") == {"file"}


@needs_git
def test_a_file_that_is_ignored_from_now_on_is_not_deleted(repository: Path) -> None:
    write(repository, {"a.log": "1", "b.log": "1", "c.log": "1"})
    before = snapshot(repository)
    write(repository, {".gitignore": "*.log\n", "b.log": "2"})
    (repository / "c.log").unlink()
    assert changes(repository, before) == [
        ("created", ".gitignore"),
        ("modified", "b.log"),
        ("deleted", "c.log"),
    ]


@needs_git
def test_a_nested_repository_has_its_own_rules_and_its_git_folder_is_not_entered(repository: Path) -> None:
    write(repository, {".gitignore": "*.log\n", "inner/a.log": "x", "inner/b.tmp": "x", "inner/c": "x"})
    git(repository / "inner", "init", "-q")
    write(repository, {"inner/.gitignore": "*.tmp\n"})
    assert paths(repository) == {".gitignore", "inner/.gitignore", "inner/a.log", "inner/c"}


@needs_git
def test_a_worktree_with_a_bare_git_file_follows_the_shared_rules(repository: Path, tmp_path: Path) -> None:
    write(repository, {"tracked.log": "x"})
    git(repository, "add", "tracked.log")
    git(repository, "commit", "-qm", "first")
    git(repository, "worktree", "add", "-q", str(tmp_path / "tree"))
    (repository / ".git" / "info" / "exclude").write_text("*.log\n", encoding="utf-8", newline="\n")
    write(tmp_path, {"tree/other.log": "x", "tree/file": "x"})
    assert paths(tmp_path / "tree") == {"tracked.log", "file"}


@needs_git
@pytest.mark.parametrize("content", [b"", b"DIRC\0\0\0\2\xff\xff\xff\xff", b"noise" * 100])
def test_rules_still_hold_with_an_index_that_cannot_be_read(repository: Path, content: bytes) -> None:
    write(repository, {".gitignore": "*.log\n", "tracked.log": "x", "file": "x"})
    git(repository, "add", "-f", "tracked.log")
    assert "tracked.log" in paths(repository)
    (repository / ".git" / "index").write_bytes(content)
    assert paths(repository) == {".gitignore", "file"}


@needs_git
def test_a_sha256_repository_is_understood(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "--object-format=sha256")
    write(tmp_path, {".gitignore": "*.log\n", "tracked.log": "x", "other.log": "x"})
    git(tmp_path, "add", "-f", "tracked.log")
    assert paths(tmp_path) == {".gitignore", "tracked.log"}


@needs_git
def test_case_is_ignored_where_the_repository_says_so(repository: Path) -> None:
    write(repository, {".gitignore": "*.LOG\n", "a.log": "x"})
    git(repository, "config", "core.ignorecase", "false")
    assert "a.log" in paths(repository)
    git(repository, "config", "core.ignorecase", "true")
    assert "a.log" not in paths(repository)


@needs_git
def test_hostile_rules_do_not_hold_up_the_look(repository: Path) -> None:
    write(repository, {".gitignore": "*a" * 60 + "b\n" + "**/" * 50 + "q\n", "a" * 200: "x"})
    assert paths(repository) == {".gitignore", "a" * 200}


@needs_git
@posix_only
def test_pipes_and_links_in_place_of_a_repository_s_files_do_no_harm(
    repository: Path, tmp_path: Path
) -> None:
    write(tmp_path, {"rules": "file\n"})
    write(repository, {"file": "x"})
    if sys.platform != "win32":
        os.mkfifo(repository / ".git" / "index")
    (repository / ".gitignore").symlink_to(tmp_path / "rules")
    assert paths(repository) == {".gitignore", "file"}


@needs_git
def test_a_commit_changes_no_file(repository: Path) -> None:
    write(repository, {"file": "x"})
    before = snapshot(repository)
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "first")
    assert changes(repository, before) == []
