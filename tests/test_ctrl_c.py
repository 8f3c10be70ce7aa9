"""Ctrl-C ends the service as a signal to stop does: cleanly, and what it did stands in the log."""

import signal
from pathlib import Path

import psutil

from schemas import names
from tests.service import drop, events, evt, folder, home_at, running, task_text, until


def test_ctrl_c_ends_an_idle_service_cleanly(tmp_path: Path) -> None:
    home = home_at(tmp_path)
    with running(home) as service:
        until(home, lambda event: event.type == names.ORCHESTRATOR_STARTED)
        service.send_signal(signal.SIGINT)
        assert service.wait(timeout=60) == 0
    assert any(event.type == names.ORCHESTRATOR_STOPPED for event in events(home))


def test_ctrl_c_twice_ends_a_working_service_at_once_and_its_task_goes_on_later(tmp_path: Path) -> None:
    home = home_at(tmp_path)
    drop(home, "long", task_text(folder(home)))
    with running(home, CLAUDE_CODE_RECORDED_PAUSE_MS="600000") as service:
        agent = until(home, lambda event: event.type == names.AGENT_STARTED)
        service.send_signal(signal.SIGINT)
        until(home, lambda event: event.type == names.STOP_REQUESTED)
        service.send_signal(signal.SIGINT)
        assert service.wait(timeout=60) == 0
    assert not psutil.pid_exists(agent.data["process"]["pid"])
    assert names.TASK_INTERRUPTED in {event.type for event in events(home)}
    assert evt(home, "run", "--drain").returncode == 0
    assert [event.type for event in events(home) if event.type in names.ENDS] == [names.TASK_SUCCEEDED]
