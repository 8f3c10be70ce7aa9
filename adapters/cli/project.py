"""A view of the log, now or at any time before.

`evt project artifacts --write` writes the files in results and summaries again from the log.
"""

import argparse
import difflib
import sys

from adapters.cli.artifact_files import write_again
from adapters.cli.call import Call
from adapters.cli.failure import GOOD, USAGE, Failure
from adapters.cli.moments import end_of, now
from adapters.cli.reading import Reading, reading
from adapters.cli.view_table import table
from projections.all_views import BY_NAME
from projections.projection import Row
from projections.view_rows import fold_at
from schemas.shown import quoted


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="the view: " + ", ".join(sorted(BY_NAME)))
    parser.add_argument(
        "--at", metavar="P|T", help="as it was: a global position, a time, or 10m for ten minutes ago"
    )
    parser.add_argument(
        "--write", action="store_true", help="with artifacts: write the files again from the log"
    )
    width = max(map(len, BY_NAME))
    views = [f"  {name.ljust(width)}  {_says(name)}" for name in sorted(BY_NAME)]
    parser.epilog = "\n".join(["the views:", *views])


def _says(name: str) -> str:
    """What a view tells: the first line of its module, which the reference has, too."""
    text = sys.modules[BY_NAME[name].apply.__module__].__doc__ or ""
    return text.partition("\n")[0].removeprefix(f"{name}: ").removesuffix(".")


def run(call: Call) -> int:
    name: str = call.args.name
    if name not in BY_NAME:
        near = difflib.get_close_matches(name, BY_NAME, n=1)
        hint = f"Did you mean {near[0]}?" if near else f"The views are {', '.join(sorted(BY_NAME))}."
        raise Failure(USAGE, "usage", f"there is no view {quoted(name)}.", hint)
    if call.args.write:
        return _write(call)
    with reading(call) as found:
        position, rows = _rows(found, name, call.args.at)
        if call.output.json:
            call.output.document({"view": name, "position": position, "rows": rows})
            return GOOD
        call.output.note(f"{name} as of event {position}, {len(rows)} rows")
        if rows:
            table(call.output, name, rows)
    return GOOD


def _rows(found: Reading, name: str, at: str | None) -> tuple[int, dict[str, Row]]:
    if at is None:
        return found.views.position, found.views.rows(name)
    position = end_of(at, found.log, now())
    return position, dict(sorted(fold_at(found.log, BY_NAME[name], position).rows(name).items()))


def _write(call: Call) -> int:
    if call.args.name != "artifacts":
        hint = "`evt project artifacts --write` writes artifacts, summaries and the index."
        raise Failure(USAGE, "usage", f"the view {call.args.name} has no files to write.", hint)
    if call.args.at is not None:
        hint = "Leave --at out, or leave --write out to look at the view of that time."
        raise Failure(USAGE, "usage", "files are written as of now, so --write does not go with --at.", hint)
    return write_again(call)
