"""Make a home of an exported log, or go on with one whose log is its beginning.

FILE is what `evt export` wrote (in either format), a mirror, a folder that `evt backup` made, or `-`
for stdin. Every line is checked, and nothing is written unless all of them are good. Positions, ids
and bytes stay as they are; so does the home's id.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from adapters.cli.call import Call, not_ours
from adapters.cli.failure import BAD, CONFLICT, GOOD, NOT_FOUND, USAGE, Failure
from adapters.cli.taken import owning
from adapters.home import Home, NoHome, NotOurs, expanded
from adapters.home_making import Occupied
from adapters.log_import import Given, Imported, NotImported, go_on, make
from eventstore.sqlite.log import SqliteLog
from eventstore.text.mirror import Mirror, MirrorAhead
from schemas.shown import shown
from schemas.upcasts import UPCASTS

EXITS = {"bad_line": USAGE, "other_log": CONFLICT, "conflict": CONFLICT}


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="an exported log, a mirror, a backup's folder, or -")


def run(call: Call) -> int:
    with _given(call.args.file) as given:
        try:
            done = _imported(call, given)
        except NotImported as no:
            raise Failure(EXITS.get(no.code, BAD), no.code, str(no), no.hint) from None
        except Occupied as occupied:
            raise Failure(CONFLICT, "occupied", str(occupied), occupied.hint) from None
        except NotOurs as other:
            raise not_ours(other) from None
        except MirrorAhead as ahead:
            raise Failure(BAD, "log_behind_mirror", f"{ahead}.", "") from None
    _say(call, done)
    return GOOD


def _imported(call: Call, given: Given) -> Imported:
    """Into the folder that was named, when it holds no log yet; else into the home that is found."""
    named = call.args.home or call.environ.get("EVT_HOME")
    if named:
        try:
            folder = expanded(named)
        except NoHome as nobody:
            raise Failure(USAGE, "no_home", str(nobody), "Write its whole path.") from None
        log = Home(folder, named=True).log
        if not (log.exists() and log.stat().st_size):
            return make(given, folder)
    home = call.home()
    with owning(home):
        with closing(SqliteLog(home.log, upcasts=UPCASTS, read_only=True)) as there:
            Mirror(home.mirror, there).check()
        return go_on(given, home)


@contextmanager
def _given(name: str) -> Iterator[Given]:
    """Raises Failure for what is not there."""
    if name == "-":
        yield Given("stdin", cast(BinaryIO, sys.stdin.buffer))
        return
    path = Path(name)
    try:
        if path.is_dir():
            backup = Home(path.resolve(), named=True)
            if not backup.log.is_file():
                sentence = f"{shown(name)} is no folder that `evt backup` made: it has no logs/events.db."
                hint = "Name that folder, or a file with the lines of a log, such as its logs/events.ndjson."
                raise Failure(USAGE, "unreadable", sentence, hint)
            with _text_of(backup) as text:
                yield Given(name, text, backup)
        else:
            with path.open("rb") as text:
                yield Given(name, text)
    except FileNotFoundError as missing:
        sentence = f"there is no file {missing.filename}."
        raise Failure(NOT_FOUND, "not_found", sentence, "Check the path.") from None


@contextmanager
def _text_of(backup: Home) -> Iterator[BinaryIO]:
    """The lines of a backup's log, as a file. Raises LogUnreadable."""
    with closing(SqliteLog(backup.log, read_only=True)) as log, tempfile.TemporaryFile() as text:
        for event in log.all():
            text.write(event.line + b"\n")
        text.seek(0)
        yield cast(BinaryIO, text)


def _say(call: Call, done: Imported) -> None:
    if call.output.json:
        call.output.document(
            {
                "home": str(done.home.root),
                "id": done.home_id,
                "events": done.events,
                "added": done.added,
                "blobs": done.blobs,
                "notes": list(done.notes),
            }
        )
        return
    if done.added:
        call.output.line(f"took in {done.added} events: home {done.home.root} holds {done.events}")
    else:
        call.output.line(f"nothing new: home {done.home.root} holds all of it ({done.events} events)")
    if done.blobs:
        call.output.line(f"  and {done.blobs} blobs")
    for note in done.notes:
        call.output.note(f"note: {note}")
