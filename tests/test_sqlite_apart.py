"""No file is opened by both copies of SQLite: seen in the whole program at work, and in its source."""

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pytest

from adapters.cli.table import VERBS
from tests.service import command, environment, folder, home_at, running, task_text, until

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("adapters", "eventstore", "handlers", "projections", "prompts", "schemas")

NOTING = '''
"""Loaded by Python itself at its start: each database that either library opens is written down."""

import os
import sys

import apsw


def note(library, place):
    line = f"{library}\\t{os.fspath(place)}\\n".encode()
    out = os.open(os.environ["SQLITE_OPENINGS"], os.O_APPEND | os.O_CREAT | os.O_WRONLY)
    os.write(out, line)
    os.close(out)


sys.addaudithook(lambda event, words: note("sqlite3", words[0]) if event == "sqlite3.connect" else None)
apsw.connection_hooks.append(lambda connection: note("apsw", connection.filename))
'''

CALLING = """
import json, os, sys
from adapters.cli.main import call
for words in json.loads(sys.argv[1]):
    print("called", words[0], call(words, dict(os.environ)), flush=True)
"""

CALLS: dict[str, tuple[tuple[str, ...], ...]] = {
    "demo": (("demo", "--home", "{folder}/demo"),),
    "init": (("init", "{folder}/another"),),
    "create-sample": (("create-sample",),),
    "completion": (("completion", "bash"),),
    "add": (
        ("add", "Find the mistake in it", "--cwd", "{home}"),
        ("add", "Look again at it", "--cwd", "{home}"),
    ),
    "pause": (("pause",),),
    "resume": (("resume",),),
    "run": (("run", "--drain", "--drain-wait", "0"),),
    "wait": (("wait", "shop"),),
    "cancel": (("cancel", "shop"),),
    "retry": (("retry", "--failed"),),
    "status": (("status",),),
    "list": (("list",),),
    "show": (("show", "shop"),),
    "agents": (("agents", "list"), ("agents", "show", "analyze"), ("agents", "check")),
    "tail": (("tail",),),
    "tail-events": (("tail-events", "--json"),),
    "project": (
        ("project", "tasks"),
        ("project", "metrics", "--at", "3"),
        ("project", "metrics", "--explain", "all.received"),
        ("project", "artifacts", "--write"),
    ),
    "replay": (("replay",), ("replay", "--verify")),
    "validate-artifacts": (("validate-artifacts",),),
    "audit": (("audit",), ("audit", "prove", "2")),
    "key": (("key",), ("key", "change")),
    "erase": (("erase", "2", "--field", "spec.title", "--reason", "it was a name"),),
    "version": (("version",),),
    "export": (("export", "-o", "{folder}/log.ndjson"), ("export", "--format", "cloudevents")),
    "import": (("import", "{folder}/log.ndjson", "--home", "{folder}/imported"),),
    "backup": (("backup", "{folder}/kept"),),
    "recover": (("recover",),),
    "complete": (("complete", "show", ""),),
}
"""How each verb is called here; a verb that is new has to say so, too."""


class Openings:
    """What the processes that were started with `environ` have opened."""

    def __init__(self, folder: Path) -> None:
        self._noted = folder / "openings.txt"
        hooks = folder / "hooks"
        hooks.mkdir()
        (hooks / "sitecustomize.py").write_text(NOTING, encoding="utf-8", newline="\n")
        self.more = {"PYTHONPATH": f"{hooks}{os.pathsep}{ROOT}", "SQLITE_OPENINGS": str(self._noted)}

    def libraries(self) -> dict[Path, set[str]]:
        """By file; what is only in memory is left out."""
        opened: dict[Path, set[str]] = {}
        for line in self._noted.read_text(encoding="utf-8").splitlines():
            library, _, place = line.partition("\t")
            if place not in ("", ":memory:"):
                # A log that is being made gets its name when it is whole.
                opened.setdefault(_path(place.replace("events.db.making", "events.db")), set()).add(library)
        return opened


def _path(place: str) -> Path:
    text = url2pathname(urlsplit(place).path) if place.startswith("file:") else place
    return Path(text).resolve()


@pytest.fixture
def openings(tmp_path: Path) -> Openings:
    return Openings(tmp_path)


def kept_apart(opened: dict[Path, set[str]]) -> bool:
    """Each log by apsw and each file of views by sqlite3, by nothing else, and nothing else at all."""
    wanted = {"events.db": {"apsw"}, "views.db": {"sqlite3"}}
    return all(libraries == wanted.get(path.name) for path, libraries in opened.items())


def test_every_verb_is_called_here() -> None:
    assert VERBS.keys() == CALLS.keys()
    assert {words[0] for calls in CALLS.values() for words in calls} == CALLS.keys()


def test_no_verb_opens_a_file_with_both(tmp_path: Path, openings: Openings) -> None:
    home = home_at(tmp_path / "home")
    place = folder(home)
    (home / "tasks" / "shop.task.md").write_text(task_text(place), encoding="utf-8", newline="\n")
    calls = [
        [word.format(home=home, folder=tmp_path) for word in words]
        for verb in CALLS.values()
        for words in verb
    ]
    called = subprocess.run(
        [sys.executable, "-P", "-c", CALLING, json.dumps(calls)],
        env=environment(EVT_HOME=str(home), **openings.more),
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=110,
    )
    assert called.returncode == 0, called.stdout + called.stderr
    ended = [line.split()[1:] for line in called.stdout.splitlines() if line.startswith("called ")]
    # What is over cannot be cancelled; all else did what it is for.
    assert {verb for verb, code in ended if code != "0"} == {"cancel"}, called.stdout + called.stderr
    opened = openings.libraries()
    assert kept_apart(opened), opened
    # What was looked at is what there is: both files of each of the homes. What else there was, was
    # made under another name: the backup, and a log before it was put in place.
    homes = {home, tmp_path / "demo", tmp_path / "another", tmp_path / "imported"}
    assert {path for path in opened if path.exists()} == {
        made.resolve() / "logs" / name for made in homes for name in ("events.db", "views.db")
    }


def test_a_service_and_the_verbs_beside_it_open_no_file_with_both(tmp_path: Path, openings: Openings) -> None:
    home = home_at(tmp_path / "home")
    place = folder(home)
    with running(home, **openings.more):
        until(home, lambda event: event.type == "orchestrator_started")
        (home / "tasks" / "shop.task.md").write_text(task_text(place), encoding="utf-8", newline="\n")
        until(home, lambda event: event.type == "artifact_written")
        for words in (("add", "Look again at it"), ("status",), ("project", "queue"), ("replay", "--verify")):
            subprocess.run(
                [*command(*words), "--home", str(home)],
                env=environment(**openings.more),
                capture_output=True,
                check=False,
                timeout=60,
            )
    opened = openings.libraries()
    assert kept_apart(opened), opened
    assert {path.name for path in opened} == {"events.db", "views.db"}


def test_a_file_that_both_open_is_seen(tmp_path: Path, openings: Openings) -> None:
    path = tmp_path / "events.db"
    program = (
        "import apsw, sqlite3, sys\napsw.Connection(sys.argv[1])\nsqlite3.connect(sys.argv[1]).close()\n"
    )
    subprocess.run(
        [sys.executable, "-P", "-c", program, str(path)],
        env=environment(**openings.more),
        check=True,
        timeout=60,
    )
    assert openings.libraries() == {path.resolve(): {"apsw", "sqlite3"}}
    assert not kept_apart(openings.libraries())


# the source

OPENERS = {"apsw.Connection": "apsw", "sqlite3.connect": "sqlite3"}


def opening(sources: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """(library, module) of each call that opens a file; `:memory:` is none."""
    for module, text in sources:
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Call) and (library := OPENERS.get(ast.unparse(node.func))):
                first = node.args[0] if node.args else None
                if not (isinstance(first, ast.Constant) and first.value == ":memory:"):
                    yield library, module


def importing(sources: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Modules that give a library, or a part of it, another name: then a call does not show whose it is."""
    for module, text in sources:
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ImportFrom) and node.module in ("apsw", "sqlite3"):
                yield module
            if isinstance(node, ast.Import):
                aliases = [alias for alias in node.names if alias.name in ("apsw", "sqlite3")]
                if any(alias.asname is not None for alias in aliases):
                    yield module


def sources() -> list[tuple[str, str]]:
    paths = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    return [(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")) for path in paths]


def test_one_module_opens_logs_and_two_open_views() -> None:
    assert list(importing(sources())) == []
    assert set(opening(sources())) == {
        ("apsw", "eventstore/sqlite/file.py"),
        ("sqlite3", "projections/view_rows.py"),
        ("sqlite3", "projections/views.py"),
    }


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("import sqlite3\nsqlite3.connect(path)\n", [("sqlite3", "planted.py")]),
        ("import apsw\n\ndef f():\n    return apsw.Connection(path, flags=1)\n", [("apsw", "planted.py")]),
        ("import sqlite3\nsqlite3.connect(':memory:')\n", []),
    ],
)
def test_a_planted_opening_is_seen(text: str, found: list[tuple[str, str]]) -> None:
    assert list(opening([("planted.py", text)])) == found


@pytest.mark.parametrize("text", ["from sqlite3 import connect\n", "import apsw as log\n"])
def test_a_planted_other_name_for_a_library_is_seen(text: str) -> None:
    assert list(importing([("planted.py", text)])) == ["planted.py"]
