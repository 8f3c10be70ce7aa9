"""What a measurement has found, as a table for a person and as JSON for a program."""

import json
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

Cell = str | float | int | None


@dataclass(frozen=True)
class Table:
    """`columns` are the keys of every row, in order; a note is one sentence."""

    title: str
    columns: tuple[str, ...]
    rows: Sequence[Mapping[str, Cell]]
    notes: tuple[str, ...] = field(default_factory=tuple)

    def text(self) -> str:
        """As Markdown, so that it can go into a document as it is."""
        cells = [list(self.columns), *([shown(row[name]) for name in self.columns] for row in self.rows)]
        widths = [max(len(line[place]) for line in cells) for place in range(len(self.columns))]
        lines = [
            "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |"
            for line in cells
        ]
        lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
        return "\n".join([self.title, "", *lines, *(("", *self.notes) if self.notes else ())])


def shown(cell: Cell) -> str:
    if isinstance(cell, float):
        return f"{cell:.3g}" if abs(cell) < 100 else f"{cell:.0f}"
    return "" if cell is None else str(cell)


def spread(values: Sequence[float]) -> str:
    """The least and the greatest."""
    return f"{shown(float(min(values)))} to {shown(float(max(values)))}"


def ratios(values: Sequence[float], anchor: Sequence[float]) -> tuple[float, str]:
    """The median of what each round gave beside the anchor of the same round, and the spread."""
    found = [value / beside for value, beside in zip(values, anchor, strict=True)]
    return median(found), spread(found)


def machine() -> dict[str, Any]:
    """What kind of machine this is, without its name."""
    return {
        "system": platform.system(),
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
    }


def as_document(work: str, tables: Sequence[Table]) -> dict[str, Any]:
    """The same for a program."""
    return {
        "work": work,
        "machine": machine(),
        "tables": [
            {"title": one.title, "columns": one.columns, "rows": one.rows, "notes": one.notes}
            for one in tables
        ],
    }


def say(work: str, tables: Sequence[Table], *, as_json: bool) -> None:
    """Print all of it on stdout."""
    if as_json:
        print(json.dumps(as_document(work, tables), indent=2))
        return
    kind = machine()
    print(f"{kind['system']} {kind['processor']}, {kind['cores']} cores, Python {kind['python']}")
    for one in tables:
        print(f"\n{one.text()}")
    sys.stdout.flush()
