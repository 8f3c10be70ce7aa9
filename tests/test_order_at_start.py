"""What lies in the inbox when the service starts is begun in the order of its priority, not of its files."""

from pathlib import Path

from schemas import names
from tests.service import drop, events, evt, folder, home_at, task_text


def test_a_high_task_that_was_dropped_last_before_the_start_is_begun_first(tmp_path: Path) -> None:
    home = home_at(tmp_path)
    for number, priority in enumerate(("low", "medium", "low", "medium", "high")):
        name = f"{number}-{priority}"
        drop(home, name, task_text(folder(home, name), priority=priority))
    assert evt(home, "run", "--drain", "--quiet", "--workers", "1").returncode == 0
    claimed = [event.stream for event in events(home) if event.type == names.TASK_CLAIMED]
    assert [stream.rpartition("-")[2] for stream in claimed] == ["high", "medium", "medium", "low", "low"]
