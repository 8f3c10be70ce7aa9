"""docs/performance.svg: every ratio of the figures that are kept, beside its goal, on one scale."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from xml.sax.saxutils import escape

from tools.bench.works import WORKS

LEAST: Final = 0.001
MOST: Final = 100.0
LEFT: Final = 290
WIDTH: Final = 820
ROW: Final = 17
HEAD: Final = 30
SCALE: Final = (0.001, 0.01, 0.1, 1, 10, 100)

STYLE: Final = """
  text { font: 12px system-ui, sans-serif; fill: #24292f; }
  .head { font-weight: 600; }
  .ours { fill: #0969da; }
  .other { fill: #8c959f; }
  .goal { stroke: #cf222e; stroke-width: 2; }
  .line { stroke: #d0d7de; }
  .one { stroke: #57606a; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .ours { fill: #4493f8; }
    .other { fill: #6e7681; }
    .goal { stroke: #ff7b72; }
    .line { stroke: #30363d; }
    .one { stroke: #8b949e; }
  }
"""


@dataclass(frozen=True)
class Bar:
    """A ratio; `goal` is a number with its sign, `≥ 1.2` or `≤ 6`, where there is one."""

    what: str
    ratio: float
    goal: str | None

    @property
    def ours(self) -> bool:
        return "evt" in self.what or self.goal is not None


def picture(kept: Mapping[str, Any]) -> str:
    """The SVG. A bar is as long as its ratio, on a scale that multiplies; a red line is the goal."""
    lines: list[str] = []
    at = 24.0
    for title, bars in groups(kept):
        at += HEAD
        lines.append(f'<text class="head" x="8" y="{at:.0f}">{escape(title)}</text>')
        for bar in bars:
            at += ROW
            lines += _drawn(bar, at)
    height = round(at + 40)
    for value in SCALE:
        kind = "one" if value == 1 else "line"
        x = _x(value)
        lines.insert(0, f'<line class="{kind}" x1="{x:.1f}" y1="30" x2="{x:.1f}" y2="{height - 26}"/>')
        lines.append(f'<text x="{x:.1f}" y="{height - 10}" text-anchor="middle">{value:g}</text>')
    body = "\n".join(lines)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" role="img">'
        "\n"
        "<title>Ratios to the anchor of each work</title>\n"
        f"<style>{STYLE}</style>\n"
        '<text x="8" y="18">Ratio to the anchor (1), each work its own; the red line is the goal</text>\n'
        f"{body}\n</svg>\n"
    )


def groups(kept: Mapping[str, Any]) -> Iterator[tuple[str, list[Bar]]]:
    """Each table that has ratios, in the order of the works."""
    for name, work in WORKS.items():
        for table in kept.get(name, {"tables": ()})["tables"]:
            ratio = next((column for column in table["columns"] if _is_ratio(column)), None)
            bars = [] if ratio is None else list(_bars(table["rows"], ratio))
            if bars:
                yield f"{work.letter}  {table['title']}", bars


def _is_ratio(column: str) -> bool:
    return column.startswith("ratio") or "beside" in column


def _bars(rows: list[Mapping[str, Any]], column: str) -> Iterator[Bar]:
    for row in rows:
        goal = row.get("goal")
        if isinstance(goal, int | float):
            goal = f"≤ {goal:g}"
        label = f"{row['what']}, {row['at once']} at once" if "at once" in row else str(row.get("what", ""))
        if row[column] is not None and label:
            yield Bar(label, float(row[column]), goal)


def _drawn(bar: Bar, at: float) -> Iterator[str]:
    one, end = _x(1.0), _x(bar.ratio)
    left, width = min(one, end), max(abs(end - one), 1.5)
    yield f'<text x="{LEFT - 8}" y="{at:.0f}" text-anchor="end">{escape(bar.what)}</text>'
    kind = "ours" if bar.ours else "other"
    yield f'<rect class="{kind}" x="{left:.1f}" y="{at - 10:.0f}" width="{width:.1f}" height="11"/>'
    if bar.ratio > MOST:
        # The scale ends before the bar does.
        middle = at - 4.5
        points = f"{end:.1f},{middle - 8:.1f} {end + 9:.1f},{middle:.1f} {end:.1f},{middle + 8:.1f}"
        yield f'<polygon class="{kind}" points="{points}"/>'
    told = f"{bar.ratio:.3g}"
    if bar.goal is not None:
        x = _x(float(bar.goal.split()[1]))
        yield f'<line class="goal" x1="{x:.1f}" y1="{at - 13:.0f}" x2="{x:.1f}" y2="{at + 3:.0f}"/>'
        told += f" ({bar.goal})"
    yield f'<text x="{WIDTH - 8}" y="{at:.0f}" text-anchor="end">{escape(told)}</text>'


def _x(ratio: float) -> float:
    part = math.log(min(max(ratio, LEAST), MOST) / LEAST) / math.log(MOST / LEAST)
    return LEFT + part * (WIDTH - 100 - LEFT)
