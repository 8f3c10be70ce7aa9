"""What an agent changed in nested repositories, submodules, worktrees, lost folders and large trees."""

import os
import shutil
from pathlib import Path

import pytest

from adapters import work_tree
from tests.changed_trees import (
    FILES,
    Act,
    changes,
    do,
    edit,
    found_after,
    git,
    make_clean,
    move,
    needs_git,
    paths_of,
    posix_only,
    remove,
    run,
    snapshot,
    status_of,
    write,
)


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    return make_clean(tmp_path / "repository")


# kinds of repositories


@needs_git
def test_before_the_first_commit_files_are_found_as_in_any_repository(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    write(tmp_path, {"staged": "1", "untracked": "1", ".gitignore": "*.log\n"})
    git(tmp_path, "add", "staged")
    act = do(edit("staged"), edit("untracked"), edit("new"), edit("a.log"))
    assert found_after(tmp_path, act) == [
        ("created", "new"),
        ("modified", "staged"),
        ("modified", "untracked"),
    ]


@needs_git
def test_a_repository_that_the_agent_makes_changes_no_file(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    act = do(edit("a.log"), run("init", "-q"), run("add", "README"), run("commit", "-qm", "first"))
    assert found_after(tmp_path, act) == [], "the new file is ignored by the rules that hold now"


@needs_git
def test_a_nested_repository_is_looked_into_by_its_own_rules(clean: Path) -> None:
    inner = clean / "vendor"
    write(
        clean, {"vendor/file": "1", "vendor/a.log": "1", "vendor/b.tmp": "1", "vendor/.gitignore": "*.tmp\n"}
    )
    git(inner, "init", "-q")
    git(inner, "add", "-A")
    git(inner, "commit", "-qm", "inner")
    act = do(edit("vendor/file"), edit("vendor/a.log"), edit("vendor/b.tmp"), edit("c.log"))
    assert found_after(clean, act) == [("modified", "vendor/a.log"), ("modified", "vendor/file")]
    assert {f"vendor/{path}" for path in status_of(inner)} == {"vendor/a.log", "vendor/file"}


@needs_git
def test_a_repository_made_inside_shows_no_file_that_was_there(clean: Path) -> None:
    write(clean, {"sub/a.log": "old", "sub/file": "1"})
    act = do(lambda folder: git(folder / "sub", "init", "-q"), edit("sub/b.log"))
    assert found_after(clean, act) == [("created", "sub/b.log")]


@needs_git
def test_a_submodule_is_looked_into_and_its_git_file_is_not(clean: Path, tmp_path: Path) -> None:
    outer = tmp_path / "outer"
    outer.mkdir()
    git(outer, "init", "-q")
    git(outer, "submodule", "--quiet", "add", str(clean), "sub")
    git(outer, "commit", "-qm", "with a submodule")
    assert (outer / "sub" / ".git").is_file()
    act = do(edit("sub/README"), edit("sub/x.log"), lambda folder: git(folder / "sub", "add", "-A"))
    assert found_after(outer, act) == [("modified", "sub/README")]
    assert status_of(outer / "sub") == {"README"}


@needs_git
def test_a_git_file_that_points_nowhere_makes_no_repository(clean: Path) -> None:
    write(clean, {"sub/.git": "gitdir: ../nowhere\n", "sub/file": "1", "sub/a.log": "1"})
    act = do(edit("sub/file"), edit("sub/a.log"), edit("sub/.git", "gitdir: /\n"))
    assert found_after(clean, act) == [("modified", "sub/file")]


@needs_git
def test_a_worktree_is_looked_at_like_its_repository(clean: Path, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    git(clean, "worktree", "add", "-q", str(tree))
    act = do(edit("README"), edit("new"), edit("a.log"), remove("empty"), move("run.sh", "go.sh"))
    found = found_after(tree, act)
    assert found == [
        ("modified", "README"),
        ("deleted", "empty"),
        ("renamed", "go.sh", "run.sh"),
        ("created", "new"),
    ]
    assert paths_of(found) == status_of(tree)
    assert status_of(clean) == set()


@needs_git
def test_a_folder_inside_a_repository_has_paths_of_its_own(clean: Path) -> None:
    act = do(edit("app.py"), edit("a.log"), edit("../README"))
    assert found_after(clean / "src", act) == [("modified", "app.py")]
    assert status_of(clean) == {"README", "src/app.py"}


# the working directory itself


@pytest.mark.parametrize(
    "instead", [lambda cwd: None, lambda cwd: cwd.write_text("a file", encoding="utf-8")]
)
def test_of_a_working_directory_that_is_gone_every_file_is_deleted(tmp_path: Path, instead: Act) -> None:
    cwd = tmp_path / "cwd"
    write(cwd, {"a": "1", "b/c": "1"})
    assert found_after(cwd, do(shutil.rmtree, instead)) == [("deleted", "a"), ("deleted", "b/c")]


@posix_only
def test_a_link_in_place_of_the_working_directory_is_not_followed(tmp_path: Path) -> None:
    cwd = tmp_path / "cwd"
    write(tmp_path, {"cwd/a": "1", "elsewhere/a": "1", "elsewhere/private": "1"})

    def act(folder: Path) -> None:
        shutil.rmtree(folder)
        folder.symlink_to(tmp_path / "elsewhere")

    assert found_after(cwd, act) == [("deleted", "a")]


def test_a_working_directory_that_cannot_be_listed_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, {"a": "1"})
    before = snapshot(tmp_path)

    def refuse(place: object) -> None:
        raise PermissionError(13, "not yours")

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(PermissionError):
        changes(tmp_path, before)


# many files


def test_of_five_thousand_files_only_those_that_changed_are_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(50):
        (tmp_path / f"f{number:02}").mkdir()
    for number in range(5000):
        (tmp_path / f"f{number % 50:02}" / f"{number}.py").write_bytes(b"%d" % number)
    before = snapshot(tmp_path)
    read: list[str] = []
    content = work_tree._content

    def noting(place: Path, facts: os.stat_result) -> str:
        read.append(place.name)
        return content(place, facts)

    monkeypatch.setattr(work_tree, "_content", noting)
    monkeypatch.setattr(work_tree, "FRESH_NS", -(10**18))
    act = do(edit("f07/7.py"), remove("f08/8.py"), move("f09/9.py", "f10/9.py"), edit("f11/new"))
    act(tmp_path)
    assert changes(tmp_path, before) == [
        ("modified", "f07/7.py"),
        ("deleted", "f08/8.py"),
        ("renamed", "f10/9.py", "f09/9.py"),
        ("created", "f11/new"),
    ]
    assert sorted(read) == ["7.py", "9.py", "new"]
