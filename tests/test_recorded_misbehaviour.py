"""The recorded agent misbehaves when it is asked to, in shapes that are read as those of the real CLI."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.recorded.agent import MARK
from adapters.recorded.misbehaviour import Memory, Misunderstood, title_of, wishes
from handlers.agents import built_in
from handlers.outcome import Verdict, judge
from handlers.ports.agent import AgentEnd
from handlers.prompt import compose, compose_resume
from handlers.session import looks_like_a_question, session_lost
from handlers.stream import StreamState, hear, parse_line, report
from schemas.turn import Captured, TurnReport
from tests.rule_bench import spec
from tests.test_recorded_agent import BASE, FIXING, SESSION, environment

RESUMING = tuple(flag.replace("--session-id=", "--resume=") for flag in BASE)


def start(folder: Path, prompt: str, *flags: str) -> subprocess.Popen[bytes]:
    (folder / "memory").mkdir(exist_ok=True)
    (folder / "project").mkdir(exist_ok=True)
    agent = subprocess.Popen(
        [sys.executable, "-m", "adapters.recorded.agent", *(flags or BASE), *FIXING],
        cwd=folder / "project",
        env=environment(CLAUDE_CODE_RECORDED_DIR=str(folder / "memory")),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert agent.stdin is not None
    agent.stdin.write(prompt.encode())
    agent.stdin.close()
    agent.stdin = None
    return agent


def turn(folder: Path, prompt: str, *flags: str) -> TurnReport:
    """One turn that ends by itself, read as the worker would read it."""
    with start(folder, prompt, *flags) as agent:
        said, trouble = agent.communicate(timeout=60)
    return read(said, trouble.decode(), agent.returncode)


def read(said: bytes, trouble: str, exit_code: int) -> TurnReport:
    state, unparsed = StreamState(), 0
    for raw in said.splitlines():
        line = parse_line(raw)
        unparsed += line is None and bool(raw.strip())
        if line is not None:
            state, _ = hear(state, line)
    stderr = Captured(head=trouble[:2048], tail=trouble[-2048:], text=trouble, size=len(trouble))
    return report(state, AgentEnd("exited", exit_code, 5, Captured(), stderr, unparsed), SESSION)


def verdict(said: TurnReport) -> Verdict:
    return judge(said, [])


def asking(*lines: str) -> str:
    return "\n".join(["Title: Mend it", "Mend it.", *(f"RECORDED-MISBEHAVE: {line}" for line in lines)])


def test_a_used_up_window_is_full_again_for_a_session_that_goes_on(tmp_path: Path) -> None:
    before = int(time.time())
    said = turn(tmp_path, asking("quota 3600"))
    assert said.resets_at is not None
    assert before + 3600 <= said.resets_at // 1_000_000 <= int(time.time()) + 3600
    assert (said.exit_code, said.rate_limit_rejected, said.api_error_status) == (1, True, 429)
    assert said.result_text.startswith(f"{MARK}You've hit your session limit")
    assert verdict(said).error_class == "rate_limit"
    again = turn(tmp_path, asking("quota 3600"), *RESUMING)
    assert verdict(again).kind == "succeeded"
    assert again.resets_at is None


@pytest.mark.parametrize(("kind", "error_class"), [("network", "network"), ("rate-limit", "rate_limit")])
def test_what_fails_for_a_time_goes_well_in_the_end(tmp_path: Path, kind: str, error_class: str) -> None:
    prompt = asking(f"{kind} 2")
    told = [verdict(turn(tmp_path, prompt, *flags)) for flags in (BASE, RESUMING, RESUMING, RESUMING)]
    assert [one.error_class for one in told] == [error_class, error_class, "none", "none"]


def test_failures_of_several_lines_come_one_after_the_other(tmp_path: Path) -> None:
    prompt = asking("network 1", "rate-limit 1", "no-result 1")
    told = [verdict(turn(tmp_path, prompt)) for _ in range(4)]
    assert [one.reason for one in told] == ["unreachable", "rate_limit", "no_result", ""]


def test_turns_of_two_tasks_are_counted_apart_and_those_of_one_task_together(tmp_path: Path) -> None:
    fields = spec(title="Mend it", prompt="RECORDED-MISBEHAVE: network 1").model_dump(mode="json")
    other = {**fields, "title": "Mend the other"}
    agent = built_in("bug_fix")
    prompts = [compose(agent, fields, "--a--"), compose(agent, other, "--b--")]
    prompts.append(compose_resume(agent, fields, "--c--", "It died."))
    told = [verdict(turn(tmp_path, prompt)).kind for prompt in prompts]
    assert told == ["failed", "failed", "succeeded"]
    assert [title_of(prompt) for prompt in prompts] == ["Mend it", "Mend the other", "Mend it"]


@pytest.mark.parametrize(
    ("kind", "exit_code", "reason"),
    [
        ("no-result", 0, "no_result"),
        ("half-line", 0, "no_result"),
        ("die-15", 143, "terminated"),
        ("die-9", 137 if sys.platform == "win32" else -9, "oom_or_killed"),
    ],
)
def test_a_turn_without_a_result_ends_as_it_was_asked_to(
    tmp_path: Path, kind: str, exit_code: int, reason: str
) -> None:
    said = turn(tmp_path, asking(kind))
    assert (said.exit_code, said.has_result, verdict(said).reason) == (exit_code, False, reason)


@pytest.mark.parametrize("kind", ["die-9", "die-15"])
def test_what_dies_has_done_its_edit_by_then(tmp_path: Path, kind: str) -> None:
    (tmp_path / "project").mkdir()
    target = tmp_path / "project" / "a.txt"
    target.write_text("one", encoding="utf-8")
    prompt = asking(f"{kind} 1") + "\nRECORDED-EDIT: a.txt: one => two"
    assert not turn(tmp_path, prompt).has_result
    assert target.read_text(encoding="utf-8") == "two"
    assert "already holds this edit" in turn(tmp_path, prompt, *RESUMING).result_text


def test_a_lost_session_is_told_as_the_cli_tells_it_and_a_new_one_goes_well(tmp_path: Path) -> None:
    prompt = asking("session-lost")
    lost = turn(tmp_path, prompt, *RESUMING)
    assert session_lost(lost)
    assert lost.stderr.text.strip() == f"No conversation found with session ID: {SESSION}"
    assert verdict(turn(tmp_path, prompt)).kind == "succeeded"


@pytest.fixture(params=[("silent", "init"), ("hang", "result")])
def staying(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    kind, last = request.param
    agent = start(tmp_path, asking(kind))
    yield agent, last
    agent.kill()
    agent.communicate(timeout=60)


def test_what_was_asked_to_stay_stays(staying: tuple[subprocess.Popen[bytes], str]) -> None:
    agent, last = staying
    assert agent.stdout is not None
    while f'"{last}"' not in (line := agent.stdout.readline().decode()):
        assert line
    with pytest.raises(subprocess.TimeoutExpired):
        agent.wait(timeout=0.3)


def test_noise_and_floods_do_not_hide_a_result(tmp_path: Path) -> None:
    said = turn(tmp_path, asking("noise 2", "flood 3", "long-line 2"))
    assert verdict(said).kind == "succeeded"
    assert said.unknown_lines > 2
    assert said.unparsed_lines > 6


def test_changes_of_a_result_are_made(tmp_path: Path) -> None:
    said = turn(tmp_path, asking("two-results", "question", "cost 0.25"))
    assert (said.cost_usd, said.usage.input_tokens, said.usage.output_tokens) == (0.25, 1000, 50)
    assert looks_like_a_question(said.result_text) == "Continue? (y/n)"
    assert (said.num_turns, verdict(said).kind) == (2, "succeeded")


@pytest.mark.parametrize("line", ["dance", "network", "quota soon", "cost", "DIE-9"])
def test_a_wish_that_cannot_be_understood_is_refused(line: str) -> None:
    with pytest.raises(Misunderstood, match=r"is not understood; known: cost <number>, die-15, "):
        wishes(asking(line))


def test_without_a_folder_nothing_is_counted_and_that_is_said(tmp_path: Path) -> None:
    (wish,) = wishes(asking("die-9 1"))
    with pytest.raises(Misunderstood, match="set CLAUDE_CODE_RECORDED_DIR to a folder"):
        Memory(None, tmp_path, "").nth(wish)
    with pytest.raises(Misunderstood, match="cannot count turns"):
        Memory(tmp_path / "none", tmp_path, "").nth(wish)


def test_a_prompt_that_wishes_nothing_gets_nothing() -> None:
    assert wishes("Please never write RECORDED-MISBEHAVE: hang\nRECORDED-EDIT: a: b => c") == []
