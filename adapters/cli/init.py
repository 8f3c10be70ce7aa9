"""Make a home in a folder (or take one up again), and remember that it is yours."""

import argparse
from pathlib import Path

from adapters.cli.call import Call
from adapters.cli.failure import CONFLICT, Failure
from adapters.home_making import Occupied, make_home


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", nargs="?", metavar="DIR", default=".", help="default: the current folder")


def run(call: Call) -> int:
    folder = Path(call.args.home or call.args.folder).expanduser()
    try:
        made = make_home(folder)
    except Occupied as occupied:
        raise Failure(CONFLICT, "occupied", str(occupied), occupied.hint) from None
    if call.output.json:
        call.output.document({"home": str(made.root), "id": made.home_id, "created": made.created})
        return 0
    call.output.line(f"{'made' if made.created else 'taken up again:'} home {made.root}")
    call.output.line(f"  drop task files into  {made.root / 'tasks'}")
    call.output.line(f"  settings stand in     {made.root / '.env'}")
    call.output.line(f"  start the service     evt run --home {made.root}")
    return 0
