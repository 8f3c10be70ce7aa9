"""docs/performance.md holds the figures of docs/performance.json: kept by `--keep`, written in by `page`."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tools.bench import goals, plot
from tools.bench.table import Table, as_document

DOCS: Final = Path(__file__).parents[2] / "docs"
PAGE: Final = DOCS / "performance.md"
KEPT: Final = DOCS / "performance.json"
PICTURE: Final = DOCS / "performance.svg"

BLOCK: Final = re.compile(r"(<!-- figures: (?P<name>[\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
SUMMARY: Final = "goals"
OMITTED: Final = ("--keep", "--peers")
"""Words of the command line with a path behind them, which is nobody else's."""

Kept = Mapping[str, Any]


def keep(path: Path, work: str, words: Sequence[str], tables: Sequence[Table]) -> None:
    """Put what a work has found into the file, in the place of what it found before.

    `claims --one-folder` is kept beside `claims`.
    """
    kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    name = f"{work}-one-folder" if "--one-folder" in words else work
    kept[name] = {"command": " ".join(_told(words)), **as_document(work, tables)}
    text = json.dumps(kept, indent=1, sort_keys=True, ensure_ascii=False)
    path.write_text(f"{text}\n", encoding="utf-8", newline="\n")


def write() -> None:
    """Bring page and picture up to the figures that are kept."""
    kept = json.loads(KEPT.read_text(encoding="utf-8"))
    page = with_figures(PAGE.read_text(encoding="utf-8"), kept)
    PAGE.write_text(page, encoding="utf-8", newline="\n")
    PICTURE.write_text(plot.picture(kept), encoding="utf-8", newline="\n")


def with_figures(page: str, kept: Kept) -> str:
    """The page with the tables of each work between its marks. Raises KeyError for one that is not kept."""

    def told(found: re.Match[str]) -> str:
        text = goals.summary(kept) if found["name"] == SUMMARY else figures(kept[found["name"]])
        return f"{found[1]}\n{text}\n\n{found[3]}"

    return BLOCK.sub(told, page)


def figures(one: Kept) -> str:
    """All tables of a work, in Markdown."""
    tables = [Table(**{**table, "columns": tuple(table["columns"])}) for table in one["tables"]]
    parts = [f"`python -m tools.bench {one['command']}`"]
    for table in tables:
        title, _, rest = table.text().partition("\n")
        parts.append(f"**{title}**\n{rest}")
    return "\n\n".join(parts)


def _told(words: Sequence[str]) -> list[str]:
    told: list[str] = []
    skip = False
    for word in words:
        if not skip and word not in OMITTED and word != "--install-peers":
            told.append(word)
        skip = word in OMITTED
    return told
