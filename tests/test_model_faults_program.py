"""A wish through the real program while Ollama misbehaves: the task succeeds, and it is told who decided."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
import pytest
import trio

from schemas import names
from tests.broken_ollama import LINES, BrokenOllama, Line, Play, broken, hangs, last, part, sends, whole
from tests.service import PATIENCE_S, events, evt, folder, home_at, running

pytestmark = pytest.mark.timeout(400)

WISH = "fix the login bug in ./shop\nRECORDED-EDIT: price.txt: one => two"
LONG_S = "300"


@contextmanager
def beside(play: Play) -> Iterator[BrokenOllama]:
    """The server in a thread of its own, for programs that run beside this one."""
    found: list[BrokenOllama] = []
    ready, over = threading.Event(), trio.Event()
    tokens: list[trio.lowlevel.TrioToken] = []

    async def serve() -> None:
        async with broken(play) as server:
            found.append(server)
            tokens.append(trio.lowlevel.current_trio_token())
            ready.set()
            await over.wait()

    thread = threading.Thread(target=trio.run, args=(serve,), daemon=True)
    thread.start()
    assert ready.wait(PATIENCE_S)
    try:
        yield found[0]
    finally:
        tokens[0].run_sync_soon(over.set)
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


def done(home: Path, url: str, **more: str) -> tuple[list[dict[str, object]], str]:
    """A wish carried out; its `mediation_finished`, and what `evt show` says."""
    folder(home)
    settings = {
        "CLAUDE_BASE_CWD": str(home / "shops"),
        "OLLAMA_HOST": url,
        "LLAMA_MODEL": "tiny:latest",
        "LLAMA_SILENCE_SEC": LONG_S,
        "LLAMA_TIMEOUT_SEC": LONG_S,
        **more,
    }
    added = evt(home, "add", WISH, "--json", **settings)
    assert added.returncode == 0, added.stderr
    with running(home, "--drain", **settings) as service:
        assert service.wait(PATIENCE_S) == 0, (home / "service.txt").read_text(encoding="utf-8")
    log = events(home)
    (received,) = (event.data for event in log if event.type == names.TASK_RECEIVED)
    (queued,) = (event.data for event in log if event.type == names.TASK_QUEUED)
    assert [event.type for event in log if event.type in names.ENDS] == [names.TASK_SUCCEEDED]
    assert queued["task_type"] == "bug_fix"
    assert queued["cwd"] == str((home / "shops" / "shop").resolve())
    shown = evt(home, "show", received["task_id"], **settings)
    assert shown.returncode == 0, shown.stderr
    return [dict(event.data) for event in log if event.type == names.MEDIATION_FINISHED], shown.stdout


@pytest.mark.parametrize(
    ("play", "more", "problem", "sentence"),
    [
        pytest.param(
            whole("404 Not Found", '{"error": "model \\"tiny:latest\\" not found"}'),
            {},
            "model_missing",
            "Fetch it with `ollama pull tiny:latest`.",
            id="no-such-model",
        ),
        pytest.param(
            sends(LINES, part('{"type": "bug')), {}, "cut_off", "in the middle", id="cut-in-the-middle"
        ),
        pytest.param(
            hangs(LINES), {"LLAMA_SILENCE_SEC": "1"}, "silent", "it said nothing for 1 s", id="silent"
        ),
    ],
)
def test_a_model_that_fails_is_told_and_the_rules_stand_in(
    play: Play, more: dict[str, str], problem: str, sentence: str, tmp_path: Path
) -> None:
    with beside(play) as server:
        told, shown = done(home_at(tmp_path / "home"), server.url, **more)
        assert server.lines
    assert [one["purpose"] for one in told] == ["parse", "shape", "summary"]
    assert (told[0]["by"], told[0]["fallback"]) == ("rules", problem)
    assert {one["fallback"] for one in told} <= {problem, "resting"}
    assert all(one["by"] == "rules" and one["sentence"] for one in told)
    assert "type: bug_fix (by a word of the text)" in shown
    assert f"to understand the wish: by rules, {problem}: " in shown
    assert sentence in " ".join(shown.split())


def test_a_model_that_talks_instead_of_answering_is_asked_again_and_never_believed(tmp_path: Path) -> None:
    chat = sends(LINES, part("Sure! As a helpful assistant I would read "), part("every file."), last())
    with beside(chat) as server:
        told, _ = done(home_at(tmp_path / "home"), server.url)
        asked = [line.body["messages"][1]["content"] for line in server.lines]
        kept = [orjson.dumps(event.data) for event in events(tmp_path / "home")]
    assert [(one["purpose"], one["by"], one["fallback"]) for one in told] == [
        (purpose, "rules", "not_json") for purpose in ("parse", "shape", "summary")
    ]
    assert WISH in asked[0]
    assert not any(b"helpful assistant" in data for data in kept)


def test_what_a_model_says_well_is_taken_and_named(tmp_path: Path) -> None:
    answers = {
        "alternatives": {
            "type": "bug_fix",
            "title": "Mend the login",
            "target_files": [],
            "cwd": "./shop",
            "ambiguous": False,
            "alternatives": [],
        },
        "steps": {"goal": "Fix the login bug in ./shop.", "steps": [], "done_when": []},
        "summary": {"summary": "The login works again."},
    }

    async def play(line: Line) -> None:
        fields = line.body["format"]["properties"]
        (said,) = (answer for name, answer in answers.items() if name in fields)
        await sends(LINES, part(orjson.dumps(said).decode()), last())(line)

    with beside(play) as server:
        told, shown = done(home_at(tmp_path / "home"), server.url)
    assert [(one["purpose"], one["by"]) for one in told] == [
        (purpose, "model") for purpose in ("parse", "shape", "summary")
    ]
    assert "title: Mend the login (by the local model)" in shown
    assert "type: bug_fix (by a word of the text)" in shown
    assert "to understand the wish: tiny:latest in " in shown
