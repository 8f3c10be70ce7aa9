"""`--json`: whatever a verb reads comes out as one document, and nobody is ever asked anything."""

import ast
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from adapters.cli.table import VERBS
from tests.homes import BuiltHome
from tests.reading_evt import Evt

ROOT = Path(__file__).resolve().parents[1]

READS = {
    "agents": ("agents", "agents show analyze", "agents check"),
    "audit": ("audit",),
    "completion": ("completion fish",),
    "key": ("key",),
    "list": ("list",),
    "project": ("project queue", "project tasks --at 3", "project metrics --explain", "project costs"),
    "replay": ("replay", "replay --verify", "replay --at 3"),
    "show": ("show one",),
    "status": ("status",),
    "validate-artifacts": ("validate-artifacts",),
    "version": ("version",),
    "wait": ("wait one",),
}
STREAMS = {"tail": ("tail", "tail -n 3"), "tail-events": ("tail-events",), "export": ("export",)}
"""Their documents are lines."""

WRITE = {
    *("demo", "init", "create-sample", "run", "add", "cancel", "retry", "pause", "resume"),
    *("erase", "import", "backup", "recover"),
}


@pytest.fixture
def home(tmp_path: Path) -> Iterator[BuiltHome]:
    with BuiltHome(tmp_path / "home") as built:
        built.succeed("one")
        built.refuse()
        built.store_views()
        (built.root / "results").mkdir(exist_ok=True)
        tree = built.root / "logs" / "tree"
        tree.mkdir(exist_ok=True)
        (tree / "keys").write_text("a-key\n", encoding="utf-8")
        yield built


@pytest.fixture
def evt(home: BuiltHome, capsys: pytest.CaptureFixture[str]) -> Evt:
    return Evt(home.root, capsys)


def test_every_verb_is_known_here_as_one_that_reads_or_writes() -> None:
    assert {*READS, *STREAMS, *WRITE} == {verb for verb in VERBS if verb != "complete"}


@pytest.mark.parametrize("words", [words for verb in READS.values() for words in verb])
def test_what_a_verb_reads_is_one_json_document(evt: Evt, words: str) -> None:
    said = evt(*words.split(), "--json")
    assert isinstance(said.document, dict | list)
    assert all(isinstance(orjson.loads(line), dict) for line in said.err.splitlines())


@pytest.mark.parametrize("words", [words for verb in STREAMS.values() for words in verb])
def test_what_a_verb_streams_is_a_document_on_each_line(home: BuiltHome, evt: Evt, words: str) -> None:
    said = evt(*words.split(), "--json")
    assert said.code == 0
    assert [orjson.loads(line)["global_position"] for line in said.lines][-1] == home.log.head()


def asks(source: str) -> list[str]:
    """Calls that would wait for a person's answer."""
    words = {"input", "getpass", "confirm", "prompt"}
    called = [node.func for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    names = [one.id if isinstance(one, ast.Name) else getattr(one, "attr", "") for one in called]
    return [name for name in names if name in words]


def test_no_verb_asks_anything_on_a_terminal_or_off_it() -> None:
    files = sorted((ROOT / "adapters" / "cli").rglob("*.py"))
    assert len(files) > 50
    assert {path.name: found for path in files if (found := asks(path.read_text(encoding="utf-8")))} == {}


def test_a_planted_question_is_seen() -> None:
    assert asks("answer = input('Really? ')") == ["input"]
