"""Make a home in a folder (or take one up again), and remember that it is yours."""

import argparse
from dataclasses import asdict
from pathlib import Path

from adapters.cli.call import Call, not_ours
from adapters.cli.failure import CONFLICT, Failure
from adapters.cli.pasted import pasted
from adapters.first_system import Adopted
from adapters.home import NoHome, NotOurs, find_home
from adapters.home_making import Occupied, make_home
from adapters.volume import warning
from handlers.path_policy import OWN_FOLDERS
from schemas.shown import shown


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", nargs="?", metavar="DIR", default=".", help="default: the current folder")


def run(call: Call) -> int:
    folder = Path(call.args.home or call.args.folder).expanduser()
    _refuse_inside_another(folder)
    held = folder.is_dir() and any(folder.iterdir())
    try:
        made = make_home(folder)
    except Occupied as occupied:
        raise Failure(CONFLICT, "occupied", str(occupied), occupied.hint) from None
    except NotOurs as other:
        raise not_ours(other) from None
    root = shown(str(made.root))
    if made.adopted is not None:
        _say_adopted(call, root, made.adopted)
    elif held and made.created:
        call.output.note(f"note: {root} was not empty; what lay there was left as it is.")
    if (copied := warning(made.root, call.environ)) is not None:
        call.output.note(f"note: {copied}")
    if made.unsigned is not None:
        call.output.note(f"note: {made.unsigned}")
    if call.output.json:
        call.output.document(
            {
                "home": str(made.root),
                "id": made.home_id,
                "created": made.created,
                "first_system": None if made.adopted is None else asdict(made.adopted),
            }
        )
        return 0
    call.output.line(f"{'made' if made.created else 'taken up again:'} home {root}")
    call.output.line(f"  drop task files into  {Path(root, 'tasks')}")
    call.output.line(f"  settings stand in     {Path(root, '.env')}")
    call.output.line(f"  start the service     evt run --home {pasted(made.root)}")
    return 0


def _say_adopted(call: Call, root: str, adopted: Adopted) -> None:
    call.output.note(f"note: {root} is a folder of the first system: its records lie in logs/v1 now.")
    if adopted.pending:
        waited = ", ".join(shown(path) for path in adopted.pending)
        call.output.note(f"note: what waited there is taken in by `evt run`: {waited}.")
    for problem in adopted.left:
        call.output.note(f"note: {shown(problem)}")


def _refuse_inside_another(folder: Path) -> None:
    """A home in a home: the one would find the other's log upward. Raises Failure."""
    place = folder.resolve()
    try:
        if (place / "logs" / "events.db").exists():
            return  # it is a home already, and is only taken up again
        outer = find_home(None, None, place.parent).root
    except (NoHome, NotOurs, PermissionError):
        return  # what another user has there is said by whoever tries to use it
    state = place.relative_to(outer).parts[0]
    own = f", in {state}, where that home keeps its own state" if state in OWN_FOLDERS else ""
    sentence = f"{place} lies inside the home {outer}{own}."
    raise Failure(CONFLICT, "occupied", sentence, f"Name a folder outside {outer}, or use that home.")
