"""The kill sweep: the program is killed at each call that changes a file, and nothing of it is lost."""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tools.crash.aftermath import Aftermath
from tools.crash.sandbox import Rehearsal, Scene
from tools.crash.tracing import CALLS, tampering


@dataclass(frozen=True)
class Point:
    """The `number`th call of that name, counted by each thread for itself."""

    scene: Scene
    call: str
    number: int

    def __str__(self) -> str:
        return f"`evt {self.scene.step}` at {self.call} {self.number}"


@dataclass
class Told:
    """What came of it. `missed` are runs that ended before their point came."""

    points: Counter[str] = field(default_factory=Counter)
    commands: set[int] = field(default_factory=set)
    missed: int = 0
    acks: int = 0
    unacknowledged: int = 0
    drained: int = 0
    wrong: list[str] = field(default_factory=list)

    @property
    def killed(self) -> int:
        return sum(self.points.values())


Progress = Callable[[int, int, Told], None]


def points(scenes: Sequence[Scene], home: Path, calls: Collection[str] = CALLS) -> list[Point]:
    """Every call of these names on a file of the home, in the order of the script."""
    found = {}
    for scene in scenes:
        for call in scene.calls(home):
            if call.name in calls:
                found[scene.number, call.name, call.number] = Point(scene, call.name, call.number)
    return list(found.values())


def evenly(found: Sequence[Point], count: int) -> list[Point]:
    """So many of them or a few more, of each kind of call at least one, evenly spread; all for 0."""
    if not 0 < count < len(found):
        return list(found)
    by_call: dict[str, list[Point]] = {}
    for point in found:
        by_call.setdefault(point.call, []).append(point)
    chosen: list[Point] = []
    for kind in by_call.values():
        share = min(len(kind), max(1, count * len(kind) // len(found)))
        chosen += [kind[(2 * at + 1) * len(kind) // (2 * share)] for at in range(share)]
    return chosen


class Sweeper:
    def __init__(self, play: Rehearsal, drain_every: int) -> None:
        self._sandbox = play.sandbox
        self._player = play.player
        self._aftermath = Aftermath(play.sandbox, play.player)
        self._drain_every = drain_every
        self.told = Told()

    def kill_at(self, point: Point) -> None:
        """One run, killed there, and all that must hold afterwards."""
        scene, told = point.scene, self.told
        self._sandbox.put_back(scene)
        words = scene.step.said(self._sandbox.home)
        strace = tampering(point.call, "signal=KILL", point.number)
        ran = self._player.evt(words, self._sandbox.home, strace)
        if ran.killed and not ran.late:
            told.points[point.call] += 1
            told.commands.add(scene.number)
        elif ran.late or ran.code != scene.step.code or ran.crashed:
            told.wrong.append(f"{point}: it was not killed and ended with {ran.code}: {ran.last_words}")
        else:
            told.missed += 1
        told.acks += len(ran.acks)
        wrong = self._aftermath.stands(scene.lines, ran.acks)
        if not wrong:
            if scene.lines or ran.acks:
                told.unacknowledged += self._aftermath.unacknowledged(scene.lines, ran.acks)
            wrong = self._aftermath.works_on()
        if not wrong and (scene.step.drains or told.killed % self._drain_every == 0):
            told.drained += 1
            wrong = self._aftermath.drains()
        told.wrong += [f"{point}: {sentence}" for sentence in wrong]


def sweep(
    play: Rehearsal, count: int, drain_every: int, progress: Progress = lambda done, of, told: None
) -> Told:
    """Kill the script at `count` points, 0: at all. After a `run`, and each so-manyeth, a service drains."""
    sweeper = Sweeper(play, drain_every)
    chosen = evenly(points(play.scenes, play.sandbox.home), count)
    for done, point in enumerate(chosen, 1):
        sweeper.kill_at(point)
        progress(done, len(chosen), sweeper.told)
    return sweeper.told
