"""`evt audit prove` and `check-proof`, and the verifier in the documents that imports nothing of ours."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from adapters.cli.failure import BAD, GOOD, NOT_FOUND, USAGE
from tests.reading_evt import Evt
from tests.signed_trees import SignedLog, key_of

VERIFIER = Path(__file__).resolve().parent.parent / "docs" / "reference" / "verify_log.py"


@pytest.fixture
def signed(tmp_path: Path) -> SignedLog:
    with SignedLog.create(tmp_path / "home") as made:
        for count in (10, 300, 20):
            made.grow(count)
            made.sign()
        made.erase(5, "text")
        made.erase(5, "parts")
        made.sign("erasure")
        made.grow(3)
    return made


@pytest.fixture
def evt(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Evt:
    return Evt(tmp_path / "home", capsys)


@pytest.mark.parametrize("position", [1, 2, 256, 257, 312, 337])
def test_a_proof_holds_without_the_log_and_for_no_other_line(
    signed: SignedLog, evt: Evt, tmp_path: Path, position: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    proof, line = tmp_path / "p.tlog-proof", tmp_path / "line.json"
    assert evt("audit", "prove", str(position), "-o", str(proof), "--line", str(line)).code == GOOD
    key = signed.keys[0].verifying.vkey()
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    lone = Evt(empty, evt._capture)  # where no home is
    words = ("audit", "check-proof", str(proof), "--line", str(line), "--key", key)
    said = lone(*words)
    assert said.code == GOOD
    assert said.out.startswith(f"PROVED  event {position}, ")
    assert evt("audit", "check-proof", str(proof)).code == GOOD
    told = lone(*words, "--json").document
    assert (told["proved"], told["position"], told["size"]) == (True, position, signed.sizes[-1])
    assert lone(*words[:-1], key_of(9).verifying.vkey()).code == BAD
    line.write_bytes(line.read_bytes().replace(b"service", b"someone"))
    said = lone(*words)
    assert said.code == BAD
    assert said.out.startswith("NOT PROVED")


def test_a_proof_goes_to_stdout_as_it_is(signed: SignedLog, evt: Evt, tmp_path: Path) -> None:
    said = evt("audit", "prove", "@17")
    assert said.out.startswith("c2sp.org/tlog-proof@v1\nindex 16\n")
    path = tmp_path / "proof"
    path.write_text(said.out, encoding="utf-8", newline="\n")
    assert evt("audit", "check-proof", str(path)).code == GOOD
    assert evt("audit", "prove", "17", "--json").document["proof"] == said.out


def test_what_no_tree_head_covers_cannot_be_proved_yet(signed: SignedLog, evt: Evt) -> None:
    last = signed.sizes[-1] + 1
    said = evt("audit", "prove", str(last))
    assert (said.code, said.out) == (BAD, "")
    assert "under no tree head yet" in said.err


def test_the_proof_of_an_erased_event_is_of_the_line_as_it_was(
    signed: SignedLog, evt: Evt, tmp_path: Path
) -> None:
    proof = tmp_path / "p"
    said = evt("audit", "prove", "5", "-o", str(proof))
    assert said.code == GOOD
    assert "were erased" in said.err
    assert evt("audit", "check-proof", str(proof)).code == GOOD


def test_an_edited_event_is_not_proved(signed: SignedLog, evt: Evt) -> None:
    tile = signed.tree / "tile" / "0" / "000"
    content = tile.read_bytes()
    tile.write_bytes(content[: 32 * 7] + bytes(range(32)) + content[32 * 8 :])
    said = evt("audit", "prove", "7")
    assert (said.code, said.out) == (BAD, "")
    assert "evt audit" in said.err
    tile.unlink()
    assert evt("audit", "prove", "7").code == BAD


def test_checking_needs_a_line_and_a_key(
    signed: SignedLog, evt: Evt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proof = tmp_path / "p"
    evt("audit", "prove", "3", "-o", str(proof))
    monkeypatch.chdir(tmp_path)
    lone = Evt(Path(), evt._capture)
    key = signed.keys[0].verifying.vkey()
    for given in ((), ("--key", key), ("--line", str(proof))):
        said = lone("audit", "check-proof", str(proof), *given)
        assert (said.code, "Give both: --line FILE --key" in said.err) == (USAGE, True)
    assert lone("audit", "check-proof", str(proof), "--key", key, "--line", "nowhere").code == NOT_FOUND


# the verifier in the documents


def verify(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """In a folder elsewhere, by an interpreter that knows no path of ours."""
    return subprocess.run(
        [sys.executable, "-I", str(VERIFIER), *words],
        cwd=folder,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )


def test_the_verifier_imports_nothing_of_ours() -> None:
    tree = ast.parse(VERIFIER.read_text(encoding="utf-8"))
    named = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    named |= {one.name for node in ast.walk(tree) if isinstance(node, ast.Import) for one in node.names}
    assert {name.partition(".")[0] for name in named} - set(sys.stdlib_module_names) == {"cryptography"}


def test_a_stranger_verifies_the_text_and_one_event_alone(
    signed: SignedLog, evt: Evt, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "events.ndjson").write_bytes(signed.mirror.read_bytes())
    (elsewhere / "head").write_bytes(signed.notes[-1])
    evt("audit", "prove", "42", "-o", str(elsewhere / "proof"), "--line", str(elsewhere / "line"))
    key = signed.keys[0].verifying.vkey()
    said = verify(elsewhere, key, "head", "events.ndjson")
    assert (said.returncode, said.stdout) == (0, f"{signed.sizes[-1]} events: as signed\n"), said.stderr
    said = verify(elsewhere, key, "proof", "line")
    assert (said.returncode, said.stdout) == (0, "event 42: as signed\n"), said.stderr

    for name, old, new in (
        ("events.ndjson", b'"number":100,', b'"number":101,'),
        ("line", b'"actor"', b'"Actor"'),
        ("head", b"\n" + str(signed.sizes[-1]).encode() + b"\n", b"\n7\n"),
    ):
        path = elsewhere / name
        content = path.read_bytes()
        assert old in content
        path.write_bytes(content.replace(old, new, 1))
        files = ("proof", "line") if name == "line" else ("head", "events.ndjson")
        assert verify(elsewhere, key, *files).returncode == 1, name
        path.write_bytes(content)
    assert verify(elsewhere, key_of(9).verifying.vkey(), "head", "events.ndjson").returncode == 1
