"""Make a home: its folders, its log with the first event, its settings file."""

from dataclasses import dataclass
from pathlib import Path

from adapters.home import Home, checked
from adapters.person import actor
from adapters.safe_files import write_atomically
from adapters.storage import open_storage
from adapters.system_clock import SystemClock, SystemIds
from adapters.trusted_homes import TrustedHomes
from adapters.version import installed_version
from eventstore.event import NO_STREAM
from eventstore.sqlite_log import SqliteLog
from handlers.dispatch import draft
from handlers.path_policy import OWN_FOLDERS
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


def make_home(folder: Path, *, register: bool = True) -> Made:
    """Raises Occupied for a folder that cannot be used, NotOurs for another user's home, OSError."""
    if folder.exists() and not folder.is_dir():
        raise Occupied(f"{folder} is a file.", "Name a folder.")
    folder.mkdir(parents=True, exist_ok=True)
    home = Home(folder.resolve(), named=True)
    if home.log.exists():
        checked(home)
    if (home.logs / "state.json").exists() and not home.log.exists():
        raise Occupied(
            f"{home.root} is a folder of the first system (it has logs/state.json).",
            "Choose a new folder; taking over the old one is not part of this version.",
        )
    for name in OWN_FOLDERS:
        (home.root / name).mkdir(exist_ok=True)
    (home.root / "tasks" / "processed").mkdir(exist_ok=True)
    created = _begin_log(home)
    if not (home.root / ".env").exists():
        write_atomically(home.root / ".env", ENV_FILE.encode())
    storage = open_storage(home)
    try:
        storage.records.catch_up_now()
        home_id = storage.source.removeprefix("urn:evt:")
    finally:
        storage.close()
    if register:
        TrustedHomes().add(home.root)
    return Made(home.root, home_id, created)


def _begin_log(home: Home) -> bool:
    """Event 1, with the id that every later event names as its source; False when it stands there."""
    log = (
        SqliteLog(home.log, upcasts=UPCASTS)
        if home.log.exists()
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
