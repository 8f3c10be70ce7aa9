"""A view of the log, now or at any time before; with --explain, the events that made it.

`evt project metrics --explain all.succeeded` names the events that were counted there.
`evt project artifacts --write` writes the files in results and summaries again from the log.
"""

import argparse
import difflib
import sys
from collections.abc import Iterator, Sized
from contextlib import closing, contextmanager

from adapters.cli import explaining
from adapters.cli.artifact_files import write_again
from adapters.cli.call import Call
from adapters.cli.failure import GOOD, USAGE, Failure
from adapters.cli.moments import end_of, now
from adapters.cli.progress import Progress
from adapters.cli.reading import reading
from adapters.cli.view_table import table
from adapters.cli.watched_log import WatchedLog
from projections.all_views import BY_NAME
from projections.projection import Projection, Row
from projections.view_rows import fold_at
from schemas.shown import quoted


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="the view: " + ", ".join(sorted(BY_NAME)))
    parser.add_argument(
        "--at", metavar="P|T", help="as it was: a global position, a time, or 10m for ten minutes ago"
    )
    parser.add_argument(
        "--explain",
        nargs="?",
        const="",
        metavar="KEY",
        help="which events made each row, or the row KEY, or its field KEY.FIELD",
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
    if call.args.explain is not None:
        return _explain(call, BY_NAME[name])
    position, rows = _rows_now(call, name) if call.args.at is None else _rows_then(call, name)
    if call.output.json:
        call.output.document({"view": name, "position": position, "rows": rows})
        return GOOD
    call.output.note(f"{name} as of event {position}, {_counted(rows)}")
    if rows:
        table(call.output, name, rows)
    return GOOD


def _counted(rows: Sized) -> str:
    return "1 row" if len(rows) == 1 else f"{len(rows)} rows"


def _rows_now(call: Call, name: str) -> tuple[int, dict[str, Row]]:
    with reading(call) as found:
        return found.views.position, found.views.rows(name)


def _rows_then(call: Call, name: str) -> tuple[int, dict[str, Row]]:
    with _log(call) as log:
        return log.upto, dict(sorted(fold_at(log, BY_NAME[name], log.upto).rows(name).items()))


def _explain(call: Call, projection: Projection) -> int:
    histories = explaining.begin(projection, call.args.explain)
    with _log(call) as log:
        histories.read(log.all(0, log.upto, projection.types))
        position = log.upto
    explained = explaining.end(histories, call.args.explain, position)
    if call.output.json:
        rows = explaining.document(explained)
        call.output.document({"view": projection.name, "position": position, "rows": rows})
        return GOOD
    call.output.note(f"{projection.name} as of event {position}, {_counted(explained.rows)} explained")
    if explained.rows:
        explaining.table(call.output, explained)
    return GOOD


@contextmanager
def _log(call: Call) -> Iterator[WatchedLog]:
    """The log up to what `--at` says. Raises Failure, LogUnreadable."""
    progress = Progress(call.output, call.environ)
    with closing(WatchedLog(call.home(), progress)) as log:
        try:
            if call.args.at is not None:
                log.upto = end_of(call.args.at, log, now())
            yield log
        finally:
            progress.clear()


def _write(call: Call) -> int:
    if call.args.name != "artifacts":
        hint = "`evt project artifacts --write` writes artifacts, summaries and the index."
        raise Failure(USAGE, "usage", f"the view {call.args.name} has no files to write.", hint)
    if call.args.explain is not None:
        raise Failure(USAGE, "usage", "--explain tells of rows and --write writes files.", "Leave one out.")
    if call.args.at is not None:
        hint = "Leave --at out, or leave --write out to look at the view of that time."
        raise Failure(USAGE, "usage", "files are written as of now, so --write does not go with --at.", hint)
    return write_again(call)
