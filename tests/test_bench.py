"""The measurements run, and say what they have found; how fast anything was, no test asks."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.lane import the_lane
from tools.bench import idle, peers
from tools.bench.__main__ import counts, main
from tools.bench.table import Table, ratios

ROOT = Path(__file__).resolve().parent.parent
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="the agent that takes no time is a shell script")
pytestmark = pytest.mark.timeout(400)  # the machine may be busy, and the lane may have to be installed


def bench(*words: str) -> dict[str, Any]:
    told = subprocess.run(
        [sys.executable, "-m", "tools.bench", *words, "--json"],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        timeout=350,
    )
    assert told.returncode == 0, told.stderr
    found: dict[str, Any] = json.loads(told.stdout)
    assert set(found) == {"work", "machine", "tables"}
    for table in found["tables"]:
        assert all(set(table["columns"]) <= set(row) for row in table["rows"])
    return found


def test_an_idle_service_is_measured_beside_sleep() -> None:
    (table,) = bench("idle", "--seconds", "2", "--settle", "0.1")["tables"]
    assert [row["what"] for row in table["rows"]] == ["evt run", "sleep"]
    assert all(row["MiB"] > 0 and row["% of a core"] >= 0 for row in table["rows"])


@POSIX
def test_a_task_is_measured_beside_a_loop_and_a_peer_that_is_missing_is_said() -> None:
    words = ("task-cost", "--agent", "recorded", "--tasks", "2", "--workers", "1,2", "--rounds", "1")
    costs, steps = bench(*words)["tables"]
    found = [(row["what"], row["at once"]) for row in costs["rows"]]
    assert found == [("a loop", 1), ("evt run --drain", 1), ("a loop", 2), ("evt run --drain", 2)]
    assert costs["rows"][0]["ratio to a loop"] == 1
    assert len(costs["notes"]) == len(peers.NAMES)
    assert next(row["step"] for row in steps["rows"]).startswith("task_claimed → ")


@POSIX
def test_the_real_cli_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    version = the_lane().newer.version
    assert main(["task-cost", "--tasks", "1", "--workers", "1", "--rounds", "1"]) == 0
    told = capsys.readouterr().out
    assert f"1 tasks with Claude CLI {version}" in told
    assert "| evt run --drain | 1 " in told


@POSIX
def test_a_long_queue_is_measured_beside_a_short_one() -> None:
    (table,) = bench("claims", "--queued", "2,4", "--tasks", "5")["tables"]
    assert [row["queued"] for row in table["rows"]] == [2, 4]
    assert table["rows"][0]["ratio to 2"] == 1


def test_a_service_that_does_not_start_is_an_error_and_no_figure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(idle, "START_LIMIT_S", 0.0)
    monkeypatch.setattr("schemas.names.ORCHESTRATOR_STARTED", "never_said")
    assert main(["idle", "--seconds", "1"]) == 1
    assert "did not start" in capsys.readouterr().err


def test_a_peer_that_is_not_installed_is_skipped_with_its_reason(tmp_path: Path) -> None:
    assert {peer.name: peer.missing for peer in peers.found(tmp_path / "none")} == dict.fromkeys(
        peers.NAMES, "skipped, its virtual environment is not there (see --install-peers)"
    )
    assert all(peer.missing for peer in peers.found(None))


def test_a_ratio_is_the_median_of_what_each_round_gave() -> None:
    assert ratios([2.0, 9.0, 8.0], [1.0, 3.0, 2.0]) == (3.0, "2 to 4")


def test_a_table_is_markdown_with_a_cell_for_each_column() -> None:
    table = Table(
        "Title", ("what", "ms"), [{"what": "a", "ms": 1234.5}, {"what": "b", "ms": None}], ("Note.",)
    )
    assert table.text().splitlines() == [
        "Title",
        "",
        "| what | ms   |",
        "|------|------|",
        "| a    | 1234 |",
        "| b    |      |",
        "",
        "Note.",
    ]


@pytest.mark.parametrize("text", ["0", "1,0", "x", ""])
def test_a_count_below_one_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"below 1|invalid literal"):
        counts(text)
