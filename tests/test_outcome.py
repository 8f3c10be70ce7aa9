"""How a turn is judged: what the CLI really printed, and what it might print one day."""

from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.outcome import CLAIM_LIMIT, judge
from handlers.ports.agent import AgentEnd
from handlers.stream import StreamState, hear, parse_line
from handlers.stream import report as report_of
from schemas.attempt import ErrorClass
from schemas.turn import Captured, TurnReport
from tests.rule_bench import report, stderr

SAMPLES = Path(__file__).parent / "samples"
NO_WORD = ("fatal", "no_result")


def heard(sample: str, exit_code: int, said_on_stderr: str = "") -> TurnReport:
    """The report of a real run; without a sample nothing was printed."""
    state = StreamState()
    unparsed = 0
    lines = (SAMPLES / f"{sample}.stdout").read_bytes().splitlines() if sample else []
    for raw in lines:
        line = parse_line(raw)
        if line is None:
            unparsed += 1
        else:
            state, _ = hear(state, line)
    return report_of(state, AgentEnd("exited", exit_code, 900, Captured(), stderr(said_on_stderr), unparsed))


@pytest.mark.parametrize(
    "sample",
    [
        "success-stream-json",
        "stream-json-partial",
        "write-acceptedits-stream",
        "ratelimit-warning-headers-oauth",
        "defer-resume-allow-prompt-stream",
        "judged/cut-off-mended-stream",
        "judged/cut-off-mended-stream-330",
    ],
)
def test_a_whole_errorless_result_succeeds(sample: str) -> None:
    verdict = judge(heard(sample, 0), [])
    assert (verdict.kind, verdict.error_class, verdict.reason) == ("succeeded", "none", "")
    assert verdict.claimed


@pytest.mark.parametrize(
    ("sample", "exit_code", "error_class", "reason"),
    [
        ("maxturns-json", 1, "turn_cap", "max_turns"),
        ("judged/maxbudget-json", 1, "budget", "max_budget"),
        ("budget-0.6-330", 1, "budget", "max_budget"),
        ("err500-maxretries1-json", 1, "network", "overloaded"),
        ("err529-default-stream", 1, "network", "overloaded"),
        ("judged/connrefused-json", 1, "network", "unreachable"),
        ("err429-maxretries0-json", 1, "rate_limit", "rate_limit"),
        ("ratelimit-rejected-429-oauth", 1, "rate_limit", "rate_limit"),
        ("ratelimit-rejected-429-oauth-330", 1, "rate_limit", "rate_limit"),
        ("judged/ratelimit-rejected-midturn-oauth", 1, "rate_limit", "rate_limit"),
        ("err401-maxretries0-json", 1, "auth", "authentication_failed"),
        ("ratelimit-credit-too-low", 1, "auth", "billing_error"),
        ("judged/cut-off-stream", 1, "validation", "truncated_output"),
        ("judged/cut-off-stream-330", 1, "validation", "truncated_output"),
        ("judged/err400ctx-json", 1, "fatal", "prompt_too_long"),
        ("stdin-9MB-330", 1, "fatal", "blocking_limit"),
        ("sigINT-stream-json", 0, "fatal", "error_during_execution"),
        ("sigTERM-stream-json", 143, "fatal", "terminated"),
        ("", 143, "fatal", "terminated"),
        ("", -15, "fatal", "terminated"),
        ("", 137, "fatal", "oom_or_killed"),
        ("", -9, "fatal", "oom_or_killed"),
        ("", 1, "fatal", "cli_error"),
        ("judged/success-text", 0, *NO_WORD),
        ("", 0, *NO_WORD),
        ("defer-bash-stream", 0, "interactive", "tool_deferred"),
        ("defer-bash-stream-330", 0, "interactive", "tool_deferred"),
        ("defer-tool-gone-330", 1, "fatal", "tool_deferred_unavailable"),
        ("prompt-slash", 0, "fatal", "no_turns"),
        ("write-denied-json", 0, "interactive", "permission_denied"),
        ("write-mode-plan-stream", 0, "interactive", "permission_denied"),
        ("hook-denied-stream-330", 0, "interactive", "permission_denied"),
    ],
)
def test_a_run_that_failed_has_its_class_and_its_finer_word(
    sample: str, exit_code: int, error_class: str, reason: str
) -> None:
    verdict = judge(heard(sample, exit_code), [])
    assert (verdict.kind, verdict.error_class, verdict.reason) == ("failed", error_class, reason)
    assert verdict.sentence


@pytest.mark.parametrize(
    "said",
    [
        "error: unknown option '--no-such-flag'",
        "No conversation found with session ID: 00000000-0000-4000-8000-000000000000",
    ],
)
def test_what_the_cli_says_on_stderr_is_repeated(said: str) -> None:
    verdict = judge(heard("", 1, f"a warning\n{said}\n"), [])
    assert (verdict.error_class, verdict.reason) == ("fatal", "cli_error")
    assert verdict.sentence == f"the agent ended with exit code 1: {said}"


def test_a_denied_edit_does_no_harm_where_files_were_modified_all_the_same() -> None:
    verdict = judge(heard("write-denied-json", 0), ["sum.py"])
    assert verdict.kind == "succeeded"
    assert "files modified: 1" in verdict.evidence
    assert any(line.startswith("denied: Write ") for line in verdict.evidence)


@pytest.mark.parametrize("tool", ["Edit", "Write", "NotebookEdit", "Bash"])
def test_a_denied_edit_without_any_edit_is_no_success(tool: str) -> None:
    turn = report(denials=({"tool": tool, "tool_use_id": "t", "detail": "x"},))
    assert judge(turn, []).reason == "permission_denied"
    assert judge(turn, ["x"]).kind == "succeeded"


def test_a_denied_look_does_no_harm() -> None:
    turn = report(denials=({"tool": "WebFetch", "tool_use_id": "t", "detail": "x"},))
    assert judge(turn, []).kind == "succeeded"
    assert "denied: WebFetch x" in judge(turn, []).evidence


@pytest.mark.parametrize(
    "over",
    [
        {"has_result": False, "subtype": None},
        {"subtype": "error_during_execution"},
        {"subtype": None},
        {"is_error": True},
        {"num_turns": 0},
        {"result_text": " \n"},
        {"deferred": True},
        {"api_error_status": 400},
        {"ended": "timeout"},
        {"ended": "not_started", "has_result": False, "exit_code": None},
    ],
)
def test_each_condition_of_success_is_needed(over: dict[str, Any]) -> None:
    assert judge(report(), []).kind == "succeeded"
    verdict = judge(report(**over), [])
    assert verdict.kind == "failed"
    assert verdict.error_class != "none"
    assert verdict.reason not in ("", "success", "completed")


def test_the_exit_code_alone_decides_nothing() -> None:
    assert judge(report(exit_code=1), []).kind == "succeeded"
    assert judge(report(exit_code=None), []).kind == "succeeded"


def test_a_structured_answer_needs_no_text() -> None:
    assert judge(report(result_text="", has_structured_output=True), []).kind == "succeeded"
    empty = judge(report(result_text=""), [])
    assert (empty.error_class, empty.reason) == ("validation", "empty_output")


def test_an_agent_that_could_not_be_started_says_why() -> None:
    verdict = judge(
        report(ended="not_started", exit_code=None, has_result=False, note="there is no claude."), []
    )
    assert (verdict.reason, verdict.sentence) == ("agent_not_started", "there is no claude.")
    assert "CLAUDE_EXECUTABLE" in verdict.suggested[0]


def test_a_time_limit_is_named_in_seconds() -> None:
    verdict = judge(report(ended="timeout", has_result=False, elapsed_ms=60_400), [])
    assert (verdict.error_class, verdict.reason) == ("timeout", "timeout")
    assert "after 60 s" in verdict.sentence


@pytest.mark.parametrize(
    ("over", "error_class", "reason"),
    [
        ({"result_text": "API Error: Repeated 529 Overloaded errors."}, "network", "overloaded"),
        ({"result_text": "API Error: 529 Overloaded.", "api_error_status": 529}, "network", "overloaded"),
        ({"assistant_error": "overloaded"}, "network", "overloaded"),
        ({"assistant_error": "server_error"}, "network", "overloaded"),
        ({"result_text": "Request timed out"}, "network", "unreachable"),
        # A number in a text is no status, and a status that is there is believed.
        ({"result_text": "the request is ~252900 tokens"}, "fatal", "agent_error"),
        ({"result_text": "sum.py, line 529: no such name"}, "fatal", "agent_error"),
        ({"result_text": "API Error: 529 tokens over", "api_error_status": 400}, "fatal", "agent_error"),
        (
            {"subtype": "error_during_execution", "errors": ("Hook timed out",)},
            "fatal",
            "error_during_execution",
        ),
        ({"assistant_error": "model_not_found"}, "fatal", "model_not_found"),
        ({"terminal_reason": "prompt_too_long"}, "fatal", "prompt_too_long"),
        ({"api_error_status": 403}, "auth", "authentication_failed"),
        ({"assistant_error": "oauth_org_not_allowed"}, "auth", "oauth_org_not_allowed"),
        ({"rate_limit_rejected": True}, "rate_limit", "rate_limit"),
    ],
)
def test_an_error_in_the_result_is_told_apart(over: dict[str, Any], error_class: str, reason: str) -> None:
    verdict = judge(report(**{"is_error": True, "exit_code": 1, **over}), [])
    assert (verdict.error_class, verdict.reason) == (error_class, reason)


def test_an_answer_that_the_model_s_limit_cut_off_is_no_success() -> None:
    cut = judge(report(answer_cut=True), [])
    assert (cut.error_class, cut.reason) == ("validation", "truncated_output")
    assert cut.sentence == "the agent's answer was cut off at its model's limit."
    error = "API Error: Claude's response exceeded the 64000 output token maximum."
    turn = report(
        answer_cut=True,
        is_error=True,
        exit_code=1,
        assistant_error="max_output_tokens",
        terminal_reason="api_error",
        result_text=error,
    )
    assert judge(turn, []).reason == "truncated_output"
    assert judge(turn, []).sentence.endswith(error)
    assert judge(turn.model_copy(update={"api_error_status": 429}), []).error_class == "rate_limit"


def test_a_used_up_window_is_no_fault_of_a_turn_that_was_answered_all_the_same() -> None:
    assert judge(report(rate_limit_rejected=True), []).kind == "succeeded"


def test_a_limit_that_was_the_answer_is_a_fault_even_without_an_error_flag() -> None:
    turn = report(rate_limit_rejected=True, assistant_error="rate_limit", result_text="You've hit your limit")
    assert judge(turn, []).error_class == "rate_limit"


def test_an_error_without_a_text_never_says_success() -> None:
    verdict = judge(report(is_error=True, result_text=""), [])
    assert verdict.sentence == "the agent ended with an error: agent_error"


def test_evidence_says_what_was_not_understood() -> None:
    assert (
        "3 lines unparsed, 2 of an unknown type"
        in judge(report(unparsed_lines=3, unknown_lines=2), []).evidence
    )
    assert judge(report(), []).evidence == ("ended: exited, exit code 0", "no file was modified")


def test_an_answer_that_asks_succeeds_and_is_told_to_ask() -> None:
    verdict = judge(report(result_text="I looked around.\nShould I change cart.py?"), [])
    assert verdict.kind == "succeeded"
    assert "it seems to ask: Should I change cart.py?" in verdict.evidence


def test_a_long_claim_is_cut() -> None:
    assert judge(report(result_text="x" * (CLAIM_LIMIT + 1)), []).claimed == "x" * CLAIM_LIMIT


REPORTS = st.builds(
    report,
    ended=st.sampled_from(["exited", "timeout", "cancelled", "interrupted", "not_started"]),
    exit_code=st.none() | st.integers(-20, 300),
    has_result=st.booleans(),
    subtype=st.none() | st.sampled_from(["success", "error_max_turns", "error_unheard_of"]),
    is_error=st.booleans(),
    num_turns=st.integers(0, 3),
    result_text=st.text(max_size=40),
    has_structured_output=st.booleans(),
    deferred=st.booleans(),
    answer_cut=st.booleans(),
    api_error_status=st.none() | st.sampled_from([400, 401, 403, 429, 500, 529]),
    assistant_error=st.none() | st.sampled_from(["rate_limit", "overloaded", "billing_error", "unknown"]),
    rate_limit_rejected=st.booleans(),
    terminal_reason=st.none() | st.sampled_from(["completed", "api_error"]),
)


@given(turn=REPORTS, files=st.lists(st.text(max_size=5), max_size=2))
def test_any_turn_gets_one_verdict(turn: TurnReport, files: list[str]) -> None:
    verdict = judge(turn, files)
    assert verdict.error_class in get_args(ErrorClass)
    assert (verdict.kind == "succeeded") == (verdict.error_class == "none")
    if verdict.kind == "succeeded":
        assert turn.has_result
        assert turn.subtype == "success"
        assert not (turn.is_error or turn.deferred or turn.answer_cut or turn.api_error_status)
        assert turn.num_turns
    else:
        assert verdict.reason
        assert verdict.sentence
        assert verdict.reason not in ("success", "completed")
