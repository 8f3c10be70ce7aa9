"""Write the page that tells how each turn of the real CLI is judged; `--check` only compares.

    python -m tools.write_judgements [--check]

Its source is tests/judgement_table.py, which the lane's tests play in both versions.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.judgement_table import GROUPS, Case, Ending
from tools.claude_lane import NEWER, OLDER, RECIPE, Recipe
from tools.tried_again import tried_again

ROOT = Path(__file__).resolve().parent.parent
PAGE = Path("docs") / "reference" / "how-a-turn-is-judged.md"
COMMAND = "python -m tools.write_judgements"
COLUMNS = "| cause | end event | class | reason | tried again | sentence |"
HEAD = """<!-- Made by tools/write_judgements.py from tests/judgement_table.py: change it there. -->

# How a turn is judged

Every row was played with the real Claude CLI {older} and {newer} against a stand-in of the
model's service, by the tests that this page is made from. The agent's last result line and
the files decide, never its exit code alone; [the outcome](../explanation/outcome.md) says why.
`{any}` stands for words that differ from run to run or from version to version. Requests that
fail are sent twice more by the CLI, unless `CLAUDE_CODE_MAX_RETRIES` says otherwise, before the
turn is given up. Where an attempt is made again, the end event comes only when that has not
helped; [when something goes wrong](../explanation/when-something-goes-wrong.md) tells how.
"""


def page() -> str:
    """The whole page."""
    versions = Recipe(RECIPE).versions
    text = HEAD.format(older=versions[OLDER], newer=versions[NEWER], any="…")
    for title, cases in GROUPS.items():
        text += f"\n## {title}\n\n{COLUMNS}\n{'|---' * 6}|\n"
        text += "".join(row for case in cases for row in _rows(case))
    return text


def _rows(case: Case) -> Iterator[str]:
    for number, ending in enumerate(case.endings):
        cause = case.cause if number == 0 else "… or"
        yield f"| {' | '.join((_plain(cause), *_cells(ending)))} |\n"


def _cells(ending: Ending) -> tuple[str, ...]:
    # Some reasons are the CLI's own words: none is marked as a word of ours.
    error_class = f"`{ending.error_class}`" if ending.reason else "-"
    again = tried_again(ending.error_class, ending.reason)
    return f"`{ending.event}`", error_class, ending.reason or "-", again, _plain(ending.sentence) or "-"


def _plain(text: str) -> str:
    """Text that Markdown shows as it is."""
    return text.replace("|", "\\|").replace("<", "&lt;")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when the page differs")
    path = ROOT / PAGE
    there = path.read_text(encoding="utf-8") if path.exists() else ""
    differs = there != page()
    if parser.parse_args(arguments).check:
        if differs:
            print(f"{PAGE.as_posix()} differs from its table: run {COMMAND}")
        return 1 if differs else 0
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page(), encoding="utf-8", newline="\n")
    print(f"{PAGE.as_posix()}: {'changed' if differs else 'as it was'}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
