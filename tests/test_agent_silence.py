"""An agent that says nothing for too long is ended; whatever is a sign of life keeps it.

The clock goes on by itself and is put forward where nobody speaks: no test waits for a silence.
"""

import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import trio

from adapters.process_tree import alive
from handlers.ports.agent import AgentEnd
from tests.test_claude_agent import RESULT, Stage, plays

SILENCE_S = 200.0
LIMIT_S = 1_000_000.0
STEP = """
def step(name):
    while not (Path(os.environ["HOME"]) / name).exists(): time.sleep(0.01)
"""

Scene = Callable[["Quiet"], Awaitable[None]]


class Quiet(Stage):
    """A stage on which the time between two lines is made by a scene that runs beside the agent."""

    def __init__(self, folder: Path, script: str, **settings: Any) -> None:
        super().__init__(folder, STEP + script, **settings)
        self._more = trio.Event()

    async def listen(self, line: Mapping[str, Any]) -> None:
        self.heard.append(line)
        self._more.set()
        self._more = trio.Event()

    async def hears(self, count: int) -> None:
        """Return once so many lines have been heard: the agent's silence is counted from the last."""
        while len(self.heard) < count:
            await self._more.wait()

    def permit(self, name: str) -> None:
        (self.folder / name).touch()

    def perform(self, scene: Scene, **changed: Any) -> AgentEnd:
        order = self.order(**{"inactivity_s": SILENCE_S, "timeout_s": LIMIT_S, **changed})

        async def main() -> AgentEnd:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(scene, self)
                end = await self.agent.run(order, self.started, self.listen)
                nursery.cancel_scope.cancel()
            return end

        end = trio.run(main, clock=self.clock)
        assert not any(alive(identity) for identity in self.identities)
        return end


async def too_long(stage: Quiet) -> None:
    """One line, and then nothing for longer than may be."""
    await stage.hears(1)
    stage.clock.jump(SILENCE_S + 10)


@plays
def test_an_agent_that_falls_silent_is_ended_with_its_tree(tmp_path: Path) -> None:
    stage = Quiet(tmp_path, "sleeper(start_new_session=True); say(type='assistant'); time.sleep(600)")
    end = stage.perform(too_long)
    assert (end.ended, end.exit_code) == ("inactivity", -15)
    assert end.note == "it said nothing for 200 s, and was ended"
    assert stage.noted() is None


@plays
def test_an_agent_that_never_says_a_word_is_ended(tmp_path: Path) -> None:
    stage = Quiet(tmp_path, "(Path(os.environ['HOME']) / 'up').touch(); time.sleep(600)")

    async def scene(stage: Quiet) -> None:
        while not (stage.folder / "up").exists():  # noqa: ASYNC110 - a file rings no bell
            await trio.sleep(0.01)
        stage.clock.jump(SILENCE_S + 10)

    end = stage.perform(scene)
    assert (end.ended, stage.heard) == ("inactivity", [])


@plays
def test_a_stopped_agent_is_silent(tmp_path: Path) -> None:
    stage = Quiet(tmp_path, "say(type='assistant'); os.kill(os.getpid(), signal.SIGSTOP); result()")
    assert stage.perform(too_long).ended == "inactivity"


@plays
@pytest.mark.parametrize(
    "noise",
    ["print('still here', flush=True)", "print('[1]', flush=True)", "print(file=sys.stderr, flush=True)"],
)
def test_noise_is_no_sign_of_life(tmp_path: Path, noise: str) -> None:
    stage = Quiet(tmp_path, f"say(type='assistant')\nwhile True: {noise}; time.sleep(0.01)")
    assert stage.perform(too_long).ended == "inactivity"


@plays
def test_an_agent_that_closed_its_output_and_stays_is_silent(tmp_path: Path) -> None:
    stage = Quiet(tmp_path, "say(type='assistant'); os.close(1); os.close(2); time.sleep(600)")
    assert stage.perform(too_long).ended == "inactivity"


@plays
@pytest.mark.parametrize("kind", ["tool_progress", "novelty"])
def test_each_line_is_a_sign_of_life_heartbeats_of_a_long_tool_too(tmp_path: Path, kind: str) -> None:
    stage = Quiet(
        tmp_path,
        f"for at in range(5): say(type={kind!r}, at=at); step(f'go-{{at}}')\nresult()",
    )

    async def scene(stage: Quiet) -> None:
        for at in range(5):
            await stage.hears(at + 1)
            stage.clock.jump(SILENCE_S * 0.6)
            stage.permit(f"go-{at}")

    end = stage.perform(scene)
    assert (end.ended, end.exit_code, end.note) == ("exited", 0, None)
    assert end.elapsed_ms > 5 * SILENCE_S * 0.6 * 1000
    assert stage.heard[-1] == RESULT


@plays
def test_the_time_limit_is_the_cap_of_an_agent_that_speaks(tmp_path: Path) -> None:
    stage = Quiet(tmp_path, "for at in range(4): say(type='tool_progress', at=at); step(f'go-{at}')")

    async def scene(stage: Quiet) -> None:
        for at in range(4):
            await stage.hears(at + 1)
            stage.clock.jump(SILENCE_S * 0.6)
            if at < 3:
                stage.permit(f"go-{at}")

    assert stage.perform(scene, timeout_s=4 * SILENCE_S * 0.6 - 10).ended == "timeout"


@plays
def test_where_silence_is_not_watched_only_the_time_limit_holds(tmp_path: Path) -> None:
    stage = Quiet(tmp_path, "say(type='assistant'); step('go'); result()")

    async def scene(stage: Quiet) -> None:
        await stage.hears(1)
        stage.clock.jump(LIMIT_S / 2)
        await trio.sleep(0.1)
        stage.permit("go")

    end = stage.perform(scene, inactivity_s=0.0)
    assert (end.ended, end.exit_code) == ("exited", 0)


@plays
def test_after_a_result_its_grace_holds_and_no_silence_is_counted(tmp_path: Path) -> None:
    stage = Quiet(tmp_path, "result(); step('go'); sys.exit(3)", result_grace_s=1_000.0)

    async def scene(stage: Quiet) -> None:
        await stage.hears(1)
        stage.clock.jump(SILENCE_S + 10)
        await trio.sleep(0.1)
        stage.permit("go")

    assert stage.perform(scene).exit_code == 3


@plays
def test_an_agent_that_stays_after_its_result_is_called_so_and_not_silent(tmp_path: Path) -> None:
    stage = Quiet(tmp_path, "result(); time.sleep(600)", result_grace_s=1_000.0)

    async def scene(stage: Quiet) -> None:
        await stage.hears(1)
        stage.clock.jump(1_010.0)

    end = stage.perform(scene)
    assert (end.ended, end.note) == ("exited", "it did not go after its result, and was ended")


@plays
def test_the_time_that_we_take_over_a_line_is_not_the_agent_s_silence(tmp_path: Path) -> None:
    stage = Quiet(tmp_path, "say(type='assistant'); step('go'); result()")

    async def slowly(line: Mapping[str, Any]) -> None:
        stage.heard.append(line)
        if line["type"] == "assistant":
            for _ in range(3):  # a disk that is full: the log takes nothing for a while
                stage.clock.jump(SILENCE_S + 10)
                await trio.sleep(0.05)
            stage.permit("go")

    order = stage.order(inactivity_s=SILENCE_S, timeout_s=LIMIT_S)
    end = trio.run(stage.agent.run, order, stage.started, slowly, clock=stage.clock)
    assert (end.ended, end.exit_code, len(stage.heard)) == ("exited", 0, 2)


@plays
@pytest.mark.parametrize("_again", range(4))  # which of two tasks goes first is a matter of chance
def test_a_line_that_came_while_we_slept_is_heard_before_a_silence_is_believed(
    tmp_path: Path, _again: int
) -> None:
    stage = Quiet(
        tmp_path,
        "say(type='assistant'); step('go'); say(type='assistant', at=2)\n"
        "(Path(os.environ['HOME']) / 'said').touch(); step('on'); result()",
    )

    async def scene(stage: Quiet) -> None:
        await stage.hears(1)
        stage.permit("go")
        while not (stage.folder / "said").exists():
            time.sleep(0.01)  # noqa: ASYNC251 - the whole service sleeps, as it does when it is stopped
        stage.clock.jump(SILENCE_S + 10)
        await stage.hears(2)
        stage.permit("on")

    end = stage.perform(scene)
    assert (end.ended, end.exit_code, len(stage.heard)) == ("exited", 0, 3)


@plays
def test_a_prompt_that_is_never_read_holds_no_silence_off(tmp_path: Path) -> None:
    stage = Quiet(tmp_path, "say(type='assistant'); time.sleep(600)")
    assert stage.perform(too_long, prompt="Task:\n" + "z" * 10_000_000).ended == "inactivity"
