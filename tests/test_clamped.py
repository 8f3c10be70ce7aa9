"""What an agent's line says in numbers is taken where it can be true, and noted where it cannot."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.clamped import COUNT_LIMIT, moment, usage
from handlers.ports.agent import AgentEnd
from handlers.stream import StreamState, hear, report
from schemas.turn import Captured, TurnReport, Usage

END = AgentEnd("exited", 0, 5, Captured(), Captured(), 0)
OWN = {"input_tokens": 1, "output_tokens": 2, "cache_read_input_tokens": 3, "cache_creation_input_tokens": 4}
ITS_OWN = Usage(input_tokens=1, output_tokens=2, cache_read_tokens=3, cache_creation_tokens=4)


def heard(*lines: dict[str, Any]) -> TurnReport:
    state = StreamState()
    for line in lines:
        state, _ = hear(state, line)
    return report(state, END)


def limit(status: str, **info: Any) -> dict[str, Any]:
    return {"type": "rate_limit_event", "rate_limit_info": {"status": status, **info}}


@pytest.mark.parametrize("said", [1795348121, 1795348121.0, "1795348121"])
def test_the_end_of_a_used_up_window_is_kept_in_microseconds(said: Any) -> None:
    told = heard(limit("allowed"), limit("rejected", resetsAt=said))
    assert (told.rate_limit_rejected, told.resets_at) == (True, 1_795_348_121_000_000)


@pytest.mark.parametrize(
    "said",
    [None, 0, -5, True, float("nan"), float("inf"), 1795348121000, 10**400, "soon", "", "1e9", "²", [1], {}],
)
def test_an_end_that_is_no_moment_is_none(said: Any) -> None:
    told = heard(limit("rejected", resetsAt=said))
    assert (told.rate_limit_rejected, told.resets_at) == (True, None)


@pytest.mark.parametrize("status", ["allowed", "allowed_warning", "novelty"])
def test_a_limit_that_was_lifted_has_no_end_any_more(status: str) -> None:
    told = heard(limit("rejected", resetsAt=1795348121), limit(status, resetsAt=1795348999))
    assert (told.rate_limit_rejected, told.resets_at) == (False, None)


def test_a_second_rejection_without_an_end_does_not_forget_the_first_one() -> None:
    assert heard(limit("rejected", resetsAt=7), limit("rejected")).resets_at == 7_000_000
    assert heard(limit("rejected", resetsAt=7), limit("rejected", resetsAt=9)).resets_at == 9_000_000


@given(st.integers() | st.floats() | st.text(max_size=14) | st.booleans() | st.none())
def test_a_moment_can_stand_in_the_log_or_is_none(said: Any) -> None:
    found = moment(said)
    assert found is None or 0 <= found < 2**63


def model(**tokens: Any) -> dict[str, Any]:
    return {"costUSD": 1.0, **tokens}


def test_the_tokens_of_all_models_are_counted_subagents_too() -> None:
    line = {
        "usage": OWN,
        "modelUsage": {
            "large": model(inputTokens=10, outputTokens=20, cacheReadInputTokens=30),
            "small": model(inputTokens=1, cacheCreationInputTokens=7),
        },
    }
    notes: list[str] = []
    assert usage(line, notes) == Usage(
        input_tokens=11, output_tokens=20, cache_read_tokens=30, cache_creation_tokens=7
    )
    assert notes == []


@pytest.mark.parametrize("models", [None, {}, [], "x", 7, {"large": None}, {"large": {}, "small": 5}])
def test_without_a_proper_list_of_models_the_line_s_own_usage_holds(models: Any) -> None:
    notes: list[str] = []
    assert usage({"usage": OWN, "modelUsage": models}, notes) == ITS_OWN
    assert notes == []


def test_counts_of_models_that_are_none_are_noted() -> None:
    notes: list[str] = []
    line = {"modelUsage": {"a": model(inputTokens=-1), "b": model(inputTokens=5, outputTokens="6")}}
    assert usage(line, notes) == Usage(input_tokens=5)
    assert notes == [
        "inputTokens is no count and was taken as 0",
        "outputTokens is no count and was taken as 0",
    ]


def test_more_models_than_there_can_be_are_not_all_counted() -> None:
    notes: list[str] = []
    line = {"modelUsage": {str(at): model(inputTokens=COUNT_LIMIT) for at in range(20_000)}}
    assert usage(line, notes) == Usage(input_tokens=100 * COUNT_LIMIT)
    assert notes == ["only the first 100 models are counted"]
