"""An agent whose time is over has not done its task, whatever it still says while it is being ended."""

from pathlib import Path

from handlers.outcome import judge
from handlers.stream import StreamState, hear, report
from tests.test_claude_agent import RESULT, Stage, plays


@plays
def test_a_result_that_comes_after_the_time_limit_is_no_success(tmp_path: Path) -> None:
    stage = Stage(
        tmp_path,
        # Its commands die with it, and it sums up what they left: seen with the CLI 2.1.197.
        f"last = json.dumps({RESULT!r}).encode() + b'\\n'\n"
        "def leave(*_): os.write(1, last); os._exit(0)\n"
        "signal.signal(signal.SIGTERM, leave); say(type='ready'); time.sleep(600)",
        grace_s=20.0,
    )
    end = stage.play(timeout_s=30.0)
    assert (end.ended, end.exit_code, end.note) == ("timeout", 0, None)
    assert stage.heard == [{"type": "ready"}, RESULT]
    state = StreamState()
    for line in stage.heard:
        state, _ = hear(state, line)
    verdict = judge(report(state, end), [])
    assert (verdict.kind, verdict.error_class, verdict.reason) == ("failed", "timeout", "timeout")


@plays
def test_a_result_that_came_in_time_counts_though_its_agent_does_not_go(tmp_path: Path) -> None:
    stage = Stage(tmp_path, "result(); say(type='ready'); time.sleep(600)")
    end = stage.play(timeout_s=60.0)
    assert (end.ended, end.note) == ("exited", "it did not go after its result, and was ended")
