"""Who asks is answered in time, though the service or the local model says nothing: held in fake time."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from adapters import desk
from adapters.config.settings import read_settings
from adapters.ollama_model import OllamaModel
from adapters.process_tree import ProcessTrees
from eventstore.file_lock import FileLock
from handlers.ports.model import ModelEnd, ModelOrder
from schemas import names
from schemas.service import OrchestratorStarted
from tests.broken_ollama import LINES, Line, broken, last, part
from tests.homes import BuiltHome
from tests.reading_evt import Evt
from tests.service import events

ORDER = ModelOrder(
    system="You sort wishes.", prompt="fix the cart", schema={"type": "object"}, num_ctx=1024, num_predict=64
)


@dataclass
class FakeTime:
    """Stands for the module `time`: it passes only while somebody sleeps."""

    now: float = 1000.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A home whose service lives, holds it and answers nothing."""
    with BuiltHome(tmp_path / "home") as built:
        own = ProcessTrees().own()
        built.system(OrchestratorStarted(version="0.1.0", process=own, workers=1, drain=False))
    with FileLock(built.root / "logs" / ".owner"):
        yield built.root


def test_an_add_gives_up_on_a_silent_service_after_two_seconds(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = FakeTime()
    monkeypatch.setattr(desk, "time", clock)
    said = Evt(home, capsys)("add", "explain the cart")
    assert said.code == 0, said.err
    assert "received, not yet queued" in said.out
    assert 2.0 <= clock.now - 1000.0 < 2.5
    types = [event.type for event in events(home)]
    assert (names.TASK_RECEIVED in types, names.TASK_QUEUED in types) == (True, False)


@pytest.mark.parametrize(("after_s", "problem"), [(3.0, None), (5.0, "silent")], ids=["in time", "too late"])
def test_by_default_a_silent_model_is_given_up_within_five_seconds(
    tmp_path: Path, after_s: float, problem: str | None
) -> None:
    settings, clock = read_settings(tmp_path, {}), MockClock()

    async def late(line: Line) -> None:
        await wait_all_tasks_blocked()
        clock.jump(after_s)
        await wait_all_tasks_blocked()
        await line.send(LINES, part("{}"), last())

    async def ask() -> ModelEnd:
        async with broken(late) as server:
            patience = settings.model_silence_s, settings.model_timeout_s
            return await OllamaModel(server.url, "tiny:latest", *patience).ask(ORDER)

    assert trio.run(ask, clock=clock).problem == problem
