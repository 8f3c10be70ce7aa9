"""Copy the log and the blobs to another folder while the service runs, and check the copy.

The copy is read again: SQLite's own check, each line, each blob against its name, and the root of
the tree over its events, which must be that of the log. Where an earlier backup lies there, only new
blobs are copied. `evt import DIR` makes a home of it.

A blob that an event names and that is nowhere is told with exit code 1, and the copy is kept; later
backups in the same folder only note it. What was erased is not missed.
"""

import argparse
from typing import Final

from adapters.cli.call import Call
from adapters.cli.failure import BAD, CONFLICT, GOOD, Failure
from adapters.cli.writing import at_desk
from adapters.home import NoHome, expanded
from adapters.home_backup import Backup, NotBackedUp, back_up
from eventstore.moment import rfc3339
from schemas.moving import NoteBackup

NAMED: Final = 3
"""So many blobs are named in a sentence; `--json` gives all of them."""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", metavar="DIR", help="a new folder, an empty one, or an earlier backup")


def run(call: Call) -> int:
    with at_desk(call) as desk:
        stamp = desk.stamp(desk.actor)
        try:
            folder = expanded(call.args.folder)
            made = back_up(desk.home, desk.storage.raw, desk.storage.source, folder, rfc3339(stamp["time"]))
        except NotBackedUp as no:
            if no.fits:
                raise Failure(BAD, "backup_failed", str(no), no.hint) from None
            raise Failure(CONFLICT, "occupied", str(no), no.hint) from None
        except NoHome as nobody:
            raise Failure(BAD, "backup_failed", str(nobody), "Write its whole path.") from None
        desk.dispatch(
            NoteBackup(**stamp, position=made.position, root=made.root.hex(), destination=str(made.folder))
        )
    _say(call, made)
    if made.lost:
        raise Failure(
            BAD,
            "blobs_missing",
            f"the events name {_blobs(made.lost)} that lie neither in the home nor in the backup.",
            "The rest was backed up. Bring them into blobs/ from an older backup, or from the home that a "
            "text was exported of; later backups in this folder only note them.",
        )
    return GOOD


def _blobs(missing: tuple[str, ...]) -> str:
    """How many they are, and the first of them by name."""
    more = [f"{len(missing) - NAMED} more"] if len(missing) > NAMED else []
    noun = "blob" if len(missing) == 1 else "blobs"
    return f"{len(missing)} {noun} ({', '.join([*missing[:NAMED], *more])})"


def _say(call: Call, made: Backup) -> None:
    if call.output.json:
        call.output.document(
            {
                "folder": str(made.folder),
                "position": made.position,
                "root": made.root.hex(),
                "bytes": made.size,
                "blobs": made.blobs,
                "new_blobs": made.new_blobs,
                "missing_blobs": list(made.missing),
            }
        )
        return
    call.output.line(f"backed up events 1 to {made.position} and {made.blobs} blobs to {made.folder}")
    call.output.line(f"  root   {made.root.hex()}")
    call.output.line(f"  bytes  {made.size}, of {made.new_blobs} blobs for the first time")
    if made.missing and not made.lost:
        call.output.note(f"note: {_blobs(made.missing)} of the events are missing, as in the backup before")
