"""What a person left unfinished, or a repository ignored, is not what the agent changed."""

from pathlib import Path

import pytest

from tests.changed_trees import (
    Act,
    Found,
    do,
    edit,
    found_after,
    git,
    make_clean,
    move,
    needs_git,
    remove,
    run,
    status_of,
    write,
)


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    return make_clean(tmp_path / "repository")


@pytest.fixture
def dirty(clean: Path) -> Path:
    """A repository with a person's unfinished work: staged, unstaged, untracked, deleted, ignored."""
    write(
        clean, {"README": "mine", "src/app.py": "staged", "notes": "mine", "own/a": "1", "debug.log": "old"}
    )
    git(clean, "add", "src/app.py")
    write(clean, {"src/app.py": "staged, then edited"})
    (clean / "empty").unlink()
    return clean


@needs_git
def test_what_was_dirty_before_and_is_left_alone_is_not_the_agents(dirty: Path) -> None:
    assert status_of(dirty) == {"README", "src/app.py", "notes", "own/a", "empty"}
    assert found_after(dirty, lambda folder: None) == []
    assert found_after(dirty, edit("run.sh")) == [("modified", "run.sh")]


@needs_git
@pytest.mark.parametrize(
    ("act", "wanted"),
    [
        (edit("README"), [("modified", "README")]),
        (edit("src/app.py"), [("modified", "src/app.py")]),
        (edit("notes"), [("modified", "notes")]),
        (remove("notes"), [("deleted", "notes")]),
        (move("notes", "own/notes"), [("renamed", "own/notes", "notes")]),
        (edit("empty", ""), [("created", "empty")]),
        (run("checkout", "-q", "README"), [("modified", "README")]),
        (run("add", "-A"), []),
        (do(run("add", "-A"), run("commit", "-qm", "all")), []),
        (run("reset", "-q"), []),
        (
            run("stash", "-q", "-u"),
            [
                ("modified", "README"),
                ("created", "empty"),
                ("deleted", "notes"),
                ("deleted", "own/a"),
                ("modified", "src/app.py"),
            ],
        ),
        (do(run("stash", "-q", "-u"), run("stash", "pop", "-q")), []),
    ],
)
def test_what_was_dirty_before_and_is_touched_again_is_the_agents(
    dirty: Path, act: Act, wanted: Found
) -> None:
    assert found_after(dirty, act) == wanted


@needs_git
def test_a_file_that_was_there_is_not_created_by_rules_that_no_longer_ignore_it(dirty: Path) -> None:
    write(dirty, {"second.log": "old"})
    act = do(edit(".gitignore", "build/\n"), edit("third.log"), edit("second.log", "new"))
    assert found_after(dirty, act) == [
        ("modified", ".gitignore"),
        ("modified", "second.log"),
        ("created", "third.log"),
    ]
    assert "debug.log" in status_of(dirty)


@needs_git
def test_a_file_that_was_there_is_not_created_by_being_tracked(dirty: Path) -> None:
    assert found_after(dirty, run("add", "-f", "debug.log")) == []
    assert "debug.log" in status_of(dirty)


@needs_git
def test_files_are_not_changed_by_becoming_ignored(dirty: Path) -> None:
    assert found_after(dirty, edit(".gitignore", "*\n")) == [("modified", ".gitignore")]


@needs_git
def test_files_are_not_changed_by_the_loss_of_their_repository(dirty: Path) -> None:
    assert found_after(dirty, remove(".git")) == []


@needs_git
def test_of_a_folder_that_was_ignored_as_a_whole_every_file_is_taken_for_new(dirty: Path) -> None:
    write(dirty, {"build/out": "old"})
    assert found_after(dirty, edit(".gitignore", "*.log\n")) == [
        ("modified", ".gitignore"),
        ("created", "build/out"),
    ]
    assert "build/out" in status_of(dirty)


@needs_git
def test_what_git_itself_does_to_files_is_found_too(clean: Path) -> None:
    git(clean, "branch", "other")
    write(clean, {"README": "second"})
    git(clean, "commit", "-qam", "second")
    assert found_after(clean, run("checkout", "-q", "other")) == [("modified", "README")]
    assert status_of(clean) == set()
