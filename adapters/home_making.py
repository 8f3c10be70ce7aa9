"""Make a home: its folders, its log with the first event, its settings file."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters.first_system import Adopted, adopted, has_records, is_first_system, move_away, records_of
from adapters.home import Home, checked
from adapters.person import actor
from adapters.safe_files import make_folder, write_atomically
from adapters.signing_keys import OWNER_ONLY, KeyUnusable, keys_folder
from adapters.storage import Storage, open_storage
from adapters.system_clock import SystemClock, SystemIds
from adapters.trusted_homes import TrustedHomes
from adapters.version import installed_version
from adapters.volume import network_volume, refusal
from eventstore.event import ANY, NO_STREAM
from eventstore.sqlite.log import SqliteLog
from handlers.dispatch import draft
from handlers.path_policy import OWN_FOLDERS
from handlers.ports.log import HeadRefused
from schemas.moving import FirstSystemAdopted, NoteAdoption
from schemas.record import NoteTreeHead, TreeHeadSigned
from schemas.service import CreateHome, HomeCreated
from schemas.upcasts import UPCASTS

ENV_FILE = """# Settings of this home; `evt` reads them at its start. What the environment says wins.
# The agent's program, and where tasks may work:
#CLAUDE_EXECUTABLE=claude
#CLAUDE_BASE_CWD=
#CLAUDE_ALLOWED_ROOT=
"""


class Occupied(Exception):
    """The folder cannot become a home."""

    def __init__(self, sentence: str, hint: str) -> None:
        super().__init__(sentence)
        self.hint = hint


@dataclass(frozen=True)
class Made:
    root: Path
    home_id: str
    created: bool
    unsigned: str | None = None
    """Why no tree head can be signed here, None where one can."""
    adopted: Adopted | None = None
    """What came of a folder of the first system."""


def make_home(folder: Path, *, register: bool = True) -> Made:
    """Raises Occupied for a folder that cannot be used, NotOurs for another user's home, OSError."""
    home = fitting(folder, adopting=register)
    if register:
        _refuse_around_keys(home.root)
    if (network := network_volume(home.root)) is not None:
        raise Occupied(refusal(home.root, network), "Name a folder on a disk of this machine.")
    folders = [home.root / name for name in (*OWN_FOLDERS, "tasks/processed")]
    _refuse_what_is_no_folder([*folders, records_of(home)])
    if (kept := records_of(home)).is_symlink():
        raise Occupied(f"{kept} is a link, and records are moved there.", "Move the link away.")
    make_folder(folder)
    for own in folders:
        make_folder(own)
    if is_first_system(home):
        move_away(home)
    created = _begin_log(home)
    if not (home.root / ".env").exists():
        write_atomically(home.root / ".env", ENV_FILE.encode(), mode=OWNER_ONLY)
    if register:
        TrustedHomes().add(home.root)
    storage = open_storage(home)
    try:
        home_id = storage.source.removeprefix("urn:evt:")
        unsigned, taken = None, _note_adoption(home, storage)
        if register:
            try:
                storage.tree.prepare()
                if created:
                    _sign_first(storage)
            except HeadRefused as refused:
                unsigned = str(refused)
        storage.records.catch_up_now()
    finally:
        storage.close()
    return Made(home.root, home_id, created, unsigned, taken)


def fitting(folder: Path, *, adopting: bool = False) -> Home:
    """The home that is in the folder, or can be made in it. Raises Occupied, NotOurs."""
    if folder.exists() and not folder.is_dir():
        raise Occupied(f"{folder} is a file.", "Name a folder.")
    home = Home(folder.resolve(), named=True)
    if home.log.exists():
        checked(home)
    if is_first_system(home):
        if not adopting:
            raise Occupied(
                f"{home.root} is a folder of the first system (its records lie in {home.logs}).",
                "Choose a new folder; `evt init` makes a home of that one.",
            )
        return home
    begun = home.log.exists() and home.log.stat().st_size > 0
    if not begun and home.mirror.exists() and home.mirror.stat().st_size:
        raise Occupied(
            f"{home.root} has lost its log, and its mirror {home.mirror} is there.",
            "`evt recover --home DIR`, with this folder, makes the log again from it.",
        )
    return home


def _refuse_around_keys(root: Path) -> None:
    """The private key never lies in the home: it would go wherever the home goes. Raises Occupied."""
    try:
        keys = keys_folder().resolve()
    except KeyUnusable:
        return  # there is none, and the tree heads say so
    if keys.is_relative_to(root):
        raise Occupied(
            f"{root} holds {keys}, where the private key of its log would lie.",
            "Name a folder of its own for the home, such as ~/evt-home.",
        )


def _refuse_what_is_no_folder(folders: Sequence[Path]) -> None:
    """Before any of them is made. Raises Occupied."""
    for folder in folders:
        if os.path.lexists(folder) and not folder.is_dir():
            hint = "Move it away, or name another folder for the home."
            raise Occupied(f"{folder} is no folder, and the home needs one there.", hint)


def _note_adoption(home: Home, storage: Storage) -> Adopted | None:
    """Once, whatever was cut off before: what was moved is seen where it lies. Raises OSError."""
    said_before = storage.log.all(types=frozenset({FirstSystemAdopted.TYPE}))
    if not has_records(home) or next(said_before, None) is not None:
        return None
    found = adopted(home)
    clock = SystemClock()
    said: dict[str, Any] = {"moved": found.moved, "pending": found.pending, "left": found.left}
    command = NoteAdoption(command_id=SystemIds(clock.now).new(), time=clock.now(), actor=actor(), **said)
    storage.log.append(command.stream, draft(command, [FirstSystemAdopted(**said)], storage.source), ANY)
    return found


def _sign_first(storage: Storage) -> None:
    """A home can be proved from its first event on. Raises HeadRefused, OSError."""
    clock = SystemClock()
    standing = storage.tree.ready_now()
    head: dict[str, Any] = {"key": standing.key, "reason": "verb", "size_before": 0, "root_before": None}
    command = NoteTreeHead(command_id=SystemIds(clock.now).new(), time=clock.now(), actor="service", **head)
    storage.log.append(command.stream, draft(command, [TreeHeadSigned(**head)], storage.source), ANY)
    storage.tree.sign_now()


def _begin_log(home: Home) -> bool:
    """Event 1, with the id that every later event names as its source; False when it stands there."""
    log = (
        SqliteLog(home.log, upcasts=UPCASTS)
        if home.log.exists() and home.log.stat().st_size
        else SqliteLog.create(home.log, upcasts=UPCASTS)
    )
    try:
        # Asked of the log, not of the file: the last try may have died between the two.
        if log.head():
            return False
        clock = SystemClock()
        ids = SystemIds(clock.now)
        home_id, version = ids.new(), installed_version()
        command = CreateHome(
            command_id=ids.new(), time=clock.now(), actor=actor(), home_id=home_id, version=version
        )
        fact = HomeCreated(home_id=home_id, version=version)
        log.append(command.stream, draft(command, [fact], f"urn:evt:{home_id}"), NO_STREAM)
        return True
    finally:
        log.close()
