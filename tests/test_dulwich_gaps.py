"""Where dulwich does not do as git does: how it behaves today, and that we are right all the same."""

import importlib.util
import inspect
import io
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from dulwich import porcelain
from dulwich.ignore import read_ignore_patterns, translate
from dulwich.index import IndexChecksumReader, read_index_dict_with_version
from dulwich.object_format import SHA1
from dulwich.objects import Blob, Commit, Tree
from dulwich.refs import Ref
from dulwich.repo import Repo

from tests.changed_trees import changes, git, needs_git, posix_only, snapshot, write

# dulwich opens a file of a new repository without saying its encoding.
pytestmark = pytest.mark.filterwarnings("ignore::EncodingWarning:dulwich")

AUTHOR = b"A <a@example.org>"


def commit(repository: Repo, message: bytes = b"a commit") -> bytes:
    return porcelain.commit(repository, message, author=AUTHOR, committer=AUTHOR)


def tree_of(repository: Repo, commit_id: bytes) -> bytes:
    found = repository[commit_id]
    assert isinstance(found, Commit)
    return bytes(found.tree)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A repository that dulwich made, with one commit."""
    folder = tmp_path.resolve() / "repository"
    folder.mkdir()
    write(
        folder, {"a": "content of a", "b": "content of b", "sub/c": "content of c", ".gitignore": "*.log\n"}
    )
    with porcelain.init(folder) as repository:
        porcelain.add(repository, ["a", "b", "sub/c", ".gitignore"])
        commit(repository)
    return folder


def staged(folder: Path) -> dict[str, list[bytes]]:
    return {kind: found for kind, found in porcelain.status(folder).staged.items() if found}


# its status


@posix_only
def test_a_change_of_mode_alone_is_invisible_to_its_status_and_found_by_us(folder: Path) -> None:
    before = snapshot(folder)
    (folder / "a").chmod(0o755)
    told = porcelain.status(folder)
    assert (staged(folder), told.unstaged, told.untracked) == ({}, [], [])
    assert changes(folder, before) == [("modified", "a")]
    porcelain.add(folder, ["a"])
    assert staged(folder) == {"modify": [b"a"]}, "but it is staged when it is added"


def test_its_status_knows_no_rename_and_we_find_it(folder: Path) -> None:
    before = snapshot(folder)
    (folder / "a").rename(folder / "moved")
    told = porcelain.status(folder)
    assert (told.unstaged, told.untracked) == ([b"a"], [b"moved"])
    assert changes(folder, before) == [("renamed", "moved", "a")]


def test_its_status_tells_no_deleted_file_from_a_modified_one_and_we_do(folder: Path) -> None:
    before = snapshot(folder)
    write(folder, {"a": "edited"})
    (folder / "b").unlink()
    told = porcelain.status(folder)
    assert (sorted(told.unstaged), told.untracked) == ([b"a", b"b"], [])
    assert changes(folder, before) == [("modified", "a"), ("deleted", "b")]


# its rules of what is ignored


def test_its_check_ignore_wants_whole_paths_and_we_need_none(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="not in the subpath"):
        list(porcelain.check_ignore(folder, ["x.log"]))
    assert list(porcelain.check_ignore(folder, [str(folder / "x.log")])) == ["x.log"]
    before = snapshot(folder)
    write(folder, {"x.log": "ignored", "x.txt": "not"})
    assert changes(folder, before) == [("created", "x.txt")]


@needs_git
def test_its_rules_keep_a_byte_order_mark_and_ours_drop_it_like_git(folder: Path) -> None:
    rules = b"\xef\xbb\xbf*.tmp\n"
    assert list(read_ignore_patterns(io.BytesIO(rules))) == [b"\xef\xbb\xbf*.tmp"]
    (folder / ".gitignore").write_bytes(rules)
    before = snapshot(folder)
    write(folder, {"x.tmp": "ignored", "y.log": "not"})
    assert changes(folder, before) == [("created", "y.log")]
    assert git(folder, "check-ignore", "x.tmp").strip() == "x.tmp"


@needs_git
def test_its_rules_hold_three_stars_for_something_else_than_two_and_ours_do_not(folder: Path) -> None:
    assert not re.fullmatch(translate(b"***/x"), b"d/e/x")
    assert re.fullmatch(translate(b"**/x"), b"d/e/x")
    write(folder, {".gitignore": "***/x\n"})
    before = snapshot(folder)
    write(folder, {"d/e/x": "ignored", "d/e/y": "not"})
    assert changes(folder, before) == [("created", "d/e/y")]
    assert git(folder, "check-ignore", "d/e/x").strip() == "d/e/x"


def test_its_patterns_end_as_ours_expect_them_to() -> None:
    assert translate(b"*.log").endswith(rb"\Z")


def test_an_index_cut_short_is_an_error_of_any_kind_and_hides_nothing_from_us(folder: Path) -> None:
    whole = (folder / ".git" / "index").read_bytes()
    kinds = set()
    for length in range(1, len(whole)):
        try:
            reader = IndexChecksumReader(io.BytesIO(whole[:length]), SHA1)
            read_index_dict_with_version(reader, SHA1)
            reader.check_checksum(allow_empty=True)
        except Exception as error:  # noqa: BLE001  which ones is what is asked here
            kinds.add(type(error))
    assert len(kinds) > 1
    (folder / ".git" / "index").write_bytes(whole[: len(whole) // 2])
    before = snapshot(folder)
    write(folder, {"a": "edited"})
    assert changes(folder, before) == [("modified", "a")]


# what it does to a repository


def test_its_add_of_a_missing_path_says_nothing_and_the_commit_is_empty(folder: Path) -> None:
    with Repo(str(folder)) as repository:
        before = repository.head()
        assert porcelain.add(repository, ["missing"]) == (["missing"], set())
        assert staged(folder) == {}
        after = commit(repository)
        assert after != before
        assert tree_of(repository, after) == tree_of(repository, before)


def test_its_add_takes_paths_from_the_root_wherever_one_stands(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder, {"sub/new": "1"})
    monkeypatch.chdir(folder / "sub")
    porcelain.add(folder, ["new"])
    assert staged(folder) == {}
    porcelain.add(folder, ["sub/new"])
    assert staged(folder) == {"add": [b"sub/new"]}


def test_its_add_leaves_an_ignored_file_out_and_tells_of_it_beside(folder: Path) -> None:
    write(folder, {"x.log": "1"})
    assert porcelain.add(folder, ["x.log"]) == ([], {"x.log"})
    assert staged(folder) == {}


def test_its_worktree_remove_deletes_unsaved_work_without_being_forced(folder: Path) -> None:
    tree = folder.parent / "tree"
    porcelain.worktree_add(folder, str(tree), branch=b"other")
    before = snapshot(tree)
    write(tree, {"a": "edited", "new": "1"})
    assert changes(tree, before) == [("modified", "a"), ("created", "new")], "we can tell before"
    porcelain.worktree_remove(folder, str(tree))
    assert not tree.exists()


@needs_git
def test_git_refuses_to_remove_a_worktree_with_unsaved_work(folder: Path) -> None:
    tree = folder.parent / "tree"
    git(folder, "worktree", "add", "-q", str(tree))
    write(tree, {"a": "edited"})
    with pytest.raises(subprocess.CalledProcessError):
        git(folder, "worktree", "remove", str(tree))
    assert (tree / "a").read_text(encoding="utf-8") == "edited"


@pytest.mark.skipif(importlib.util.find_spec("merge3") is not None, reason="merge3 is installed here")
def test_its_merge_of_two_edits_of_a_file_needs_a_package_that_is_not_installed(folder: Path) -> None:
    with Repo(str(folder)) as repository:
        trees = []
        for content in (b"base\n", b"ours\n", b"theirs\n"):
            blob, tree = Blob.from_string(content), Tree()
            tree.add(b"file", 0o100644, blob.id)
            repository.object_store.add_object(blob)
            repository.object_store.add_object(tree)
            trees.append(tree.id)
        with pytest.raises(ImportError, match="merge3"):
            porcelain.merge_tree(repository, *trees)


@posix_only
@pytest.mark.skipif(shutil.which("sh") is None, reason="the hook is a shell script")
def test_its_push_to_a_folder_runs_no_hook(folder: Path) -> None:
    bare = folder.parent / "bare.git"
    porcelain.init(bare, bare=True).close()
    (bare / "hooks").mkdir(exist_ok=True)
    hook = bare / "hooks" / "update"
    hook.write_text("#!/bin/sh\nexit 1\n", encoding="utf-8", newline="\n")
    hook.chmod(0o755)
    with Repo(str(folder)) as repository:
        branch = porcelain.active_branch(repository)
        told = porcelain.push(
            repository, bare.as_uri(), branch, outstream=io.BytesIO(), errstream=io.BytesIO()
        )
        head = repository.head()
    assert told.ref_status == {}
    with Repo(str(bare)) as there:
        assert there.refs.as_dict().get(Ref(b"refs/heads/" + branch)) == head


def test_its_push_has_no_lease_and_no_time_limit() -> None:
    names = inspect.signature(porcelain.push).parameters
    assert not [name for name in names if "lease" in name or "timeout" in name]
