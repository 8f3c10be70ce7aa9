"""What was aimed at and what was reached, side by side: every row of the kept figures that has a goal."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tools.bench.table import Table, shown
from tools.bench.works import WORKS

FIGURES: Final[Mapping[str, tuple[str, ...]]] = {
    "goal": (
        "ratio to the anchor",
        "ratio to a loop",
        "p50 beside the channel",
        "ratio to reading and hashing",
        "fdatasync per commit",
        "p99 ms",
        "MiB",
    ),
    "goal for that": ("times eventsourcing",),
    "goal %": ("% of a core",),
    "goal MiB": ("MiB",),
}
"""By the column of a goal, those columns that it may be for: the first that the row has."""

NUMBER: Final = re.compile(r"[0-9.]+")


@dataclass(frozen=True)
class Reached:
    """One figure; `goal` and `floor` with their signs."""

    letter: str
    title: str
    what: str
    measure: str
    figure: float
    goal: str
    floor: str | None

    @property
    def met(self) -> str:
        if _keeps(self.figure, self.goal):
            return "yes"
        return "floor" if self.floor and _keeps(self.figure, self.floor) else "no"


def reached(kept: Mapping[str, Any]) -> Iterator[Reached]:
    """Every figure that has a goal, in the order of the works."""
    for name, work in WORKS.items():
        for table in kept.get(name, {"tables": ()})["tables"]:
            for row in table["rows"]:
                yield from _of_row(work.letter, table["title"], row)


def summary(kept: Mapping[str, Any]) -> str:
    """All of them as a Markdown table."""
    rows = [
        {
            "work": one.letter,
            "what": f"{one.title}: {one.what}" if one.what else one.title,
            "figure": f"{shown(one.figure)} ({one.measure})",
            "goal": one.goal,
            "floor": one.floor,
            "met": one.met,
        }
        for one in reached(kept)
    ]
    table = Table("", ("work", "what", "figure", "goal", "floor", "met"), rows)
    return table.text().strip()


def _of_row(letter: str, title: str, row: Mapping[str, Any]) -> Iterator[Reached]:
    for column, candidates in FIGURES.items():
        if row.get(column) is None:
            continue
        known = [[name for name in row if _is(name, one) and row[name] is not None] for one in candidates]
        measure = next((names[-1] for names in known if names), None)
        if measure is not None:
            goal, floor = _signed(row[column]), row.get("floor")
            if column == "goal for that":
                goal, _, rest = goal.partition(" (floor ")
                floor = f"{goal.split()[0]} {rest.rstrip(')')}" if rest else None
            what = str(row.get("what") or row.get("view") or "")
            yield Reached(letter, title, what, measure, float(row[measure]), goal, floor)


def _is(name: str, wanted: str) -> bool:
    return name == wanted or (wanted == "MiB" and name.startswith("MiB at "))


def _signed(goal: str | float) -> str:
    return goal if isinstance(goal, str) else f"≤ {goal:g}"


def _keeps(figure: float, goal: str) -> bool:
    found = NUMBER.search(goal)
    limit = float(found[0]) if found else 0.0
    return figure >= limit if goal.startswith("≥") else figure <= limit
