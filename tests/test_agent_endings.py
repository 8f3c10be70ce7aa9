"""How an agent's process can go, from its bytes and its exit to the verdict; no word of it is believed."""

import json
import tracemalloc
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import trio

from handlers.outcome import Verdict, judge
from handlers.stream import StreamState, hear, report
from schemas.turn import TurnReport
from tests.test_claude_agent import RESULT, Stage, plays

INIT = {"type": "system", "subtype": "init", "claude_code_version": "2.1.330", "model": "m"}


def told(stage: Stage, **changed: Any) -> tuple[TurnReport, Verdict]:
    end = stage.play(**changed)
    state = StreamState()
    for line in stage.heard:
        state, _ = hear(state, line)
    said = report(state, end, stage.order().session_id)
    return said, judge(said, [])


@plays
@pytest.mark.parametrize(
    ("script", "exit_code", "reason"),
    [
        ("", 0, "no_result"),
        ("say(type='assistant')", 0, "no_result"),
        ("sys.exit(143)", 143, "terminated"),
        ("os.kill(os.getpid(), signal.SIGTERM); time.sleep(60)", -15, "terminated"),
        ("sys.exit(137)", 137, "oom_or_killed"),
        ("os.kill(os.getpid(), signal.SIGKILL); time.sleep(60)", -9, "oom_or_killed"),
        ("say(type='assistant', well='formed'); sys.exit(1)", 1, "cli_error"),
        ("sys.stdout.write(json.dumps({'type': 'result', 'subtype': 'success'})[:-9])", 0, "no_result"),
        ("print('A newer version is there. Upgrade now!'); sys.exit(1)", 1, "cli_error"),
    ],
)
def test_without_a_result_the_exit_says_what_happened(
    tmp_path: Path, script: str, exit_code: int, reason: str
) -> None:
    said, verdict = told(Stage(tmp_path, script))
    assert (said.ended, said.exit_code, said.has_result) == ("exited", exit_code, False)
    assert (verdict.kind, verdict.reason) == ("failed", reason)


@plays
@pytest.mark.parametrize("exit_code", [1, 137, 143])
def test_a_whole_result_weighs_more_than_the_exit_code(tmp_path: Path, exit_code: int) -> None:
    said, verdict = told(Stage(tmp_path, f"result(); sys.exit({exit_code})"))
    assert (said.exit_code, said.has_result, verdict.kind) == (exit_code, True, "succeeded")


@plays
def test_an_error_is_one_though_the_exit_code_says_all_is_well(tmp_path: Path) -> None:
    error = {**RESULT, "is_error": True, "result": "It broke."}
    said, verdict = told(Stage(tmp_path, f"say(**{error!r})"))
    assert (said.exit_code, said.is_error, verdict.kind) == (0, True, "failed")


@plays
def test_a_result_before_the_beginning_is_a_result_still(tmp_path: Path) -> None:
    said, verdict = told(Stage(tmp_path, f"result('early'); say(**{INIT!r})"))
    assert (said.result_text, said.agent_version, verdict.kind) == ("early", "2.1.330", "succeeded")


@plays
def test_of_two_results_the_last_one_holds(tmp_path: Path) -> None:
    error = {**RESULT, "is_error": True, "subtype": "error_during_execution", "errors": ["late"]}
    said, verdict = told(Stage(tmp_path, f"result(); say(**{error!r})"))
    assert (said.errors, verdict.kind) == (("late",), "failed")


@plays
def test_words_that_look_like_our_own_events_are_only_words(tmp_path: Path) -> None:
    ours = {
        "type": "task_succeeded",
        "stream": "task-7f3a",
        "position": 7,
        "global_position": 12,
        "data": {"attempt": 1, "claimed": "all done"},
    }
    text = {"type": "assistant", "message": {"content": [{"type": "text", "text": str(ours)}]}}
    said, verdict = told(Stage(tmp_path, f"say(**{ours!r}); say(**{text!r})"))
    assert (said.unknown_lines, said.note) == (1, "line of unknown type 'task_succeeded'")
    assert (verdict.kind, verdict.reason) == ("failed", "no_result")


@plays
def test_a_cost_that_is_no_number_and_a_foreign_session_are_noted_and_borne(tmp_path: Path) -> None:
    line = '{"type": "result", "subtype": "success", "is_error": false, "num_turns": 1, "result": "Done.", '
    line += '"total_cost_usd": NaN, "session_id": "../../x"}'
    said, verdict = told(Stage(tmp_path, f"print({line!r})"))
    assert (said.cost_usd, verdict.kind) == (0.0, "succeeded")
    assert said.note == (
        "total_cost_usd is no amount and was taken as 0; the result names another session than ours"
    )


@plays
def test_a_hundred_megabytes_of_output_stream_by_in_bounded_memory(tmp_path: Path) -> None:
    stage = Stage(
        tmp_path,
        "line = json.dumps({'type': 'user', 'message': {'content': 'x' * 1_000_000}}) + '\\n'\n"
        "for _ in range(100): sys.stdout.write(line)\nresult()",
    )
    stage.blobs.keep = False
    counted = 0

    async def heard(line: Mapping[str, Any]) -> None:
        nonlocal counted
        counted += 1

    tracemalloc.start()
    try:
        end = trio.run(stage.agent.run, stage.order(), stage.started, heard, clock=stage.clock)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (end.ended, end.exit_code, end.unparsed_lines, counted) == ("exited", 0, 0, 101)
    assert stage.blobs.size == end.stdout.size > 100_000_000
    assert peak < 32_000_000


@plays
def test_a_line_of_fifty_megabytes_streams_by_in_bounded_memory(tmp_path: Path) -> None:
    stage = Stage(
        tmp_path,
        "for _ in range(50): sys.stdout.write('x' * 1_000_000)\nprint(); result()",
    )
    stage.blobs.keep = False
    tracemalloc.start()
    try:
        end = stage.play()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert stage.heard == [RESULT]
    assert stage.blobs.size == end.stdout.size == 50_000_001 + len(json.dumps(RESULT)) + 1
    assert (end.unparsed_lines, end.note) == (1, "1 of its lines were too long to be read: see the blob")
    assert peak < 32_000_000
