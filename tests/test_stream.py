"""What real sessions of the agent's CLI are read as, and that no line can break the reading."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.framing import TEXT_LIMIT
from handlers.ports.agent import AgentEnd
from handlers.stream import StreamState, ToolCall, hear, parse_line, report, tools_used
from schemas.turn import Captured, Denial, TurnReport, Usage

SAMPLES = Path(__file__).parent / "samples"
OLD = {"agent_version": "2.1.197", "model": "claude-opus-4-8[1m]"}
NEW = {"agent_version": "2.1.330", "model": "claude-opus-5-5"}
GOOD = {"has_result": True, "subtype": "success", "terminal_reason": "completed"}
BAD = {**GOOD, "is_error": True, "num_turns": 1}
HELLO = "/home/dev/project/hello.txt"
SMALL = Usage(input_tokens=100, output_tokens=20)
TWICE = Usage(input_tokens=200, output_tokens=40)
FOURFOLD = Usage(input_tokens=400, output_tokens=80)
GATEWAY = "If it persists, check your inference gateway (127.0.0.1:4010)."
GREETED = {
    **(GOOD | OLD),
    "num_turns": 1,
    "result_text": "Hi there from the fake. All good.",
    "usage": Usage(input_tokens=120, output_tokens=9),
    "cost_usd": 0.000825,
}
ASKED = {**GOOD, "num_turns": 1, "usage": SMALL, "deferred": True, "terminal_reason": "tool_deferred"}


def denied(use_id: str) -> tuple[Denial, ...]:
    return (Denial(tool="Write", tool_use_id=use_id, detail=HELLO),)


# Each sample: the fields of its report that are not at their defaults, and the tools it calls.
EXPECTED: dict[str, tuple[dict[str, Any], list[tuple[str, str, str]]]] = {
    "success-stream-json": (GREETED, []),
    "stream-json-partial": (GREETED, []),
    "write-acceptedits-stream": (
        {**(GOOD | OLD), "num_turns": 2, "result_text": "Done: hello.txt written."},
        [("Write", "toolu_01", HELLO)],
    ),
    "write-denied-json": (
        {**GOOD, "num_turns": 2, "result_text": "Done: hello.txt written.", "denials": denied("toolu_01")},
        [],
    ),
    "write-mode-plan-stream": (
        {
            **(GOOD | OLD),
            "num_turns": 2,
            "result_text": "Done: hello.txt written.",
            "denials": denied("toolu_01"),
        },
        [("Write", "toolu_01", HELLO)],
    ),
    "hook-denied-stream-330": (
        {
            **(GOOD | NEW),
            "num_turns": 2,
            "result_text": "Done writing.",
            "denials": denied("toolu_0055_0"),
            "usage": TWICE,
            "cost_usd": 0.0016,
        },
        [("Write", "toolu_0055_0", HELLO)],
    ),
    "maxturns-json": (
        {
            **(GOOD | BAD),
            "subtype": "error_max_turns",
            "num_turns": 3,
            "errors": ("Reached maximum number of turns (2)",),
            "terminal_reason": "max_turns",
        },
        [],
    ),
    "budget-0.6-330": (
        {
            **BAD,
            "subtype": "error_max_budget_usd",
            "num_turns": 2,
            "errors": ("Reached maximum budget ($0.6)",),
            "terminal_reason": "budget_exhausted",
            "usage": Usage(input_tokens=200_000, output_tokens=2000),
            "cost_usd": 0.8400000000000001,
        },
        [],
    ),
    "err500-maxretries1-json": (
        {
            **BAD,
            "result_text": "API Error: 500 Internal server error. This is a server-side issue, "
            f"usually temporary — try again in a moment. {GATEWAY}",
            "api_error_status": 500,
        },
        [],
    ),
    "err529-default-stream": (
        {
            **(BAD | OLD),
            "result_text": "API Error: Repeated 529 Overloaded errors. The API is at capacity — "
            f"this is usually temporary. Try again in a moment. {GATEWAY}",
            "assistant_error": "server_error",
        },
        [],
    ),
    "err429-maxretries0-json": (
        {**BAD, "result_text": "API Error: Request rejected (429) · rate limited", "api_error_status": 429},
        [],
    ),
    "err401-maxretries0-json": (
        {**BAD, "result_text": "Invalid API key · Fix external API key", "api_error_status": 401},
        [],
    ),
    "ratelimit-rejected-429-oauth": (
        {
            **(BAD | OLD),
            "model": "claude-sonnet-5",
            "result_text": "You've hit your session limit · resets 11:48am (UTC)",
            "api_error_status": 429,
            "assistant_error": "rate_limit",
            "rate_limit_rejected": True,
            "resets_at": 1_795_348_121_000_000,
        },
        [],
    ),
    "ratelimit-rejected-429-oauth-330": (
        {
            **(BAD | NEW),
            "model": "claude-sonnet-5-5",
            "result_text": "You've hit your 5-hour limit · resets 11:48am (UTC)",
            "api_error_status": 429,
            "assistant_error": "rate_limit",
            "rate_limit_rejected": True,
            "resets_at": 1_795_348_129_000_000,
            "terminal_reason": "api_error",
        },
        [],
    ),
    "ratelimit-warning-headers-oauth": (
        {
            **(GOOD | OLD),
            "model": "claude-sonnet-5",
            "num_turns": 1,
            "result_text": "warned.",
            "usage": SMALL,
            "cost_usd": 0.0006000000000000001,
        },
        [],
    ),
    "ratelimit-credit-too-low": (
        {
            **(BAD | OLD),
            "result_text": "Credit balance is too low",
            "api_error_status": 400,
            "assistant_error": "billing_error",
        },
        [],
    ),
    "sigTERM-stream-json": (OLD, []),
    "sigINT-stream-json": (
        {
            **(BAD | OLD),
            "subtype": "error_during_execution",
            "num_turns": 2,
            "errors": ("[ede_diagnostic] result_type=user last_content_type=n/a stop_reason=null",),
            "terminal_reason": "aborted_streaming",
        },
        [],
    ),
    "defer-bash-stream": (
        {**(ASKED | OLD), "cost_usd": 0.001},
        [("Bash", "toolu_0015_0", "echo orig > bashout.txt")],
    ),
    "defer-bash-stream-330": (
        {**(ASKED | NEW), "cost_usd": 0.0008},
        [("Bash", "toolu_0033_0", "echo orig > bashout.txt")],
    ),
    "defer-resume-allow-noprompt-stream-330": (
        {**(GOOD | NEW), "num_turns": 1, "result_text": "Done writing.", "usage": TWICE, "cost_usd": 0.0016},
        [],
    ),
    "defer-resume-allow-prompt-stream": (
        {
            **(GOOD | OLD),
            "model": "claude-opus-4-8",
            "num_turns": 1,
            "result_text": "Next turn answered.",
            "usage": TWICE,
            "cost_usd": 0.002,
        },
        [],
    ),
    "defer-in-subagent-stream-330": (
        {**(GOOD | NEW), "num_turns": 1, "result_text": "Done sub.", "usage": FOURFOLD, "cost_usd": 0.0032},
        [("Agent", "toolu_0117_0", "ZDEFERWRITE inner"), ("Write", "toolu_0119_0", HELLO)],
    ),
    "defer-tool-gone-330": (
        {
            **BAD,
            "num_turns": 15,
            "result_text": "Write isn't available, so its deferred call didn't run. Reconnect the tool and "
            "resume, or resume with a prompt and CLAUDE_CODE_DROP_UNAVAILABLE_DEFERRED_TOOL=1 to drop "
            "the call and continue.",
            "deferred": True,
            "terminal_reason": "tool_deferred_unavailable",
            "usage": SMALL,
            "cost_usd": 0.0008,
        },
        [],
    ),
    "prompt-slash": ({**GOOD, "result_text": "Unknown command: /ZHI", "terminal_reason": None}, []),
    "stdin-9MB-330": (
        {**BAD, "result_text": "Prompt is too long", "terminal_reason": "blocking_limit"},
        [],
    ),
}
END = AgentEnd("exited", 0, 5, Captured(), Captured(), 0)


def told(*lines: Any) -> tuple[StreamState, list[ToolCall]]:
    state, tools = StreamState(), list[ToolCall]()
    for line in lines:
        state, fresh = hear(state, line)
        tools += fresh
    return state, tools


def result(**changed: Any) -> dict[str, Any]:
    good = {"type": "result", "subtype": "success", "is_error": False, "num_turns": 1, "result": "Done."}
    return {**good, **changed}


def call(use_id: Any, name: Any = "Edit", **given_input: Any) -> dict[str, Any]:
    block = {"type": "tool_use", "id": use_id, "name": name, "input": given_input}
    return {"type": "assistant", "message": {"id": "msg_1", "content": [block]}}


@pytest.mark.parametrize("sample", sorted(path.stem for path in SAMPLES.glob("*.stdout")))
def test_a_real_session_is_read_as_it_went(sample: str) -> None:
    lines = (SAMPLES / f"{sample}.stdout").read_bytes().splitlines()
    state, tools = told(*(parse_line(line) for line in lines))
    fields, calls = EXPECTED[sample]
    expected = TurnReport.model_validate(
        {"ended": "exited", "exit_code": 0, "elapsed_ms": 5, "has_result": False, **fields}
    )
    assert report(state, END) == expected
    assert [(tool.name, tool.use_id, tool.detail) for tool in tools] == calls


def test_every_expectation_has_its_sample() -> None:
    assert set(EXPECTED) == {path.stem for path in SAMPLES.glob("*.stdout")}


def test_the_last_usable_result_holds() -> None:
    state, _ = told(result(result="first"), result(result="second"), {"type": "result", "subtype": 7})
    said = report(state, END)
    assert said.result_text == "second"
    assert said.note == "a result line without subtype or is_error was passed over"


def test_a_result_that_only_claims_truth_by_a_wrong_type_is_none() -> None:
    assert not report(told(result(is_error="false"))[0], END).has_result


def test_a_cost_that_is_no_amount_counts_as_nothing_and_is_noted() -> None:
    for cost in (float("nan"), float("inf"), -1, 10**400, True, "1", [1]):
        said = report(told(result(total_cost_usd=cost))[0], END)
        assert said.cost_usd == 0
        assert said.note == "total_cost_usd is no amount and was taken as 0"


def test_not_a_number_survives_the_parsing_to_be_refused_by_the_hearing() -> None:
    line = parse_line(orjson.dumps(result(total_cost_usd=77)).replace(b"77", b"NaN"))
    assert report(told(line)[0], END).cost_usd == 0


def test_counts_that_are_none_are_noted() -> None:
    said = report(told(result(num_turns=-3, usage={"input_tokens": 10**30, "output_tokens": 1.5}))[0], END)
    assert (said.num_turns, said.usage) == (0, Usage())
    assert said.note is not None
    assert said.note.count("is no count") == 3


def test_a_long_answer_is_cut_and_says_so() -> None:
    said = report(told(result(result="é" * TEXT_LIMIT))[0], END)
    assert len(said.result_text.encode()) == TEXT_LIMIT
    assert said.note == f"the result text of {2 * TEXT_LIMIT} bytes is cut to {TEXT_LIMIT}"


def test_many_errors_are_capped() -> None:
    said = report(told(result(errors=["x" * 9000, 7, *("y" for _ in range(500))]))[0], END)
    assert len(said.errors) == 19
    assert len(said.errors[0]) == 500
    assert said.note == "only the first 20 errors are kept"


def test_names_lose_their_control_characters() -> None:
    init = {"type": "system", "subtype": "init", "claude_code_version": "2\x1b[31m", "model": "m\nn"}
    said = report(told(init)[0], END)
    assert (said.agent_version, said.model) == ("2 [31m", "m n")


def test_a_result_that_names_another_session_is_noted() -> None:
    state, _ = told(result(session_id="../../etc/passwd"))
    assert report(state, END, "ours").note == "the result names another session than ours"
    assert report(state, END).note is None


def test_a_tool_is_called_once_however_often_it_is_said() -> None:
    _, tools = told(call("a", file_path="x"), call("a"), call("b", "Bash", command="ls"), call("b"))
    assert tools == [ToolCall("Edit", "a", {"file_path": "x"}), ToolCall("Bash", "b", {"command": "ls"})]


def test_a_call_without_name_or_id_is_no_call() -> None:
    nothing = {"type": "assistant", "message": [1]}
    for line in (call(None), call(7), call("a", None), call("a", ["Edit"]), nothing):
        assert tools_used(line) == []


def test_lines_of_an_unknown_type_are_counted_and_named() -> None:
    said = report(told({"type": "novelty"}, {"type": "novelty"}, {}, {"type": ["result"]})[0], END)
    assert said.unknown_lines == 4
    assert said.note == "line of unknown type 'novelty'; line of unknown type None"


def test_a_limit_that_was_lifted_again_is_no_rejection() -> None:
    def limit(status: str) -> dict[str, Any]:
        return {"type": "rate_limit_event", "rate_limit_info": {"status": status}}

    assert report(told(limit("rejected"))[0], END).rate_limit_rejected
    assert not report(told(limit("rejected"), limit("allowed"))[0], END).rate_limit_rejected


def test_denials_of_several_results_are_kept_once_each() -> None:
    def listed(*ids: str) -> dict[str, Any]:
        denials = [{"tool_name": "Bash", "tool_use_id": use_id, "tool_input": {}} for use_id in ids]
        return result(permission_denials=denials)

    said = report(told(listed("a"), listed("a", "b"))[0], END)
    assert [denial.tool_use_id for denial in said.denials] == ["a", "b"]


@pytest.mark.parametrize("raw", [b"", b"[1]", b"7", b"null", b'{"a":', b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_object_is_none(raw: bytes) -> None:
    assert parse_line(raw) is None


def test_broken_text_inside_an_object_is_mended() -> None:
    assert parse_line(b'{"a":"\xff"}') == {"a": "\ufffd"}
    assert parse_line(b'{"a":["x\\ud83d"],"\\ud83d":1}') == {"a": ["x\ufffd"], "\ufffd": 1}
    assert parse_line(b'{"a":"\\ud83d\\ude00"}\r\n') == {"a": "😀"}


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
READ = (
    *("subtype", "is_error", "num_turns", "result", "total_cost_usd", "usage", "modelUsage", "errors"),
    *("permission_denials", "api_error_status", "terminal_reason", "session_id", "deferred_tool_use"),
    *("structured_output", "message", "error", "rate_limit_info", "model", "claude_code_version"),
)
hostile = st.builds(
    lambda kind, rest: {"type": kind, "subtype": "success", "is_error": False, **rest},
    st.sampled_from(["result", "assistant", "system", "rate_limit_event", "other"]) | json_like,
    st.dictionaries(st.sampled_from(READ), json_like),
)
hostile_call = st.builds(
    lambda name, use_id, given_input: {
        "type": "assistant",
        "message": {"content": [{"type": "tool_use", "name": name, "id": use_id, "input": given_input}]},
    },
    json_like,
    json_like,
    json_like,
)


@given(st.lists(hostile | hostile_call, max_size=6))
def test_whatever_is_said_a_report_comes_of_it_that_the_log_can_hold(lines: list[dict[str, Any]]) -> None:
    state, tools = told(*lines)
    said = report(state, END, "ours")
    assert TurnReport.model_validate(orjson.loads(orjson.dumps(said.model_dump()))) == said
    assert len({tool.use_id for tool in tools}) == len(tools)
    assert all(len(tool.detail) <= 500 for tool in tools)


@given(st.binary(max_size=200) | st.text(max_size=80).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_parse_to_an_object_that_can_be_written_or_to_nothing(raw: bytes) -> None:
    line = parse_line(raw)
    assert line is None or orjson.dumps(line)
