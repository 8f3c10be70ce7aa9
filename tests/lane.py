"""The lane's real CLI, called the way the program calls it, in an environment of its own."""

import os
import signal
import socket
import sys
import uuid
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import pytest
import trio
from trio.abc import Clock

from adapters.blob_store import BlobStore
from adapters.claude_agent import ClaudeAgent
from adapters.process_tree import ProcessTrees, alive
from adapters.work_tree import WorkTrees
from handlers.outcome import Verdict, judge
from handlers.ports.agent import AgentOrder
from handlers.stream import StreamState, hear, report
from handlers.tools import granted, offered
from schemas.process import ProcessIdentity
from schemas.turn import TurnReport
from tests.model_api import ModelApi
from tools.claude_lane import RECIPE, Cli, Lane, LaneMissing, Recipe, ensure, lane_folder

KEY = "dummy-key-of-the-lane"
Found = TypeVar("Found")


@cache
def _found() -> Lane | str:
    if sys.platform == "win32":
        return "the lane's tests are for POSIX: they send signals"
    try:
        folder = lane_folder(os.environ, Path(sys.prefix), Path(sys.base_prefix))
        return ensure(os.environ, Recipe(RECIPE), folder)
    except LaneMissing as problem:
        return str(problem)


def the_lane() -> Lane:
    """Both versions; without them the test is skipped, and fails where CI=true."""
    found = _found()
    if isinstance(found, Lane):
        return found
    if os.environ.get("CI", "").lower() in ("true", "1"):
        pytest.fail(f"CI needs the Claude lane: {found}", pytrace=False)
    pytest.skip(f"no Claude lane: {found}")


def both(
    work: Callable[[Cli], Coroutine[Any, Any, Found]], clock: Callable[[], Clock] | None = None
) -> list[Found]:
    """Do the work with the older and the newer version, side by side; what came of it, in that order.

    `clock` makes the clock that trio shall go by.
    """

    def one(cli: Cli) -> Found:
        try:
            return trio.run(work, cli, clock=None if clock is None else clock())
        except BaseException as problem:
            problem.add_note(f"with the Claude CLI {cli.version}")
            raise

    with ThreadPoolExecutor(max_workers=2) as pool:
        return list(pool.map(one, the_lane().both))


def environment(user: Path, url: str) -> dict[str, str]:
    """All that a program of the lane sees: nothing of the one who runs the tests."""
    return {
        "PATH": os.defpath,
        "PYTHONPATH": str(Path(__file__).parents[1]),  # this tree, not what happens to be installed
        "HOME": str(user),
        "ANTHROPIC_BASE_URL": url,
        "ANTHROPIC_API_KEY": KEY,
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
        "DISABLE_TELEMETRY": "1",
    }


def refusing_url() -> str:
    """An address on loopback where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}"


@dataclass
class Place:
    """A folder for one version's turns: a user's home, a working directory, the blobs.

    `more` are variables beside those of `environment`; None takes one away. `executable`
    stands for the CLI's own program. `patience_s` is what ProcessTrees gets.
    """

    root: Path
    cli: Cli
    url: str
    more: Mapping[str, str | None] = field(default_factory=dict)
    executable: str = ""
    patience_s: float = 10.0

    def __post_init__(self) -> None:
        self.root = self.root.resolve()
        self.user, self.work, self.blobs = (self.root / name for name in ("user", "project", "blobs"))
        for folder in (self.user, self.work):
            folder.mkdir(parents=True, exist_ok=True)

    def agent(self) -> ClaudeAgent:
        said = {**environment(self.user, self.url), **self.more}
        return ClaudeAgent(
            executable=self.executable or str(self.cli.program),
            environ={name: value for name, value in said.items() if value is not None},
            blobs=BlobStore(self.blobs, str),
            redact=str,
            trees=ProcessTrees(patience_s=self.patience_s),
        )

    def order(self, prompt: str, task_type: str = "bug_fix", **changed: Any) -> AgentOrder:
        """A turn as a worker orders it for a task of this type."""
        plain = AgentOrder(
            session_id=str(uuid.uuid4()),
            cwd=str(self.work),
            prompt=prompt,
            tools=offered(task_type),
            allowed=granted(task_type),
            instructions=None,
            denied=(),
            max_turns=30,
            max_budget_usd=None,
            timeout_s=60.0,
        )
        return replace(plain, **changed)


@dataclass(frozen=True)
class Played:
    """What a turn left behind, and how it is judged."""

    report: TurnReport
    files: tuple[str, ...]
    verdict: Verdict
    lines: tuple[Mapping[str, Any], ...]
    process: ProcessIdentity | None

    def line(self, kind: str, subtype: str | None = None) -> Mapping[str, Any]:
        """The first line of a type."""
        of_kind = (one for one in self.lines if one["type"] == kind)
        return next(one for one in of_kind if subtype in (None, one.get("subtype")))


async def play(
    place: Place, order: AgentOrder, meanwhile: Callable[[ProcessIdentity], object] | None = None
) -> Played:
    """One turn through the agent, the reading of its lines, the comparison of files and the judge.

    `meanwhile` is called in a thread once the process is there, with its identity.
    """
    tree = WorkTrees([])
    before = await tree.snapshot(order.cwd)
    state, lines, processes = StreamState(), list[Mapping[str, Any]](), list[ProcessIdentity]()

    async def heard(line: Mapping[str, Any]) -> None:
        nonlocal state
        lines.append(line)
        state, _ = hear(state, line)

    async with trio.open_nursery() as nursery:

        async def started(process: ProcessIdentity) -> None:
            processes.append(process)
            if meanwhile is not None:
                nursery.start_soon(trio.to_thread.run_sync, meanwhile, process)

        end = await place.agent().run(order, started, heard)
    assert not any(alive(process) for process in processes)
    files = tuple(change.path for change in (await tree.changes(order.cwd, before)).files)
    told = report(state, end, order.session_id)
    return Played(told, files, judge(told, files), tuple(lines), processes[0] if processes else None)


def when_silent(api: ModelApi, token: str, number: signal.Signals) -> Callable[[ProcessIdentity], None]:
    """Signal the CLI as soon as its request is being kept waiting."""

    def strike(process: ProcessIdentity) -> None:
        assert api.wait_silent(token)
        os.kill(process.pid, number)

    return strike
