"""The house rules that no linter knows, as one function: `findings(root)`; run it to see them."""

import ast
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

PACKAGES = ("adapters", "eventstore", "handlers", "projections", "prompts", "schemas")
INSIDE = tuple(f"{name}." for name in PACKAGES)
CODE = (*PACKAGES, "tests", "tools")
DATA = ("adapters/recorded/recordings", "tests/golden")
"""Folders inside the code that hold other people's files: their style is their own."""

SKIPPED = re.compile(r"^__pycache__$|^\.(?!ci$|env\.example$|git(?:ignore|attributes)$)")
"""Caches, and `.env`, which is nobody's to read."""

LINES_OF_A_FILE = 400
LINES_OF_A_FUNCTION = 70
FORBIDDEN_NAMES = frozenset(
    {"util", "utils", "common", "helper", "helpers", "base", "manager", "managers", "misc"}
)
FOR_TESTS_ONLY = frozenset({"eventstore.memory_log"})
"""Modules that only tests import, and that is what they are for."""

PLATFORM_MODULES = frozenset({"fcntl", "grp", "msvcrt", "pwd", "resource", "termios", "winreg", "_winapi"})
PLATFORM_NAMES = frozenset(
    {"getpgid", "killpg", "setsid", "setpgid", "fork", "getuid", "geteuid", "SIGKILL", "windll", "WinDLL"}
)
PLATFORM_PLACES = ("adapters/process_tree/", "eventstore/file_lock.py")

TABLE_OF_VERBS = "adapters/cli/table.py"
OPENERS = frozenset({"open", "read_bytes", "read_text", "write_bytes", "write_text"})
LOCK_FILES = ("requirements.lock",)
MACHINE_PATHS = re.compile(r"/root/[\w.]")
HOMES = re.compile(r"/home/\w+/|/Users/\w+/|(?i:[a-z]:\\{1,2}Users\\{1,2}\w)")
"""Whose home this is; in a test it is nobody's."""
LINK = re.compile(r"\[[^\]]*\]\(\s*<?([^)\s>]+)>?[^)]*\)")
FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
INLINE_CODE = re.compile(r"`[^`\n]*`")


@dataclass(frozen=True, order=True)
class Finding:
    """One thing out of place: where, and what to do."""

    path: str
    line: int
    rule: str
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.rule}: {self.text}"


class Source:
    """One Python file, read and parsed once."""

    def __init__(self, root: Path, path: Path) -> None:
        self.path = path.relative_to(root).as_posix()
        self.text = path.read_text(encoding="utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.path)

    @property
    def module(self) -> str:
        return self.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


class House:
    """The files of a work tree that the rules look at."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files = sorted(_walk(root, root))

    @cached_property
    def sources(self) -> list[Source]:
        code = tuple(f"{name}/" for name in CODE)
        data = tuple(f"{name}/" for name in DATA)
        found = [path for path in self.files if path.suffix == ".py"]
        relative = {path: path.relative_to(self.root).as_posix() for path in found}
        return [
            Source(self.root, path)
            for path in found
            if relative[path].startswith(code) and not relative[path].startswith(data)
        ]

    @cached_property
    def texts(self) -> Mapping[str, str]:
        """Path → content of every file that is text."""
        read: dict[str, str] = {}
        for path in self.files:
            content = path.read_bytes()
            if b"\0" not in content:
                read[path.relative_to(self.root).as_posix()] = content.decode("utf-8", errors="replace")
        return read

    @cached_property
    def documents(self) -> Mapping[str, str]:
        """Path → text without code, of every Markdown file that is ours to read."""
        ours = {path: text for path, text in self.texts.items() if path.endswith(".md")}
        return {
            path: INLINE_CODE.sub("", FENCE.sub(_blank, text))
            for path, text in ours.items()
            if "/" not in path or path.startswith("docs/")
        }


def _blank(match: re.Match[str]) -> str:
    return "\n" * match.group().count("\n")


def _walk(root: Path, folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.is_symlink() or SKIPPED.match(path.name):
            continue
        if path.is_dir():
            if folder != root or path.name in CODE or path.name in {"docs", ".ci"}:
                yield from _walk(root, path)
        elif path.suffix != ".pyc":
            yield path


def file_length(house: House) -> Iterator[Finding]:
    for source in house.sources:
        length = source.text.count("\n")
        if length > LINES_OF_A_FILE:
            text = f"{length} lines, {LINES_OF_A_FILE} is the end: it holds more than one idea"
            yield Finding(source.path, LINES_OF_A_FILE, "file-length", text)


def function_length(house: House) -> Iterator[Finding]:
    for source in house.sources:
        for node in ast.walk(source.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > LINES_OF_A_FUNCTION:
                    text = f"{node.name} has {length} lines, {LINES_OF_A_FUNCTION} is the end"
                    yield Finding(source.path, node.lineno, "function-length", text)


def forbidden_names(house: House) -> Iterator[Finding]:
    for source in house.sources:
        for part in source.path.removesuffix(".py").lower().split("/"):
            bad = FORBIDDEN_NAMES.intersection(part.split("_"))
            if bad:
                text = f"`{part}` says nothing about what is in it: name the subject"
                yield Finding(source.path, 1, "forbidden-name", text)


def first_line(house: House) -> Iterator[Finding]:
    for source in house.sources:
        said = (ast.get_docstring(source.tree) or "").strip().partition("\n")[0]
        if not said:
            yield Finding(source.path, 1, "first-line", "a docstring whose first line says the one idea")


def platform_calls(house: House) -> Iterator[Finding]:
    """What only one system has stays in the files that are named for it."""
    for source in house.sources:
        if source.path.startswith(PLATFORM_PLACES) or not source.path.startswith(PACKAGES):
            continue
        for node in ast.walk(source.tree):
            if isinstance(node, ast.Import):
                names = {alias.name for alias in node.names} & PLATFORM_MODULES
            elif isinstance(node, ast.ImportFrom):
                names = {node.module or ""} & PLATFORM_MODULES
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                names = {node.attr} & PLATFORM_NAMES if node.value.id in {"os", "signal", "ctypes"} else set()
            else:
                continue
            for name in sorted(names):
                text = f"`{name}` is not on every system: {' or '.join(PLATFORM_PLACES)} is its place"
                yield Finding(source.path, node.lineno, "platform", text)


def database_opened(house: House) -> Iterator[Finding]:
    """Closing any descriptor of a SQLite file drops the POSIX locks that SQLite holds on it."""
    for source in house.sources:
        if source.path.startswith("tests/"):
            continue
        for node in ast.walk(source.tree):
            if isinstance(node, ast.Call) and _called(node) in OPENERS and _names_database(node):
                text = "a database is opened by SQLite alone: any other close drops its locks"
                yield Finding(source.path, node.lineno, "database-opened", text)


def _called(node: ast.Call) -> str:
    function = node.func
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _names_database(call: ast.Call) -> bool:
    receiver = [call.func.value] if isinstance(call.func, ast.Attribute) else []
    for part in (*receiver, *call.args[:1]):
        for node in ast.walk(part):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.endswith(".db"):
                return True
            if isinstance(node, ast.Name) and node.id.endswith("_db"):
                return True
            if isinstance(node, ast.Attribute) and node.attr.endswith("_db"):
                return True
    return False


def dead_modules(house: House) -> Iterator[Finding]:
    """A module that nothing imports and neither a script nor the table of verbs names."""
    alive = set(FOR_TESTS_ONLY)
    scripts = house.texts.get("pyproject.toml", "")
    alive.update(re.findall(r'^[\w-]+ = "([\w.]+):\w+"', scripts, re.MULTILINE))
    carried = re.findall(r'^"([\w/]+)\.py" = "', scripts, re.MULTILINE)  # into the wheel, under another name
    alive.update(path.replace("/", ".") for path in carried)
    for source in house.sources:
        if not source.path.startswith("tests/"):
            alive.update(name for name in _imported(source) if name != source.module)
        if source.path == TABLE_OF_VERBS:
            alive.update(f"adapters.cli.{name}" for name in re.findall(r'"(\w+)"', source.text))
    for source in house.sources:
        package = source.path.endswith(("/__init__.py", "/__main__.py"))
        if source.path.startswith(PACKAGES) and not package and source.module not in alive:
            text = "no module imports it and no script names it: use it or remove it"
            yield Finding(source.path, 1, "dead-module", text)


def _imported(source: Source) -> Iterator[str]:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and str(node.value).startswith(INSIDE):
            yield str(node.value).partition(":")[0]


def dead_documents(house: House) -> Iterator[Finding]:
    """A document that no reader finds from README.md by following links."""
    seen: set[str] = set()
    waiting = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"]
    while waiting:
        path = waiting.pop()
        if path in seen or path not in house.documents:
            continue
        seen.add(path)
        waiting.extend(target for _, target, _ in _links(house, path))
    for path in sorted(house.documents.keys() - seen):
        yield Finding(path, 1, "dead-document", "no link leads here from README.md")


def broken_links(house: House) -> Iterator[Finding]:
    for path in house.documents:
        for line, target, anchor in _links(house, path):
            if not (house.root / target).exists():
                yield Finding(path, line, "broken-link", f"there is no {target}")
            elif anchor and target in house.documents and anchor not in _anchors(house.texts[target]):
                yield Finding(path, line, "broken-link", f"{target} has no heading #{anchor}")


def _links(house: House, path: str) -> Iterator[tuple[int, str, str]]:
    """(line, path from the root, anchor) of every link to a file of this project."""
    for number, text in enumerate(house.documents[path].splitlines(), 1):
        for link in LINK.findall(text):
            if re.match(r"[a-z][a-z0-9+.-]*:", link):
                continue
            place, _, anchor = link.partition("#")
            parts: list[str] = []
            for part in [*Path(path).parent.parts, *place.split("/")] if place else Path(path).parts:
                if part == ".." and parts:
                    parts.pop()
                elif part not in {".", ""}:
                    parts.append(part)
            yield number, "/".join(parts), anchor


def _anchors(text: str) -> set[str]:
    """The names that GitHub gives to headings: lower case, words joined by dashes."""
    prose = FENCE.sub(_blank, text)
    headings = re.findall(r"^#+\s+(.*?)\s*#*$", prose, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def lock_addresses(house: House) -> Iterator[Finding]:
    """A lock file says what, never from where: everybody has an index of their own."""
    for path in LOCK_FILES:
        for number, line in enumerate(house.texts.get(path, "").splitlines(), 1):
            if "://" in line or re.search(r"--(?:index|extra-index|find-links|trusted-host)|file:", line):
                yield Finding(path, number, "lock-address", f"names a place to download from: {line[:80]}")


def machine_paths(house: House) -> Iterator[Finding]:
    """No file says where somebody's copy of it lies."""
    here = [path for path in (str(house.root), str(Path.home())) if path not in {"/", "/root"}]
    own = re.compile("|".join(re.escape(path) + r"(?!\w)" for path in here) or r"(?!)")
    for path, text in house.texts.items():
        if path == "tools/tidy.py":
            continue    # the patterns themselves
        for number, line in enumerate(text.splitlines(), 1):
            home = HOMES.search(line) and not path.startswith("tests/")
            if home or MACHINE_PATHS.search(line) or own.search(line):
                yield Finding(path, number, "machine-path", f"a path of one machine: {line.strip()[:80]}")


RULES: tuple[Callable[[House], Iterable[Finding]], ...] = (
    file_length,
    function_length,
    forbidden_names,
    first_line,
    platform_calls,
    database_opened,
    dead_modules,
    dead_documents,
    broken_links,
    lock_addresses,
    machine_paths,
)


def findings(root: Path) -> list[Finding]:
    """Everything out of place under `root`, sorted by file and line."""
    house = House(root)
    return sorted({finding for rule in RULES for finding in rule(house)})


def main() -> int:
    found = findings(Path(__file__).resolve().parent.parent)
    for finding in found:
        print(finding)
    print(f"tidy: {len(found)} found")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
