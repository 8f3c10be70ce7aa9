"""The recorded agent behaves as the CLI in whose place it stands, and never lies about an edit."""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from adapters.recorded.agent import MARK, NO_RECORDING, RECORDINGS
from adapters.recorded.edit import edit, write

SESSION = "0192f0c1-2b3c-7def-8123-456789abcdef"
ROOT = Path(__file__).parent.parent
READING = ("--tools", "Read,Glob,Grep")
FIXING = ("--tools", "Read,Glob,Grep,Edit,Write,NotebookEdit,Bash", "--allowedTools", "Bash")
BASE = (
    *("-p", "--output-format", "stream-json", "--verbose", f"--session-id={SESSION}"),
    *("--setting-sources", "", "--strict-mcp-config", "--settings", "{}"),
    *("--permission-mode", "acceptEdits", "--max-turns", "30"),
)


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "CLAUDE_CODE_RECORDED_PAUSE_MS": "0", **more}


def ask(cwd: Path, prompt: str, *flags: str, **more: str) -> tuple[int, list[dict[str, Any]], str]:
    done = subprocess.run(
        [sys.executable, "-m", "adapters.recorded.agent", *flags],
        input=prompt.encode(),
        cwd=cwd,
        env=environment(**more),
        capture_output=True,
        timeout=60,
        check=False,
    )
    return done.returncode, [orjson.loads(line) for line in done.stdout.splitlines()], done.stderr.decode()


def body(task: str) -> str:
    """The prompt as a worker would hand it over: the task file without its front matter."""
    return (RECORDINGS / "tasks" / task).read_text(encoding="utf-8").split("---\n", 2)[2]


def passes(repo: Path) -> bool:
    tests = [sys.executable, "-B", "-m", "unittest", "tests.test_cart"]
    return subprocess.run(tests, cwd=repo, capture_output=True, timeout=60, check=False).returncode == 0


def tree(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return Path(shutil.copytree(RECORDINGS / "sample", tmp_path / "repo"))


def test_the_analysis_is_played_whole_and_changes_nothing(repo: Path) -> None:
    before = tree(repo)
    code, lines, said = ask(repo, body("01-analyse-the-cart.task.md"), *BASE, *READING)
    assert (code, said) == (0, "")
    assert lines[0]["recorded"] is True
    assert lines[0]["model"] == "recorded"
    assert lines[0]["tools"] == ["Glob", "Grep", "Read"]
    assert lines[0]["cwd"] == str(repo)
    assert {line["session_id"] for line in lines} == {SESSION}
    assert [line["type"] for line in lines].count("result") == 1
    assert lines[-1]["subtype"] == "success"
    assert lines[-1]["result"].startswith(MARK + "How the cart works out")
    assert tree(repo) == before


def test_the_fix_is_made_for_real(repo: Path) -> None:
    before = tree(repo)
    assert not passes(repo)
    code, lines, _ = ask(repo, body("02-fix-the-total.task.md"), *BASE, *FIXING)
    assert code == 0
    assert lines[-1]["is_error"] is False
    assert passes(repo)
    after = tree(repo)
    assert {name for name in before | after if before.get(name) != after.get(name)} == {"shop/cart.py"}


def test_a_second_attempt_makes_no_second_edit_and_says_so(repo: Path) -> None:
    prompt = body("02-fix-the-total.task.md")
    ask(repo, prompt, *BASE, *FIXING)
    once = tree(repo)
    code, lines, _ = ask(repo, prompt, *BASE, *FIXING)
    assert code == 0
    assert tree(repo) == once
    assert "already holds this edit" in str(lines[-3])
    assert "already holds this edit" in lines[-1]["result"]


def test_an_edit_that_fits_nowhere_ends_in_an_honest_error(repo: Path) -> None:
    (repo / "shop" / "cart.py").write_text("nothing of the kind\n", encoding="utf-8")
    before = tree(repo)
    code, lines, _ = ask(repo, body("02-fix-the-total.task.md"), *BASE, *FIXING)
    assert code == 1
    assert lines[-3]["message"]["content"][0]["is_error"] is True
    assert lines[-1]["is_error"] is True
    assert lines[-1]["subtype"] == "error_during_execution"
    assert "could not be applied" in lines[-1]["errors"][0]
    assert tree(repo) == before


def test_a_tool_that_is_not_offered_is_not_used(repo: Path) -> None:
    before = tree(repo)
    code, lines, _ = ask(repo, body("02-fix-the-total.task.md"), *BASE, *READING)
    assert code == 1
    assert "No such tool available: Edit" in str(lines[-3])
    assert lines[-1]["is_error"] is True
    assert tree(repo) == before


def test_an_edit_without_permission_is_denied_and_listed(repo: Path) -> None:
    before = tree(repo)
    flags = [*BASE, "--permission-mode", "default", *FIXING]
    _, lines, _ = ask(repo, body("02-fix-the-total.task.md"), *flags)
    assert [d["tool_name"] for d in lines[-1]["permission_denials"]] == ["Edit"]
    assert tree(repo) == before


def test_a_task_without_a_recording_gets_a_whole_session_that_says_so(tmp_path: Path) -> None:
    code, lines, said = ask(tmp_path, "Write me a poem.", *BASE, *READING)
    assert (code, said) == (1, "")
    assert [line["type"] for line in lines] == ["system", "assistant", "result"]
    assert lines[0]["recorded"] is True
    assert lines[-1]["is_error"] is True
    assert lines[-1]["errors"] == [lines[-1]["result"]] == [MARK + NO_RECORDING]


@pytest.mark.parametrize("new", ["after", "before and after"])
def test_an_edit_named_in_the_prompt_is_made_once(tmp_path: Path, new: str) -> None:
    (tmp_path / "sub").mkdir()
    target = tmp_path / "sub" / "notes.txt"
    target.write_text("one\nbefore\ntwo\n", encoding="utf-8", newline="\n")
    prompt = f"Task:\r\nRECORDED-EDIT: sub/notes.txt: before => {new}\r\nThank you.\r\n"
    for _ in range(2):
        code, lines, _ = ask(tmp_path, prompt, *BASE, *FIXING)
        assert code == 0
        assert lines[-1]["result"].startswith(MARK)
        assert target.read_bytes() == f"one\n{new}\ntwo\n".encode()
    assert [p.name for p in target.parent.iterdir()] == ["notes.txt"]


def test_nothing_outside_the_working_directory_is_edited(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    outside = tmp_path / "outside.txt"
    outside.write_text("before", encoding="utf-8")
    code, lines, _ = ask(inside, "RECORDED-EDIT: ../outside.txt: before => after", *BASE, *FIXING)
    assert code == 1
    assert lines[-1]["permission_denials"][0]["tool_name"] == "Edit"
    assert outside.read_text(encoding="utf-8") == "before"


def test_an_added_folder_of_recordings_is_searched_first(tmp_path: Path) -> None:
    lines = [
        {"type": "system", "subtype": "init", "cwd": "{cwd}", "session_id": "{session_id}"},
        {"type": "result", "subtype": "success", "is_error": False, "result": "{left} alone"},
    ]
    added = tmp_path / "added"
    added.mkdir()
    (added / "one.ndjson").write_bytes(b"\n".join(orjson.dumps(line) for line in lines))
    entry = {"name": "one", "file": "one.ndjson", "words": ["Poem  please"], "exit_code": 7}
    (added / "manifest.json").write_bytes(orjson.dumps({"recordings": [entry]}))
    more = {"CLAUDE_CODE_RECORDED_DIR": str(added)}
    code, said, _ = ask(tmp_path, "A poem\nplease.", *BASE, **more)
    assert (code, said[-1]["result"]) == (7, MARK + "{left} alone")
    code, said, _ = ask(tmp_path, "Something else.", *BASE, **more)
    assert said[-1]["result"] == MARK + NO_RECORDING
    (added / "manifest.json").write_bytes(b"{")
    code, said, problem = ask(tmp_path, "A poem please.", *BASE, **more)
    assert (code, said) == (1, [])
    assert "cannot be read" in problem


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["-p", "--no-such-flag"], "error: unknown option '--no-such-flag'"),
        ([*BASE, "--max-turns"], "error: option '--max-turns' argument missing"),
        (
            ["-p", "--output-format=stream-json"],
            "Error: When using --print, --output-format=stream-json requires",
        ),
        ([*BASE, "--session-id", "nope"], "Error: Invalid session ID. Must be a valid UUID."),
        ([*BASE, "--settings", "nowhere.json"], "Error: Settings file not found: nowhere.json"),
        (
            [*BASE, "--append-system-prompt-file", "no.md"],
            "Error: Append system prompt file not found: no.md",
        ),
        (["--output-format", "stream-json"], "Error: a recorded session is played with --print"),
    ],
)
def test_a_wrong_command_line_is_refused_on_stderr(tmp_path: Path, flags: list[str], sentence: str) -> None:
    code, lines, said = ask(tmp_path, "hello", *flags)
    assert (code, lines) == (1, [])
    assert said.startswith(sentence)


def test_an_empty_prompt_is_refused(tmp_path: Path) -> None:
    code, lines, said = ask(tmp_path, " \n", *BASE)
    assert (code, lines) == (1, [])
    assert said.startswith("Error: Input must be provided")


def test_the_version_names_the_recording(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "adapters.recorded.agent", "--version"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, b"2.1.197 (recorded session)\n")


def start(repo: Path, pause_ms: int) -> subprocess.Popen[bytes]:
    """A fix under way: its first line is read, the next ones take their time."""
    agent = subprocess.Popen(
        [sys.executable, "-m", "adapters.recorded.agent", *BASE, *FIXING],
        cwd=repo,
        env=environment(CLAUDE_CODE_RECORDED_PAUSE_MS=str(pause_ms)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert agent.stdin is not None
    assert agent.stdout is not None
    agent.stdin.write(body("02-fix-the-total.task.md").encode())
    agent.stdin.close()
    agent.stdin = None
    assert b'"init"' in agent.stdout.readline()
    return agent


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM: a process is ended from outside")
def test_sigterm_ends_it_without_a_result(repo: Path) -> None:
    before = tree(repo)
    with start(repo, 1500) as agent:
        agent.send_signal(signal.SIGTERM)
        rest, problem = agent.communicate(timeout=60)
    assert agent.returncode == 143
    assert b'"result"' not in rest
    assert problem == b""
    assert tree(repo) == before


def test_a_reader_that_goes_away_is_not_complained_about(repo: Path) -> None:
    with start(repo, 100) as agent:
        assert agent.stdout is not None
        assert agent.stderr is not None
        agent.stdout.close()
        assert agent.stderr.read() == b""
        assert agent.wait(timeout=60) == 1


def test_windows_line_ends_survive_an_edit(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_bytes(b"one\r\ntwo\r\nthree\r\n")
    assert edit(target, "one\ntwo\n", "1\n2\n", False).trouble is None
    assert target.read_bytes() == b"1\r\n2\r\nthree\r\n"


@pytest.mark.parametrize(
    ("before", "old", "new", "after"),
    [
        ("A shopp.", "A shopp", "A shop", "A shop."),
        ("A shop.", "A shopp", "A shop", "A shop."),
        ("sum", "sum", "sum()", "sum()"),
        ("sum()", "sum", "sum()", "sum()"),
    ],
    ids=["a letter less", "a letter less, again", "more around it", "more around it, again"],
)
def test_an_edit_whose_new_text_overlaps_the_old_is_made_once(
    tmp_path: Path, before: str, old: str, new: str, after: str
) -> None:
    (tmp_path / "a.md").write_text(before, encoding="utf-8")
    assert edit(tmp_path / "a.md", old, new, False).trouble is None
    assert (tmp_path / "a.md").read_text(encoding="utf-8") == after


def test_an_edit_of_two_places_needs_to_be_told_so(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_bytes(b"x x")
    assert "2 matches" in str(edit(target, "x", "y", False).trouble)
    assert edit(target, "x", "y", True).trouble is None
    assert target.read_bytes() == b"y y"


def test_a_file_is_written_with_its_folders_and_only_once(tmp_path: Path) -> None:
    target = tmp_path / "new" / "a.txt"
    assert write(target, "für\n").text is None
    assert "already holds" in str(write(target, "für\n").text)
    assert target.read_bytes() == "für\n".encode()


def test_an_edit_of_a_missing_file_is_trouble(tmp_path: Path) -> None:
    assert "cannot be read" in str(edit(tmp_path / "none.txt", "a", "b", False).trouble)


def test_every_recorded_call_is_answered_and_no_machine_shows_through() -> None:
    entries = orjson.loads((RECORDINGS / "manifest.json").read_bytes())["recordings"]
    assert {e["file"] for e in entries} == {p.name for p in RECORDINGS.glob("*.ndjson")}
    for entry in entries:
        text = (RECORDINGS / entry["file"]).read_text(encoding="utf-8")
        asked = set(re.findall(r'"type":"tool_use","id":"([^"]+)"', text))
        assert asked
        assert asked == set(re.findall(r'"tool_use_id":"([^"]+)"', text))
        assert not re.search(r"/(root|home|tmp|Users|usr|var|private)/|[A-Z]:\\\\", text)
        assert orjson.loads(text.splitlines()[-1])["subtype"] == "success"
