"""A service whose terminal goes, two that start at once, and a views' file that somebody else holds."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import pytest

from adapters.cli.failure import CONFLICT, GOOD
from adapters.cli.run import VERBS_TAKE_S, _Patience
from adapters.desk import BRIEFLY_S, Desk
from projections import views
from schemas import names
from tests.homes import BuiltHome
from tests.reading_evt import Evt
from tests.service import command, drop, environment, events, folder, home_at, until

posix = pytest.mark.skipif(
    sys.platform == "win32", reason="a pseudo-terminal, and an agent that begins with #!"
)

AGENT = f"""#!{sys.executable}
import json, sys, time
sys.stdin.read()
time.sleep(1.5)
result = {{"type": "result", "subtype": "success", "is_error": False, "num_turns": 1, "result": "Done."}}
print(json.dumps(result))
"""


def slow_home(tmp_path: Path) -> Path:
    agent = tmp_path / "agent"
    agent.write_text(AGENT, encoding="utf-8", newline="\n")
    agent.chmod(0o755)
    home = home_at(tmp_path / "home", f"CLAUDE_EXECUTABLE={agent}\n")
    text = f"---\ntype: analyze\ncwd: '{folder(home)}'\n---\n# T\n\nLook at it.\n"
    drop(home, "a", text)
    return home


@posix
@pytest.mark.parametrize("quiet", [False, True])
def test_a_service_whose_terminal_is_closed_ends_as_it_promises(tmp_path: Path, *, quiet: bool) -> None:
    home = slow_home(tmp_path)
    ours, theirs = os.openpty()
    words = ["run", "--home", str(home), *(["--quiet"] if quiet else [])]
    with subprocess.Popen(
        command(*words),
        env=environment(TERM="xterm"),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    ) as service:
        os.close(theirs)
        until(home, lambda event: event.type == names.AGENT_STARTED)
        os.close(ours)
        service.send_signal(signal.SIGHUP)
        assert service.wait(60) == 0
    kinds = [event.type for event in events(home)]
    assert names.TASK_SUCCEEDED in kinds
    assert names.TASK_INTERRUPTED not in kinds
    assert names.ORCHESTRATOR_STOPPED in kinds


@posix
def test_of_two_services_that_start_at_once_one_serves_and_one_says_who(tmp_path: Path) -> None:
    home = slow_home(tmp_path)
    words = command("run", "--quiet", "--home", str(home))
    both = [
        subprocess.Popen(words, env=environment(), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
        for _ in range(2)
    ]
    try:
        deadline = time.monotonic() + 60
        while all(one.poll() is None for one in both):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        (second,) = (one for one in both if one.poll() is not None)
        (first,) = (one for one in both if one is not second)
        assert second.returncode == CONFLICT
        assert f"is owned by the service with pid {first.pid}" in second.communicate()[1].decode()
        first.send_signal(signal.SIGINT)
        assert first.wait(60) == 0
    finally:
        for one in both:
            one.kill()
            one.wait()
            if one.stderr is not None:
                one.stderr.close()


class Served:
    """A desk at a log in which nobody has said yet that he is at work."""

    def __init__(self, home: BuiltHome) -> None:
        self.storage = self
        self.log = home.log

    def service(self) -> None:
        return None


@pytest.fixture
def home(tmp_path: Path) -> Iterator[BuiltHome]:
    with BuiltHome(tmp_path / "built") as built:
        yield built


def test_the_patience_of_a_second_service_ends_when_the_first_has_said_that_it_works(home: BuiltHome) -> None:
    patience = _Patience(cast(Desk, Served(home)))
    assert patience() == VERBS_TAKE_S
    home.queue("one")
    assert patience() == VERBS_TAKE_S, "a verb is soon done"
    home.raw("system", names.ORCHESTRATOR_STARTED, {})
    assert patience() == BRIEFLY_S


def test_a_verb_beside_a_views_file_that_somebody_holds_says_that_they_lag(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert views.BUSY_S <= 5, "Ctrl-C is not heard for so long"
    monkeypatch.setattr(views, "BUSY_S", 0.05)
    root = home_at(tmp_path / "home")
    evt = Evt(root, capsys)
    assert evt("add", "explain the shelf").code == GOOD
    with closing(sqlite3.connect(root / "logs" / "views.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        said: Any = evt("add", "explain the door")
        assert (said.code, "the views could not be brought up to date" in said.err) == (GOOD, True)
    assert evt("list").out.count("explain the") == 2
