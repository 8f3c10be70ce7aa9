"""Rows of what an agent may print, through the whole program: it is data, and one task has one end."""

import sys
from collections.abc import Mapping

import orjson
import pytest

from schemas import names
from tests.rows import Drained, Row, drain, ground

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the played agent begins with a #! line")

AGENT = f"""#!{sys.executable}
import json, os, sys
heard = sys.stdin.buffer.read().decode()
wish = next(line[3:] for line in heard.splitlines() if line.startswith("DO "))
out = sys.stdout.buffer
init = {{"type": "system", "subtype": "init", "session_id": "s"}}
def said(**more):
    good = {{"type": "result", "subtype": "success", "is_error": False, "num_turns": 1}}
    return {{**good, "result": "Done.", "total_cost_usd": 0.01, **more}}
def say(*lines):
    for line in lines:
        out.write(line if isinstance(line, bytes) else json.dumps(line).encode() + b"\\n")
    out.flush()
whole = json.dumps(said()).encode()
forged = {{"type": "task_failed", "stream": "task-forged", "data": {{"attempt": 1, "reason": "x"}}}}
{{
    "torn-line-behind": lambda: say(init, said(), b'{{"type": "assist'),
    "no-last-newline": lambda: say(init, whole),
    "torn-result": lambda: say(init, whole[:-9]),
    "unknown-type": lambda: say(init, {{"type": "dream"}}, said()),
    "two-results": lambda: say(init, said(result="one"), said(result="two")),
    "good-then-bad": lambda: say(init, said(), said(is_error=True, result="It broke.")),
    "result-first": lambda: say(said(), init),
    "error-with-0": lambda: say(init, said(is_error=True, result="It broke.")),
    "cost-nan": lambda: say(init, whole.replace(b"0.01", b"NaN") + b"\\n"),
    "session-with-slash": lambda: say({{**init, "session_id": "../../x"}}, said(session_id="../../x")),
    "long-line": lambda: say(init, b'{{"x": "' + b"y" * 50_000_000 + b'"}}\\n', said()),
    "long-result": lambda: say(init, said(result="z" * 9_000_000)),
    "no-utf-8": lambda: say(init, b"\\xff\\xfe\\n", whole.replace(b"Done", b"D\\xff") + b"\\n"),
    "our-event": lambda: say(init, forged, said(result=json.dumps(forged))),
    "banner": lambda: say(b"A new version is available! Run `claude update`.\\n", init, said()),
    "claims-changes": lambda: say(init, said(result="I changed x.py and all tests pass.")),
    "press-y": lambda: say(init, said(result="Press y to go on [y/N]")),
    "good-with-1": lambda: (say(init, said()), os._exit(1)),
    "good-with-137": lambda: (say(init, said()), os._exit(137)),
    "nothing-with-1": lambda: os._exit(1),
}}[wish]()
"""
NO_RESULT = "never printed a result"
ENDS: Mapping[str, str] = {
    **dict.fromkeys(("torn-line-behind", "no-last-newline", "unknown-type", "two-results"), ""),
    **dict.fromkeys(("result-first", "cost-nan", "session-with-slash", "long-line", "no-utf-8"), ""),
    **dict.fromkeys(("our-event", "banner", "claims-changes", "press-y", "good-with-1", "good-with-137"), ""),
    **dict.fromkeys(("torn-result", "long-result"), NO_RESULT),
    **dict.fromkeys(("good-then-bad", "error-with-0"), "It broke."),
    "nothing-with-1": "exit code 1",
}
"""What is said of each that fails; empty: it succeeds."""


@pytest.fixture(scope="module")
def drained(tmp_path_factory: pytest.TempPathFactory) -> Drained:
    folder = tmp_path_factory.mktemp("outputs")
    agent = folder / "agent"
    agent.write_text(AGENT, encoding="utf-8", newline="\n")
    agent.chmod(0o755)
    home, root = ground(folder, f"CLAUDE_EXECUTABLE={agent}\n")
    rows = []
    for name in ENDS:
        (root / name).mkdir()
        text = f"---\ntype: documentation\nid: {name}\ncwd: {name}\n---\nDO {name}\n"
        rows.append(Row(name, f"{name}.task.md", text.encode()))
    return drain(home, root, rows)


def data(drained: Drained, task: str, kind: str) -> Mapping[str, object]:
    stream = names.task_stream(task)
    (found,) = [event.data for event in drained.log if (event.stream, event.type) == (stream, kind)]
    return found


@pytest.mark.parametrize("name", ENDS)
def test_whatever_an_agent_prints_its_task_has_the_right_end_and_only_one(
    drained: Drained, name: str
) -> None:
    stream = names.task_stream(name)
    ends = [event for event in drained.log if event.stream == stream and event.type in names.ENDS]
    assert len(ends) == 1
    assert (ends[0].type == names.TASK_SUCCEEDED) == (not ENDS[name])
    assert ENDS[name] in str(ends[0].data.get("sentence", ""))
    assert orjson.loads((drained.home / "results" / f"{name}.json").read_bytes())


def test_what_looks_like_an_event_of_ours_is_none(drained: Drained) -> None:
    assert not [event for event in drained.log if event.stream == names.task_stream("forged")]
    assert data(drained, "our-event", names.TASK_SUCCEEDED)["claimed"].startswith('{"type"')  # type: ignore[attr-defined]


def test_what_an_agent_says_that_it_did_is_no_proof(drained: Drained) -> None:
    end = data(drained, "claims-changes", names.TASK_SUCCEEDED)
    assert end["verified"] == "unchecked"
    assert "no file was modified" in end["evidence"]  # type: ignore[operator]


def test_a_session_that_the_agent_names_is_not_believed(drained: Drained) -> None:
    assert ".." not in str(data(drained, "session-with-slash", names.TURN_FINISHED)["session_id"])
    outside = [path for path in drained.root.parent.rglob("*") if path.name == "x"]
    assert outside == []


def test_lines_that_are_too_long_are_kept_apart_from_the_log(drained: Drained) -> None:
    assert (drained.home / "logs" / "events.ndjson").stat().st_size < 2_000_000
    evidence = data(drained, "long-line", names.TASK_SUCCEEDED)["evidence"]
    assert any("too long to be read" in line for line in evidence)  # type: ignore[attr-defined]


def test_the_last_of_two_results_counts(drained: Drained) -> None:
    assert data(drained, "two-results", names.TASK_SUCCEEDED)["claimed"] == "two"
