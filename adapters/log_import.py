"""Make a home of an exported log, or go on with a log that is its beginning: all of it or nothing."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from adapters.home import Home
from adapters.home_copies import BlobDamaged, copy_blobs, copy_tree
from adapters.home_making import fitting, make_home
from adapters.safe_files import replace, sync_folder, temporary_beside
from adapters.storage import open_storage
from adapters.trusted_homes import TrustedHomes
from eventstore.event import Recorded
from eventstore.lineage import Lineage, Row
from eventstore.sqlite import filling as sqlite_filling
from eventstore.sqlite.log import SqliteLog
from eventstore.text.exported_lines import BadLine, exported
from handlers.ports.log import HeadRefused
from projections.all_views import ALL
from projections.fold import Fold
from schemas import names
from schemas.upcasts import UPCASTS

BROKEN: Final = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What a view raises for an event whose data has not the shape that its type has."""


class NotImported(Exception):
    """Nothing was written; the text says why, `hint` what to do, `code` which kind of trouble it is."""

    def __init__(self, code: str, sentence: str, hint: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.hint = hint


@dataclass(frozen=True)
class Imported:
    """`added` of the home's `events` came in; `blobs` were copied. `notes` are for the person."""

    home: Home
    home_id: str
    events: int
    added: int
    blobs: int
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Given:
    """What is imported: its name in sentences, its text, and the backup around it if it is one."""

    name: str
    text: BinaryIO
    backup: Home | None = None


def make(given: Given, folder: Path) -> Imported:
    """A home in a folder that holds no log yet. Raises NotImported, Occupied, OSError."""
    home, there = fitting(folder), folder.exists()
    temporary = temporary_beside(home.root / "log")
    temporary.mkdir(parents=True)
    try:
        lineage, new = Lineage(), temporary / home.log.name
        sqlite_filling.make(new, _rows(given, lineage, iter(())), lineage)
        blobs = _copy_beside(given, home)
        home.logs.mkdir(exist_ok=True)
        replace(new, home.log)
        sync_folder(home.logs)
    except BaseException:
        shutil.rmtree(temporary if there else home.root)
        raise
    shutil.rmtree(temporary)
    make_home(home.root, register=False)
    return _taken(given, home, 0, blobs)


def go_on(given: Given, home: Home) -> Imported:
    """For the owner of a home whose log is a beginning of what is given. Raises NotImported, OSError."""
    with closing(SqliteLog(home.log, upcasts=UPCASTS, read_only=True)) as log:
        before, lineage = log.head(), Lineage()
        try:
            sqlite_filling.go_on(home.log, _rows(given, lineage, log.all()), lineage, before)
        except sqlite_filling.LogMoved as moved:
            raise NotImported("conflict", f"{moved}.", "Import again, when nobody else appends.") from None
    return _taken(given, home, before, _copy_beside(given, home))


def _rows(given: Given, lineage: Lineage, standing: Iterator[Recorded]) -> Iterator[Row]:
    """The rows past what stands there. Raises NotImported."""
    folds = [Fold(projection) for projection in ALL]
    try:
        for event, row in exported(given.text, lineage, UPCASTS):
            number = event.global_position
            if number == 1:
                _check_first(given, event)
            there = next(standing, None)
            if there is not None and there.line != event.line:
                raise NotImported(
                    "other_log",
                    f"{given.name}, line {number}: it is not event {number} of this home ({there.type}).",
                    "A log is only continued by one that begins as it does; name another folder with --home.",
                )
            _fold(given, folds, event)
            if there is None:
                yield row
    except BadLine as bad:
        hint = "Export it again, or copy it again: each line must have the very bytes of its event."
        raise NotImported("bad_line", f"{given.name}, {bad}.", hint) from None
    if not lineage.head:
        raise NotImported("bad_line", f"{given.name} holds no event.", "Name a file that `evt export` wrote.")


def _check_first(given: Given, event: Recorded) -> None:
    home_id = event.data.get("home_id")
    if event.type != names.HOME_CREATED or event.envelope["source"] != f"urn:evt:{home_id}":
        sentence = f"{given.name}, line 1: it is {event.type}, not the {names.HOME_CREATED} of a home."
        raise NotImported("bad_line", sentence, "Export the log from its first event on.")


def _fold(given: Given, folds: list[Fold], event: Recorded) -> None:
    """An event of a known type and another shape would stop every view. Raises NotImported."""
    for fold in folds:
        if fold.projection.types is None or event.type in fold.projection.types:
            try:
                fold.apply(event)
            except BROKEN as broken:
                sentence = (
                    f"{given.name}, line {event.global_position}: its data is not that of a {event.type} "
                    f"(view {fold.projection.name}: {type(broken).__name__} {broken})."
                )
                hint = "No version of this program has written it."
                raise NotImported("bad_line", sentence, hint) from None


def _copy_beside(given: Given, home: Home) -> int:
    if given.backup is None:
        return 0
    try:
        blobs = copy_blobs(given.backup.blobs, home.blobs)
    except BlobDamaged as damaged:
        hint = "Take it out of the backup, or use another one: what the events say of it stays."
        raise NotImported("bad_blob", f"{given.name}: {damaged}.", hint) from None
    copy_tree(given.backup.tree, home.tree)
    return blobs


def _taken(given: Given, home: Home, before: int, blobs: int) -> Imported:
    """Bring up what is made from the log."""
    notes: list[str] = []
    TrustedHomes().add(home.root)
    with ExitStack() as stack:
        storage = open_storage(home)
        stack.callback(storage.close)
        storage.records.catch_up_now()
        try:
            storage.tree.prepare()
            storage.tree.ready_now()  # makes the tiles, which no text brings along
        except HeadRefused as refused:
            notes.append(str(refused))
        events, home_id = storage.raw.head(), storage.source.removeprefix("urn:evt:")
    return Imported(home, home_id, events, events - before, blobs, tuple(notes))
