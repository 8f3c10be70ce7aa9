"""Each setting of the agent's work does something: from the home's `.env` to the call, the event, the end."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from adapters.config.settings import read_settings
from adapters.desk import ANSWER_S
from eventstore.event import Recorded
from schemas import names
from tests.service import events, evt, folder, home_at

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the played agent begins with a #! line")

AGENT = f"""#!{sys.executable}
import json, os, sys, time
from pathlib import Path
said = sys.stdin.read()
note = {{"argv": sys.argv[1:], "env": dict(os.environ)}}
Path(__file__).with_name(f"call-{{os.getpid()}}.json").write_text(json.dumps(note), encoding="utf-8")
if "HANG" in said:
    time.sleep(60)
result = {{"type": "result", "subtype": "success", "is_error": False, "num_turns": 1, "result": "Done.",
          "total_cost_usd": 0.03}}
print(json.dumps(result))
"""
SET: Final = """CLAUDE_MAX_TURNS=7
CLAUDE_MAX_BUDGET_USD=1.25
CLAUDE_DAILY_BUDGET_USD=0.02
CLAUDE_SKIP_PERMISSIONS=true
CLAUDE_ENV_ALLOW=MY_OWN_NAME
CLAUDE_INACTIVITY_SEC=77
MAX_CONCURRENT_TASKS=1
"""


class Served:
    """A home in which tasks were done under some settings: the log, and how the agent was called."""

    def __init__(self, root: Path, settings: str, texts: Sequence[str]) -> None:
        agent = root / "agent"
        agent.write_text(AGENT, encoding="utf-8", newline="\n")
        agent.chmod(0o755)
        self.home = home_at(root / "home", f"CLAUDE_EXECUTABLE={agent}\nLLAMA_MODEL=\n{settings}")
        for number, text in enumerate(texts):
            task = f"---\ntype: analyze\ncwd: '{folder(self.home)}'\n---\n# T\n\n{text}\n"
            (self.home / "tasks" / f"t{number}.task.md").write_text(task, encoding="utf-8", newline="\n")
        self.said = evt(
            self.home, "run", "--drain", "--drain-wait", "0", MY_OWN_NAME="seen", MY_OTHER_NAME="unseen"
        )
        self.log = events(self.home)
        self.calls: list[Mapping[str, Any]] = [json.loads(path.read_bytes()) for path in root.glob("call-*")]

    def of_type(self, kind: str) -> list[Recorded]:
        return [event for event in self.log if event.type == kind]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Served:
    return Served(tmp_path_factory.mktemp("set"), SET, ("Look at it.", "Look again."))


@pytest.fixture(scope="module")
def unset(tmp_path_factory: pytest.TempPathFactory) -> Served:
    return Served(tmp_path_factory.mktemp("unset"), "", ("Look at it.", "Look again."))


def after(argv: Sequence[str], option: str) -> str | None:
    return argv[argv.index(option) + 1] if option in argv else None


def test_turns_and_money_of_one_task_are_told_to_the_agent(served: Served, unset: Served) -> None:
    (call,) = served.calls
    assert after(call["argv"], "--max-turns") == "7"
    assert after(call["argv"], "--max-budget-usd") == "1.25"
    assert all(after(call["argv"], "--max-turns") is None for call in unset.calls)
    assert all(after(call["argv"], "--max-budget-usd") is None for call in unset.calls)


def test_permissions_are_skipped_only_where_it_is_set(served: Served, unset: Served) -> None:
    assert ["--dangerously-skip-permissions" in call["argv"] for call in served.calls] == [True]
    assert ["--dangerously-skip-permissions" in call["argv"] for call in unset.calls] == [False, False]


def test_the_agent_sees_the_names_that_are_allowed_and_no_others(served: Served, unset: Served) -> None:
    assert [call["env"].get("MY_OWN_NAME") for call in served.calls] == ["seen"]
    assert [call["env"].get("MY_OWN_NAME") for call in unset.calls] == [None, None]
    assert not any("MY_OTHER_NAME" in call["env"] for call in (*served.calls, *unset.calls))


def test_a_day_that_has_cost_enough_begins_nothing_more(served: Served, unset: Served) -> None:
    (reached,) = served.of_type(names.DAILY_BUDGET_REACHED)
    assert (reached.data["budget_usd"], reached.data["spent_usd"]) == (0.02, 0.03)
    assert len(served.of_type(names.TASK_SUCCEEDED)) == 1
    assert len(unset.of_type(names.TASK_SUCCEEDED)) == 2
    assert unset.of_type(names.DAILY_BUDGET_REACHED) == []


def test_so_many_work_and_wait_as_is_set(served: Served, unset: Served) -> None:
    assert [event.data["workers"] for event in served.of_type(names.ORCHESTRATOR_STARTED)] == [1]
    assert [event.data["workers"] for event in unset.of_type(names.ORCHESTRATOR_STARTED)] == [3]
    (claimed,) = served.of_type(names.TASK_CLAIMED)
    assert claimed.data["conditions"]["inactivity_s"] == 77


def test_an_attempt_that_takes_longer_is_ended(tmp_path: Path) -> None:
    found = Served(tmp_path, "CLAUDE_TIMEOUT_SEC=1\n", ("HANG",))
    (turn,) = found.of_type(names.TURN_FINISHED)
    assert turn.data["report"]["ended"] == "timeout"


def test_what_is_promised_in_seconds_is_the_default(tmp_path: Path) -> None:
    settings = read_settings(tmp_path, {})
    assert settings.model_silence_s <= 5, "the rules stand in within 5 s"
    assert ANSWER_S == 2, "a verb waits so long for its answer"
