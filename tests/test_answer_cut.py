"""Whether an answer was cut off: by the model's limit, and never by ours of what is kept."""

from typing import Any

import pytest

from handlers.framing import TEXT_LIMIT
from handlers.ports.agent import AgentEnd
from handlers.stream import StreamState, hear, report
from schemas.turn import Captured, TurnReport

END = AgentEnd("exited", 0, 5, Captured(), Captured(), 0)
CUT = {"type": "assistant", "error": "max_output_tokens", "message": {"content": []}}


def told(*lines: dict[str, Any]) -> TurnReport:
    state = StreamState()
    for line in lines:
        state, _ = hear(state, line)
    return report(state, END)


def result(**changed: Any) -> dict[str, Any]:
    good = {"type": "result", "subtype": "success", "is_error": False, "num_turns": 1, "result": "Done."}
    return {**good, **changed}


@pytest.mark.parametrize("reason", ["max_tokens", "model_context_window_exceeded"])
def test_a_result_that_stopped_at_the_model_s_limit_is_cut_off(reason: str) -> None:
    assert told(result(stop_reason=reason)).answer_cut


def test_an_error_of_the_cli_tells_of_a_cut_and_a_good_result_after_it_that_it_was_mended() -> None:
    assert told(CUT, result(is_error=True)).answer_cut
    assert not told(CUT, result()).answer_cut
    assert not told(CUT).answer_cut


@pytest.mark.parametrize("reason", ["end_turn", "stop_sequence", None, 7, ["max_tokens"]])
def test_a_long_answer_of_which_a_part_is_kept_is_not_cut_off(reason: Any) -> None:
    said = told(result(stop_reason=reason, result="é" * TEXT_LIMIT))
    assert len(said.result_text) == TEXT_LIMIT // 2
    assert not said.answer_cut
