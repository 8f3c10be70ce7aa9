"""Words and classes that a list of the code names and no test did."""

import pytest

from handlers.outcome import judge
from schemas.turn import TurnReport
from tests.life_cycles import failed
from tests.rule_bench import report
from tests.test_executors_view import Seen, seen  # noqa: F401  a fixture


# to tests/test_outcome.py: each was said by a CLI that had no network
@pytest.mark.parametrize(
    "said",
    [
        "Unable to connect to API (ECONNREFUSED)",
        "Request timed out",
        "Connection refused",
        "Can't reach the API server",
        "No internet route",
        "Couldn't connect through your proxy",
        "Connection dropped",
    ],
)
def test_an_error_without_a_status_that_tells_of_no_network_is_one_of_the_network(said: str) -> None:
    turn = TurnReport.model_validate(report(is_error=True, exit_code=1, result_text=f"API Error: {said} (x)"))
    verdict = judge(turn, ())
    assert (verdict.error_class, verdict.reason) == ("network", "unreachable")


# to tests/test_executors_view.py, one more row of the list of `silence`
def test_a_quota_that_was_waited_for_too_often_tells_nothing_of_the_executor(seen: Seen) -> None:  # noqa: F811
    seen.tell("a", *[failed(1, "network")] * 2)
    before = dict(seen.row())
    seen.tell("a", failed(2, "quota", "quota"))
    assert seen.row() == before
