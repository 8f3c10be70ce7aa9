"""A disk that fails or is full: EIO and ENOSPC at each write and sync, once or from there on."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tools.crash.aftermath import Aftermath
from tools.crash.oracle import VIEWS
from tools.crash.player import Ran
from tools.crash.sandbox import LOG, Rehearsal, Scene
from tools.crash.sweep import Point, evenly, points
from tools.crash.tracing import SYNCS, WRITES, Call, tampering

ERRORS: Final = ("EIO", "ENOSPC")
VERBS: Final = ("add", "pause", "cancel")
"""The first of each in the script: two events, one, and one with all that is settled for it."""
ENDINGS: Final = frozenset({0, 74})
LIMIT_S: Final = 60.0


@dataclass
class Told:
    """What came of it; `codes` are exit codes, `missed` are runs in which the fault did not come."""

    runs: Counter[str] = field(default_factory=Counter)
    codes: Counter[int] = field(default_factory=Counter)
    missed: int = 0
    acks: int = 0
    wrong: list[str] = field(default_factory=list)


Progress = Callable[[int, int, Told], None]


@dataclass(frozen=True)
class Fault:
    """An error of one call; `stays`: of all that follow, too. `path`: only on that file, counted there."""

    point: Point
    error: str
    stays: bool
    path: str | None = None

    def options(self) -> list[str]:
        number = f"{self.point.number}+" if self.stays else self.point.number
        return tampering(self.point.call, f"error={self.error}", number, self.path)

    def __str__(self) -> str:
        where = "" if self.path is None else f" on {self.path.rpartition('/')[2]}"
        return f"{self.point}{where}: {self.error}{' from there on' if self.stays else ''}"


def synced_again(trace: Sequence[Call]) -> list[str]:
    """Files that were synced once more after a sync of them had failed: what that says is worth nothing.

    Not so for folders, since SQLite does not look at what the sync of one says, and for the views, which
    are made from the log again at any time.
    """
    failed, again = set[str](), []
    for call in trace:
        if call.name in SYNCS and call.path in failed:
            again.append(f"{call.path.rpartition('/')[2]} was synced again after a sync of it had failed")
        views = Path(call.path).name.startswith(VIEWS.name)
        if call.name in SYNCS and call.injected and not (views or Path(call.path).is_dir()):
            failed.add(call.path)
    return list(dict.fromkeys(again))


def of_verbs(play: Rehearsal, count: int) -> Iterator[Fault]:
    """At each write and sync of the verbs; `count` points, 0: all."""
    first = {scene.step.words[0]: scene for scene in reversed(play.scenes)}
    found = points([first[verb] for verb in VERBS], play.sandbox.home, WRITES | SYNCS)
    for number, point in enumerate(evenly(found, count)):
        kinds = [(error, stays) for error in ERRORS for stays in (False, True)]
        # A sample takes the four kinds in turn.
        for error, stays in kinds if not count else kinds[number % 4 :][:1]:
            yield Fault(point, error, stays)


def of_service(play: Rehearsal, count: int) -> Iterator[Fault]:
    """At the writes and syncs of the log under a small load, counted by file."""
    scene = next(scene for scene in play.scenes if scene.step.drains)
    counts = Counter[tuple[int, str, str]]()
    found: dict[tuple[str, str, int], Fault] = {}
    for call in scene.good.trace:
        if call.name in WRITES | SYNCS and call.path.startswith(str(play.sandbox.home / LOG)):
            counts[call.thread, call.name, call.path] += 1
            number = counts[call.thread, call.name, call.path]
            point = Point(scene, call.name, number)
            found[call.path, call.name, number] = Fault(point, "EIO", stays=True, path=call.path)
    every = list(found.values())
    for at in range(count):
        fault = every[(2 * at + 1) * len(every) // (2 * count)]
        yield Fault(fault.point, ERRORS[at % 2], stays=at % 4 < 2, path=fault.path)


class Faults:
    def __init__(self, play: Rehearsal) -> None:
        self._sandbox = play.sandbox
        self._player = play.player
        self._aftermath = Aftermath(play.sandbox, play.player)
        self.told = Told()

    def strike(self, fault: Fault) -> None:
        """One run with that fault, and all that must hold in it and afterwards."""
        scene, told = fault.point.scene, self.told
        self._sandbox.put_back(scene)
        words = [*scene.step.said(self._sandbox.home), *(("--drain-wait", "1") if scene.step.drains else ())]
        ran = self._player.evt(words, self._sandbox.home, fault.options(), LIMIT_S)
        struck = any(call.injected for call in ran.trace)
        told.missed += not struck
        told.runs[f"{scene.step.words[0]}, {fault.error}"] += struck
        told.codes[ran.code] += 1
        told.acks += len(ran.acks)
        wrong = [*self._wrong_end(ran, scene), *synced_again(ran.trace)]
        wrong += self._aftermath.stands(scene.lines, ran.acks)
        if not wrong:
            wrong = self._aftermath.drains() if scene.step.drains else self._aftermath.works_on()
        told.wrong += [f"{fault}: {sentence}" for sentence in wrong]

    def _wrong_end(self, ran: Ran, scene: Scene) -> Iterator[str]:
        if ran.late:
            yield f"it had not ended after {LIMIT_S:g} s"
        elif ran.code not in ENDINGS:
            yield f"it ended with {ran.code}: {ran.last_words}"
        told = Counter(ack.stream for ack in ran.acks)
        wanted = Counter(ack.stream for ack in scene.good.acks if ack.stream != "system")
        if ran.code == 0 and wanted - told and not scene.step.drains:
            yield f"it said that all was good, and events of {sorted(wanted - told)} were never acknowledged"
        if ran.crashed or (ran.code in ENDINGS and ran.code and "evt: " not in ran.err):
            yield f"it did not say in a sentence what was wrong: {ran.last_words}"


def faults(
    play: Rehearsal, verbs: int, service: int, progress: Progress = lambda done, of, told: None
) -> Told:
    """At `verbs` points of appending verbs (0: at all, each error once and for good), in `service` runs."""
    struck = Faults(play)
    chosen = [*of_verbs(play, verbs), *of_service(play, service)]
    for done, fault in enumerate(chosen, 1):
        struck.strike(fault)
        progress(done, len(chosen), struck.told)
    return struck.told
