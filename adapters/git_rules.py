"""Which files of a directory count, by what the git repository around it says.

Nothing of the repository is executed: its index and ignore rules are read as data, and
matched in linear time, whatever a stranger wrote into them.
"""

import io
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import re2
from dulwich.config import ConfigFile
from dulwich.ignore import read_ignore_patterns, translate
from dulwich.index import IndexChecksumReader, read_index_dict_with_version
from dulwich.object_format import SHA1, SHA256
from dulwich.wildmatch import MalformedPattern

from adapters.safe_files import read_at_most

POINTER_LIMIT: Final = 64 * 1024
RULES_LIMIT: Final = 1024 * 1024
INDEX_LIMIT: Final = 512 * 1024 * 1024
RULES_MEMORY: Final = 64 * 1024 * 1024
MANY_STARS = re.compile(rb"(?<![^/])\*{3,}(?![^/])")  # git reads a part `***` as `**`


@dataclass(frozen=True)
class _Rules:
    """One file of ignore rules, for what lies below `base` (from the repository's root)."""

    base: bytes
    patterns: re2.Set
    excludes: tuple[bool, ...]
    folders_only: tuple[bool, ...]

    def verdict(self, path: bytes, is_folder: bool) -> bool | None:
        """True: ignored; False: explicitly not; None: nothing is said. The last rule wins."""
        index: int
        for index in sorted(self.patterns.Match(path[len(self.base) :]) or (), reverse=True):
            if is_folder or not self.folders_only[index]:
                return self.excludes[index]
        return None


@dataclass(frozen=True)
class _Repository:
    tracked: frozenset[bytes]
    tracked_folders: frozenset[bytes]
    ignore_case: bool


@dataclass(frozen=True)
class Scope:
    """Where the walk stands in a repository; without one (None) everything counts."""

    repository: _Repository | None = None
    folder: bytes = b""
    rules: tuple[_Rules, ...] = ()
    ignored: bool = False

    def counts(self, name: str) -> bool:
        """Whether a file (or link) of this folder is tracked, or at least not ignored."""
        if self.repository is None:
            return True
        path = self.folder + os.fsencode(name)
        return path in self.repository.tracked or not (self.ignored or self._ignores(path, is_folder=False))

    def entered(self, name: str) -> "Scope | None":
        """The scope of a folder in this one, None where nothing in it counts."""
        if self.repository is None:
            return self
        path = self.folder + os.fsencode(name)
        ignored = self.ignored or self._ignores(path, is_folder=True)
        if ignored and path not in self.repository.tracked_folders:
            return None
        return Scope(self.repository, path + b"/", self.rules, ignored)

    def _ignores(self, path: bytes, *, is_folder: bool) -> bool:
        for rules in reversed(self.rules):
            if (verdict := rules.verdict(path, is_folder)) is not None:
                return verdict
        return False


def scope_of(root: Path) -> Scope:
    """The scope of a working directory, from the rules of the repository around it.

    Where that repository ignores the directory itself, it says nothing about what is inside.
    """
    for top in (root, *root.parents):
        if (git := _git_folder(top)) is None:
            continue
        scope = _scope_at(top, git)
        for part in root.relative_to(top).parts:
            top = top / part
            inner = scope.entered(part)
            if inner is None:
                return Scope()
            scope = _with_rules(inner, top / ".gitignore")
        return scope
    return Scope()


def scope_inside(folder: Path, names: set[str], scope: Scope) -> Scope:
    """The scope of a folder below the working directory; a nested repository has its own rules."""
    if ".git" in names and (git := _git_folder(folder)):
        return _scope_at(folder, git)
    if ".gitignore" in names and scope.repository is not None:
        return _with_rules(scope, folder / ".gitignore")
    return scope


def _scope_at(top: Path, git: Path) -> Scope:
    shared = git / (_read(git / "commondir", POINTER_LIMIT).decode("utf-8", "surrogateescape").strip() or ".")
    tracked = _tracked(git / "index")
    folders = {path[:at] for path in tracked for at in range(len(path)) if path[at] == ord("/")}
    repository = _Repository(tracked, frozenset(folders), _ignores_case(shared / "config"))
    return _with_rules(_with_rules(Scope(repository), shared / "info" / "exclude"), top / ".gitignore")


def _git_folder(top: Path) -> Path | None:
    """Where the repository of this folder keeps its things, None when it is no repository."""
    git = top / ".git"
    pointer = _read(git, POINTER_LIMIT)  # a worktree and a submodule have a file that points elsewhere
    if pointer.startswith(b"gitdir:"):
        git = top / pointer[len(b"gitdir:") :].decode("utf-8", "surrogateescape").strip()
    try:
        return git if (git / "HEAD").exists() or (git / "HEAD").is_symlink() else None
    except (OSError, ValueError):
        return None


def _read(path: Path, limit: int) -> bytes:
    """A file of a repository; empty where there is none that can be read."""
    try:
        return read_at_most(path, limit)
    except (OSError, ValueError):
        return b""


def _tracked(index: Path) -> frozenset[bytes]:
    """The paths in an index; none where there is no index yet or it cannot be understood.

    Without it a file that is both tracked and ignored is missed, and nothing else.
    """
    content = _read(index, INDEX_LIMIT)
    for object_format in (SHA1, SHA256) if content else ():
        reader = IndexChecksumReader(io.BytesIO(content), object_format)
        try:
            entries, _, _ = read_index_dict_with_version(reader, object_format)
            reader.check_checksum(allow_empty=True)
        except Exception:  # noqa: BLE001, S112  bytes of a stranger: anything may be wrong with them
            continue
        return frozenset(entries)
    return frozenset()


def _ignores_case(config: Path) -> bool:
    try:
        parsed = ConfigFile.from_file(io.BytesIO(_read(config, RULES_LIMIT)), expand_includes=False)
        return bool(parsed.get_boolean((b"core",), b"ignorecase", False))  # noqa: FBT003
    except ValueError:
        return False


def _with_rules(scope: Scope, file: Path) -> Scope:
    if scope.repository is None or not (content := _read(file, RULES_LIMIT)):
        return scope
    rules = _rules(content, scope.folder, ignore_case=scope.repository.ignore_case)
    if rules is None:
        return scope
    return Scope(scope.repository, scope.folder, (*scope.rules, rules), scope.ignored)


def _rules(content: bytes, base: bytes, *, ignore_case: bool) -> _Rules | None:
    """Read a file of rules; a rule that git could not understand, either, matches nothing."""
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1  # names are bytes
    options.case_sensitive = not ignore_case
    options.max_mem = RULES_MEMORY
    options.log_errors = False
    patterns = re2.Set.FullMatchSet(options)
    excludes: list[bool] = []
    folders_only: list[bool] = []
    for line in read_ignore_patterns(io.BytesIO(content.removeprefix(b"\xef\xbb\xbf"))):
        negated = line.startswith(b"!")
        body = line[1:] if negated or line.startswith((b"\\!", b"\\#")) else line
        if not (bare := body.removesuffix(b"/")):
            continue
        try:
            patterns.Add(translate(MANY_STARS.sub(b"**", bare)).removesuffix(rb"\Z"))
        except (MalformedPattern, re2.error):
            continue
        excludes.append(not negated)
        folders_only.append(body.endswith(b"/"))
    if not excludes:
        return None
    try:
        patterns.Compile()
    except re2.error:
        return None  # more rules than memory: then nothing is hidden by them
    return _Rules(base, patterns, tuple(excludes), tuple(folders_only))
