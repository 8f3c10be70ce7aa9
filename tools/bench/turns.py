"""Contestants in turns, the anchor before and after each of them: what else the machine does hits all."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Final

from tools.bench.table import Cell, spread

Turn = Callable[[], float]
"""Does its work once; a speed or a time, the same kind for all that are compared."""

ANCHOR: Final = "ratio to the anchor"


@dataclass(frozen=True)
class Contestant:
    """`goal` is a sentence such as `≥ 1.2`; `floor` is what is called good where it is missed."""

    name: str
    turn: Turn
    goal: str | None = None
    floor: str | None = None


@dataclass(frozen=True)
class Result:
    """One figure a round, and the same beside the mean of the anchor's before and after it."""

    contestant: Contestant
    figures: Sequence[float]
    ratios: Sequence[float]

    @property
    def figure(self) -> float:
        return median(self.figures)

    @property
    def ratio(self) -> float:
        return median(self.ratios)

    def beside(self, other: "Result") -> float:
        """How many times the other's, round by round."""
        return median(ours / theirs for ours, theirs in zip(self.ratios, other.ratios, strict=True))


def in_turns(anchor: Contestant, contestants: Sequence[Contestant], rounds: int) -> list[Result]:
    """The anchor's own result is the first; its ratios are of one of its turns to the next."""
    figures: dict[str, list[float]] = {one.name: [] for one in contestants}
    ratios: dict[str, list[float]] = {one.name: [] for one in contestants}
    anchors = [anchor.turn()]
    for _ in range(rounds):
        for one in contestants:
            figure = one.turn()
            anchors.append(anchor.turn())
            figures[one.name].append(figure)
            ratios[one.name].append(figure / ((anchors[-2] + anchors[-1]) / 2))
    own = [later / earlier for earlier, later in pairwise(anchors)]
    return [
        Result(anchor, anchors, own),
        *(Result(one, figures[one.name], ratios[one.name]) for one in contestants),
    ]


def rows(results: Sequence[Result], unit: str) -> Iterator[dict[str, Cell]]:
    """The rows of a table; `unit` names the column of the figures."""
    for number, result in enumerate(results):
        yield {
            "what": result.contestant.name,
            unit: result.figure,
            ANCHOR: result.ratio if number else 1.0,
            "spread": spread(result.ratios),
            "goal": result.contestant.goal,
            "floor": result.contestant.floor,
        }
