"""A service that is told to stop lets what runs come to its end, and begins nothing new."""

import signal
from pathlib import Path

from schemas import names
from tests.service import drop, events, folder, home_at, running, task_text, until


def test_what_runs_when_the_service_is_told_to_stop_is_done_and_what_waits_is_not_begun(
    tmp_path: Path,
) -> None:
    home = home_at(tmp_path)
    drop(home, "first", task_text(folder(home)))
    with running(home, "--workers", "1", CLAUDE_CODE_RECORDED_PAUSE_MS="1500") as service:
        until(home, lambda event: event.type == names.AGENT_STARTED)
        drop(home, "second", task_text(folder(home, "other")))
        until(home, lambda event: (event.stream, event.type) == ("task-second", names.TASK_QUEUED))
        service.send_signal(signal.SIGTERM)
        assert service.wait(timeout=60) == 0
    log = events(home)
    assert [event.stream for event in log if event.type == names.TASK_CLAIMED] == ["task-first"]
    assert [event.type for event in log if event.type in names.ENDS] == [names.TASK_SUCCEEDED]
