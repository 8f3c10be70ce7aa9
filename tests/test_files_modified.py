"""What an agent changed, case by case; git names the same paths."""

import os
from pathlib import Path

import pytest

from tests.changed_trees import (
    FILES,
    Act,
    Found,
    do,
    edit,
    found_after,
    git,
    link,
    make_clean,
    move,
    needs_git,
    paths_of,
    posix_only,
    remove,
    run,
    status_of,
    write,
)


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    return make_clean(tmp_path / "repository")


PLAIN: dict[str, tuple[Act, Found]] = {
    "created": (edit("new.py"), [("created", "new.py")]),
    "created in a new folder": (edit("a/b/c.py"), [("created", "a/b/c.py")]),
    "created empty": (edit("void", ""), [("created", "void")]),
    "modified": (edit("README"), [("modified", "README")]),
    "modified in a sub-folder": (edit("src/deep/er/x.py"), [("modified", "src/deep/er/x.py")]),
    "emptied": (edit("README", ""), [("modified", "README")]),
    "filled": (edit("empty"), [("modified", "empty")]),
    "deleted": (remove("README"), [("deleted", "README")]),
    "deleted with its folder": (
        remove("src"),
        [("deleted", "src/app.py"), ("deleted", "src/deep/er/x.py")],
    ),
    "renamed": (move("README", "docs/README.md"), [("renamed", "docs/README.md", "README")]),
    "renamed with its folder": (
        move("src", "lib"),
        [("renamed", "lib/app.py", "src/app.py"), ("renamed", "lib/deep/er/x.py", "src/deep/er/x.py")],
    ),
    "renamed and edited": (
        do(move("README", "READ"), edit("READ")),
        [("created", "READ"), ("deleted", "README")],
    ),
    "an empty file renamed": (move("empty", "void"), [("deleted", "empty"), ("created", "void")]),
    "swapped": (
        do(move("README", "tmp"), move("run.sh", "README"), move("tmp", "run.sh")),
        [("modified", "README"), ("modified", "run.sh")],
    ),
    "copied": (edit("copy", "read me"), [("created", "copy")]),
    "reverted by hand": (do(edit("README"), edit("README", "read me")), []),
    "touched": (lambda folder: os.utime(folder / "README", ns=(1, 1)), []),
    "an empty folder": (lambda folder: (folder / "nothing").mkdir(), []),
    "a file becomes a folder": (
        do(remove("README"), edit("README/inside")),
        [("deleted", "README"), ("created", "README/inside")],
    ),
    "a folder becomes a file": (
        do(remove("src"), edit("src")),
        [("created", "src"), ("deleted", "src/app.py"), ("deleted", "src/deep/er/x.py")],
    ),
    "a file becomes a folder and a file again": (
        do(remove("README"), edit("README/inside"), remove("README"), edit("README", "read me")),
        [],
    ),
    "the rules themselves": (edit(".gitignore", "*.log\n*.tmp\n"), [("modified", ".gitignore")]),
}
"""What is the same in a repository and without one."""

BY_GIT: dict[str, tuple[Act, Found]] = {
    "staged": (do(edit("README"), run("add", "-A")), [("modified", "README")]),
    "staged and edited again": (
        do(edit("README"), run("add", "-A"), edit("README", "again")),
        [("modified", "README")],
    ),
    "a staged new file": (do(edit("new"), run("add", "new")), [("created", "new")]),
    "a staged deletion": (run("rm", "-q", "README"), [("deleted", "README")]),
    "a staged rename": (run("mv", "README", "READ"), [("renamed", "READ", "README")]),
    "with intent to add": (do(edit("new"), run("add", "-N", "new")), [("created", "new")]),
    "ignored": (do(edit("a.log"), edit("build/out"), edit(".env"), edit("src/b.log")), []),
    "an ignored file by force": (
        do(edit("a.log"), run("add", "-f", "a.log")),
        [("created", "a.log")],
    ),
    "reverted by git": (do(edit("README"), remove("empty"), run("checkout", "-q", ".")), []),
    "stashed": (do(edit("README"), run("stash", "-q")), []),
}
AGREED = {**PLAIN, **BY_GIT}


@needs_git
@pytest.mark.parametrize("case", AGREED)
def test_what_was_done_in_a_clean_repository_is_found_and_git_names_the_same_paths(
    clean: Path, case: str
) -> None:
    act, wanted = AGREED[case]
    found = found_after(clean, act)
    assert found == wanted
    assert paths_of(found) == status_of(clean)


@needs_git
@posix_only
@pytest.mark.parametrize(
    ("act", "wanted"),
    [
        (lambda folder: (folder / "run.sh").chmod(0o755), [("modified", "run.sh")]),
        (link("new", "README"), [("created", "new")]),
        (link("README", "run.sh"), [("modified", "README")]),
        (
            do(remove("src"), link("src", ".")),
            [("created", "src"), ("deleted", "src/app.py"), ("deleted", "src/deep/er/x.py")],
        ),
        (lambda folder: (folder / "run.sh").chmod(0o600), []),
    ],
    ids=["executable", "a link", "a file becomes a link", "a folder becomes a link", "other modes"],
)
def test_modes_and_links_are_found_as_git_finds_them(clean: Path, act: Act, wanted: Found) -> None:
    found = found_after(clean, act)
    assert found == wanted
    assert paths_of(found) == status_of(clean)


@needs_git
@posix_only
def test_a_link_that_leads_elsewhere_is_modified(clean: Path) -> None:
    link("link", "README")(clean)
    git(clean, "add", "-A")
    git(clean, "commit", "-qm", "link")
    assert found_after(clean, link("link", "run.sh")) == [("modified", "link")]
    assert status_of(clean) == {"link"}
    assert found_after(clean, link("link", "run.sh")) == []


ODD = [
    "new\nline",
    'quo"te',
    "it's",
    "-rf",
    "tab\there",
    "ünï – 日本",
    "$(id)",
    "*",
    "back\\slash",
    " lead",
    "a b",
]


@needs_git
@posix_only
@pytest.mark.parametrize("name", [*ODD, os.fsdecode(b"latin-\xe9"), "sub/-x/\n"], ids=repr)
def test_a_file_of_any_name_is_followed_through_its_life(clean: Path, name: str) -> None:
    place = clean / name
    place.parent.mkdir(parents=True, exist_ok=True)
    shown = os.fsencode(name).replace(b"\\", b"\\\\").decode("utf-8", "backslashreplace")
    assert found_after(clean, lambda _: place.write_text("x", encoding="utf-8")) == [("created", shown)]
    assert status_of(clean) == {name}
    git(clean, "add", "-A")
    git(clean, "commit", "-qm", "odd")
    assert found_after(clean, lambda _: place.write_text("y", encoding="utf-8")) == [("modified", shown)]
    assert status_of(clean) == {name}
    assert found_after(clean, lambda _: place.rename(clean / "plain")) == [("renamed", "plain", shown)]
    assert found_after(clean, lambda _: (clean / "plain").rename(place)) == [("renamed", shown, "plain")]
    assert found_after(clean, lambda _: place.unlink()) == [("deleted", shown)]


@needs_git
def test_a_name_in_another_case_is_another_name(clean: Path) -> None:
    assert found_after(clean, move("README", "ReadMe")) == [("renamed", "ReadMe", "README")]


# content


def test_another_content_of_the_same_size_and_time_is_found(tmp_path: Path) -> None:
    write(tmp_path, {"a": "one", "b": "old"})
    for name in ("a", "b"):
        os.utime(tmp_path / name, ns=(10**18, 10**18))

    def act(folder: Path) -> None:
        write(folder, {"a": "two"})
        os.utime(folder / "a", ns=(10**18, 10**18))

    assert found_after(tmp_path, act) == [("modified", "a")]


def test_a_file_put_in_place_of_another_is_told_by_its_content_alone(tmp_path: Path) -> None:
    write(tmp_path, {"same": "x", "other": "x"})

    def replace(folder: Path) -> None:
        for name, text in (("same", "x"), ("other", "y")):
            write(folder, {"temporary": text})
            (folder / "temporary").replace(folder / name)

    assert found_after(tmp_path, replace) == [("modified", "other")]


@pytest.mark.parametrize("case", PLAIN)
def test_without_a_repository_the_same_is_found_by_content(tmp_path: Path, case: str) -> None:
    act, wanted = PLAIN[case]
    write(tmp_path, FILES)
    assert found_after(tmp_path, act) == wanted


def test_without_a_repository_nothing_is_ignored(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    assert found_after(tmp_path, do(edit("a.log"), edit("build/out"))) == [
        ("created", "a.log"),
        ("created", "build/out"),
    ]
