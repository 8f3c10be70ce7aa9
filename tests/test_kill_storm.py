"""The storm of kills, a short one; and what it would find is seen in logs in which it is planted."""

import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import pytest

from eventstore.event import Recorded
from eventstore.memory_log import MemoryLog
from schemas import names
from tests.life_cycles import Lives
from tests.rule_bench import Bench
from tools.kill_storm.__main__ import main
from tools.kill_storm.findings import Reading, wrong_deaths

SEED = "20261"


@pytest.mark.skipif(sys.platform == "win32", reason="signals that Windows does not have")
@pytest.mark.timeout(300)
def test_a_short_storm_leaves_all_well(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["--tasks", "12", "--seconds", "6", "--seed", SEED])
    told = capsys.readouterr().out
    assert code == 0, told
    assert f"seed {SEED}: 12 tasks" in told
    assert "kill -9 of the service" in told
