"""Refusals that the agent's own list leaves out are taken from what the tools' results say."""

from typing import Any

import pytest

from handlers.agent_call import SESSION_VARIABLE, UNLESS_SAID, turn_environment
from handlers.outcome import judge
from handlers.ports.agent import AgentEnd
from handlers.stream import StreamState, hear, report
from schemas.turn import Captured, Denial, TurnReport
from tests.rule_bench import report as turn_report

BY_RULE = (
    "<tool_use_error>File is in a directory that is denied by your permission settings.</tool_use_error>"
)
OLDER_NOT_OFFERED = (
    "<tool_use_error>Error: No such tool available: Write. Write exists but is not enabled in this "
    "context. Use one of the available tools instead.</tool_use_error>"
)
NEWER_NOT_OFFERED = (
    "<tool_use_error>Error: No such tool available: Write. Write is disabled for this session, in "
    "subagents as well as here.</tool_use_error>"
)
UNKNOWN_TOOL = "<tool_use_error>Error: No such tool available: Write</tool_use_error>"
DENIED = Denial(tool="Write", tool_use_id="t1", detail="/srv/a.txt")


def called(use_id: str = "t1", tool: str = "Write") -> dict[str, Any]:
    block = {"type": "tool_use", "id": use_id, "name": tool, "input": {"file_path": "/srv/a.txt"}}
    return {"type": "assistant", "message": {"content": [block]}}


def answered(content: Any, use_id: str = "t1", is_error: Any = True) -> dict[str, Any]:
    block = {"type": "tool_result", "tool_use_id": use_id, "content": content, "is_error": is_error}
    return {"type": "user", "message": {"role": "user", "content": [block]}}


def ended(*denials: dict[str, Any]) -> dict[str, Any]:
    said = {"type": "result", "subtype": "success", "is_error": False, "num_turns": 2, "result": "Done."}
    return {**said, "permission_denials": list(denials)}


def heard(*lines: dict[str, Any]) -> TurnReport:
    state = StreamState()
    for line in lines:
        state, _ = hear(state, line)
    return report(state, AgentEnd("exited", 0, 900, Captured(), Captured(), 0))


@pytest.mark.parametrize("said", [BY_RULE, OLDER_NOT_OFFERED, NEWER_NOT_OFFERED, UNKNOWN_TOOL])
def test_a_refusal_that_only_the_tools_result_tells_is_a_denial(said: str) -> None:
    told = heard(called(), answered(said), ended())
    assert told.denials == (DENIED,)
    verdict = judge(told, [])
    assert (verdict.error_class, verdict.reason) == ("interactive", "permission_denied")
    assert judge(told, ["b.txt"]).kind == "succeeded"


def test_a_refusal_that_the_list_tells_too_counts_once() -> None:
    listed = {"tool_name": "Write", "tool_use_id": "t1", "tool_input": {"file_path": "/srv/a.txt"}}
    assert heard(called(), answered(BY_RULE), ended(listed)).denials == (DENIED,)


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ((called(), answered(BY_RULE, is_error=False)), "it is no error"),
        ((called(), answered(BY_RULE, is_error="true")), "that is no truth value"),
        ((called(), answered(f"Exit code 1\n{BY_RULE}")), "a command printed it"),
        ((called(), answered(f"{BY_RULE} or so")), "other words"),
        ((called(), answered([{"type": "text", "text": BY_RULE}])), "the CLI says it as text"),
        ((called(tool="Wri"), answered(OLDER_NOT_OFFERED)), "it is about another tool"),
        ((answered(BY_RULE),), "nothing was called"),
        ((called(), answered(BY_RULE, use_id="t2")), "another call"),
        ((called(), answered("File created."), answered(BY_RULE)), "the first answer counts"),
        ((called(), {"type": "user", "message": {"content": BY_RULE}}), "a person may say that"),
        ((called(), {"type": "user", "message": {"content": [None, 3, {"type": "tool_result"}]}}), "junk"),
    ],
)
def test_anything_else_is_no_refusal(lines: tuple[dict[str, Any], ...], why: str) -> None:
    assert heard(*lines, ended()).denials == (), why


def test_denials_are_bounded() -> None:
    many = [line for n in range(300) for line in (called(f"t{n}"), answered(BY_RULE, f"t{n}"))]
    listed = {"tool_name": "Write", "tool_use_id": "last", "tool_input": {}}
    assert len(heard(*many, ended(listed)).denials) == 200


@pytest.mark.parametrize(
    "said",
    [
        "API Error: Unable to connect to API (ConnectionRefused)",
        "API Error: Connection refused — a firewall or proxy may be blocking it (ECONNREFUSED)",
        "API Error: Can't reach the API server — check your internet or DNS (ENOTFOUND)",
        "API Error: No internet route — check your connection or VPN (ENETUNREACH)",
        "API Error: Couldn't connect through your proxy (ERR_PROXY_TUNNEL) — the proxy refused the tunnel",
        "API Error: Connection dropped (ECONNRESET)",
    ],
)
def test_a_service_that_cannot_be_reached_is_not_called_overloaded(said: str) -> None:
    turn = turn_report(is_error=True, exit_code=1, assistant_error="server_error", result_text=said)
    assert (judge(turn, []).error_class, judge(turn, []).reason) == ("network", "unreachable")


def test_the_agent_is_told_our_defaults_and_its_session() -> None:
    env = turn_environment({"PATH": "p", "SECRET": "s"}, (), "id", windows=False)
    assert env == {"PATH": "p", **UNLESS_SAID, SESSION_VARIABLE: "id"}


@pytest.mark.parametrize("name", sorted(UNLESS_SAID))
def test_what_the_environment_says_wins_over_our_defaults(name: str) -> None:
    assert turn_environment({name: "7"}, (), "id", windows=False)[name] == "7"
    said = turn_environment({name.lower(): "7"}, (), "id", windows=True)
    assert (said[name.lower()], name in said) == ("7", False)
