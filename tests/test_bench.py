"""The measurements run, and say what they have found; how fast anything was, no test asks."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.lane import the_lane
from tools.bench import follow, goals, idle, page, peers, plot
from tools.bench.__main__ import main
from tools.bench.peer_store import peer_stores
from tools.bench.table import Table, ratios
from tools.bench.turns import Contestant, in_turns
from tools.bench.works import WORKS, counts

ROOT = Path(__file__).resolve().parent.parent
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="the agent that takes no time is a shell script")
pytestmark = pytest.mark.timeout(400)  # the machine may be busy, and the lane may have to be installed


def bench(*words: str, temporary: Path | None = None) -> dict[str, Any]:
    """`temporary` is where a corpus is made, which is kept else."""
    environ = {**os.environ} if temporary is None else {**os.environ, "TMPDIR": str(temporary)}
    told = subprocess.run(
        [sys.executable, "-m", "tools.bench", *words, "--json"],
        cwd=ROOT,
        env=environ,
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


def names(table: dict[str, Any]) -> list[str]:
    return [row["what"] for row in table["rows"]]


def test_one_caller_is_measured_and_its_syncs_are_counted() -> None:
    table, counted = bench("append-one", "--appends", "20", "--rounds", "1")["tables"]
    ours = ["evt, directly", "evt, through its writer"]
    assert names(table) == ["a line and fdatasync", *ours, "sqlite3 alone (WAL, FULL)"]
    assert table["rows"][0]["ratio to the anchor"] == 1
    assert len(table["notes"]) == len(peer_stores(None))
    (row,) = counted["rows"]
    assert row["fdatasync per commit"] is None or 1 <= row["fdatasync per commit"] < 1.5


def test_many_callers_are_measured_alone_and_beside_another_process() -> None:
    table, beside = bench("append-many", "--appends", "2", "--rounds", "1")["tables"]
    assert names(table)[1:] == [
        "evt's writer over a plain file",
        "evt, the store alone",
        "evt, checked and redacted before",
    ]
    (row,) = beside["rows"]
    assert 0 < row["p50 ms"] <= row["p99 ms"] <= row["longest ms"]


def test_batches_are_measured() -> None:
    tables = bench("append-batches", "--events", "1000", "--rounds", "1")["tables"]
    assert [table["title"] for table in tables] == [
        "100 events in one append",
        "1000 events in one append",
    ]
    assert all("evt" in names(table) for table in tables)


def test_every_way_to_follow_delivers_all_events() -> None:
    (table,) = follow.measure(2, 1)
    ways = [way for name, way in follow.WAYS.items() if sys.platform == "linux" or name in follow.OURS]
    assert {follow.CHANNEL, *ways} <= {row["what"] for row in table.rows}
    assert all(isinstance(row["p50 ms"], float) and row["p50 ms"] > 0 for row in table.rows)


def test_a_long_log_is_rebuilt_read_after_a_restart_and_looked_at(tmp_path: Path) -> None:
    speeds, memory = bench("rebuild", "--events", "600", "--rounds", "1", temporary=tmp_path)["tables"]
    assert names(speeds)[1:3] == ["evt, the view queue", "evt, the view metrics"]
    assert [row["view"] for row in memory["rows"]] == ["queue", "metrics"]
    (restarts,) = bench("restart", "--events", "600", "--rounds", "1", temporary=tmp_path)["tables"]
    assert len(restarts["rows"]) == 4
    (verbs,) = bench("verbs", "--events", "600", "--rounds", "1", temporary=tmp_path)["tables"]
    assert names(verbs)[:3] == ["python -c pass", "evt tail -n 50", "evt status"]


@pytest.mark.skipif(sys.platform != "linux", reason="the agent tells its start by the date of Linux")
def test_a_dropped_file_is_timed_beside_a_bare_watchdog() -> None:
    (table,) = bench("pickup", "--files", "2", "--rounds", "1")["tables"]
    assert names(table) == ["a bare watchdog, as patient", "evt run"]
    assert all(row["p50 ms"] > 0 for row in table["rows"])


@pytest.mark.parametrize("work", [*WORKS, "page"])
def test_each_work_says_what_it_takes(work: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([work, "--help"])
    assert end.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: python -m tools.bench {work}")


def test_a_contestant_is_compared_with_the_anchor_before_and_after_it() -> None:
    anchors = iter([2.0, 4.0, 6.0])
    results = in_turns(
        Contestant("anchor", lambda: next(anchors)), [Contestant("ours", lambda: 30.0, "≥ 1")], 2
    )
    anchor, ours = results
    assert anchor.figures == [2.0, 4.0, 6.0]
    assert ours.ratios == [10.0, 6.0]
    assert ours.ratio == 8.0
    assert ours.beside(ours) == 1


def test_figures_are_kept_by_the_work_and_replace_those_before(tmp_path: Path) -> None:
    path = tmp_path / "kept.json"
    table = Table("Title", ("what", "ratio to x"), [{"what": "evt", "ratio to x": 2.0}])
    page.keep(path, "claims", ["claims", "--peers", "/somewhere", "--keep", str(path)], [table])
    page.keep(path, "claims", ["claims", "--one-folder"], [table])
    page.keep(path, "claims", ["claims", "--tasks", "3"], [table])
    kept = json.loads(path.read_text(encoding="utf-8"))
    assert {name: one["command"] for name, one in kept.items()} == {
        "claims": "claims --tasks 3",
        "claims-one-folder": "claims --one-folder",
    }
    text = page.with_figures("a\n<!-- figures: claims -->\nold\n<!-- end -->\nb\n", kept)
    assert "old" not in text
    assert "| evt  | 2          |" in text
    assert page.with_figures(text, kept) == text
    assert ">evt</text>" in plot.picture(kept)


def test_a_figure_stands_beside_its_goal_and_its_floor() -> None:
    rows = [
        {"what": "a", "ratio to the anchor": 1.3, "goal": "≥ 1.2", "floor": "≥ 1.1"},
        {"what": "b", "ratio to the anchor": 1.15, "goal": "≥ 1.2", "floor": "≥ 1.1"},
        {"what": "c", "ratio to the anchor": 7.0, "goal": "≤ 6", "floor": None},
        {"what": "d", "ratio to the anchor": 1.0, "goal": None, "floor": None},
        {"what": "e", "times eventsourcing": 17.0, "goal for that": "≥ 20 (floor 16)", "goal": None},
        {"what": "f", "% of a core": 0.4, "goal %": 0.5, "MiB": 90.0, "goal MiB": 80.0},
        {"view": "g", "MiB at 10": 90.0, "MiB at 20": 60.0, "goal": "≤ 64"},
    ]
    found = [*goals.reached({"verbs": {"tables": [{"title": "T", "rows": rows}]}})]
    assert [(one.what, one.measure, one.met) for one in found] == [
        ("a", "ratio to the anchor", "yes"),
        ("b", "ratio to the anchor", "floor"),
        ("c", "ratio to the anchor", "no"),
        ("e", "times eventsourcing", "floor"),
        ("f", "% of a core", "yes"),
        ("f", "MiB", "no"),
        ("g", "MiB at 20", "yes"),
    ]


def test_the_pages_figures_and_its_picture_are_those_that_are_kept() -> None:
    kept = json.loads(page.KEPT.read_text(encoding="utf-8"))
    text = page.PAGE.read_text(encoding="utf-8")
    assert page.with_figures(text, kept) == text, "write them anew: python -m tools.bench page"
    assert page.PICTURE.read_text(encoding="utf-8") == plot.picture(kept), "python -m tools.bench page"
    marks = {found["name"] for found in page.BLOCK.finditer(text)}
    assert {*kept, page.SUMMARY} == marks
    assert {name.removesuffix("-one-folder") for name in kept} == set(WORKS)
