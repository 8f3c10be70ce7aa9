"""A home that can be put back to where it stood before each command of the script."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from eventstore.sqlite.log import SqliteLog
from tools.crash.player import Player, Ran, scratch
from tools.crash.script import Step
from tools.crash.tracing import Call, profile

LOG = Path("logs/events.db")


def lines(home: Path) -> list[bytes]:
    """What the log holds; nothing where there is none. A home at rest: nobody else has it open."""
    if not (home / LOG).exists():
        return []
    log = SqliteLog(home / LOG, read_only=True)
    try:
        return [event.line for event in log.all()]
    finally:
        log.close()


@dataclass(frozen=True)
class Scene:
    """The home before one command, what the log held then, and the calls of a run that nobody disturbed."""

    step: Step
    number: int
    before: Path
    lines: list[bytes]
    good: Ran

    def calls(self, home: Path) -> list[Call]:
        """Those on the home's files."""
        return [call for call in self.good.trace if call.path.startswith(f"{home}/")]


class Sandbox:
    """`home` is always the same folder: its path stands in the log."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.home = self.state / "home"
        self.user = self.state / "user"
        self.user.mkdir(parents=True)
        self.home.mkdir()

    def rehearse(self, player: Player, script: tuple[Step, ...]) -> list[Scene]:
        """Play the script once, watched. Raises RuntimeError where a command does not do what is expected."""
        scenes = []
        for number, step in enumerate(script):
            if step.before is not None:
                step.before(self.home)
            before = self.folder / f"before-{number:02}"
            held = lines(self.home)
            shutil.copytree(self.state, before, symlinks=True)
            ran = player.evt(step.said(self.home), self.home, strace=profile())
            if ran.code != step.code:
                raise RuntimeError(f"`evt {step}` ended with {ran.code}, not {step.code}: {ran.out}{ran.err}")
            scenes.append(Scene(step, number, before, held, ran))
        return scenes

    def put_back(self, scene: Scene) -> None:
        shutil.rmtree(self.state)
        shutil.copytree(scene.before, self.state, symlinks=True)


@dataclass(frozen=True)
class Rehearsal:
    """A script that was played once, and may now be disturbed."""

    sandbox: Sandbox
    player: Player
    scenes: list[Scene]


@contextmanager
def rehearsed(script: tuple[Step, ...]) -> Iterator[Rehearsal]:
    """In a folder of its own, which is gone afterwards."""
    folder = scratch("evt-crash-")
    try:
        sandbox = Sandbox(folder)
        with Player(folder, sandbox.user) as player:
            yield Rehearsal(sandbox, player, sandbox.rehearse(player, script))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
