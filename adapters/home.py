"""A home: the folder with a log in it, where its parts lie, and how it is found."""

import stat
from pathlib import Path
from typing import NamedTuple

from eventstore.file_lock import foreign_owner


class NoHome(Exception):
    """There is no home where one was looked for."""


class NotOurs(Exception):
    """The home is another user's. `user` is how sudo names that one, None where it cannot be seen."""

    def __init__(self, root: Path, owner: tuple[int, str | None] | None) -> None:
        self.user: str | None = None
        whose = "may not be looked into"
        if owner is not None:
            number, name = owner
            self.user = name or f"'#{number}'"
            whose = f"belongs to {name or 'a user without a name'} (uid {number}), and you are another user"
        super().__init__(f"the home {root} {whose}.")


class Home(NamedTuple):
    """`root` is a real path. `named` is False for a home that was found by looking upward."""

    root: Path
    named: bool

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def log(self) -> Path:
        return self.logs / "events.db"

    @property
    def mirror(self) -> Path:
        return self.logs / "events.ndjson"

    @property
    def views(self) -> Path:
        return self.logs / "views.db"

    @property
    def tree(self) -> Path:
        """Tiles, tree heads and public keys."""
        return self.logs / "tree"

    @property
    def owner_lock(self) -> Path:
        return self.logs / ".owner"

    @property
    def blobs(self) -> Path:
        return self.root / "blobs"


def expanded(text: str) -> Path:
    """A folder as a person types it, `~` included. Raises NoHome for the `~` of nobody."""
    try:
        return Path(text).expanduser().absolute()
    except RuntimeError:
        raise NoHome(f"{text!r} names no folder: there is no such person.") from None


def find_home(named: str | None, from_environment: str | None, start: Path) -> Home:
    """`--home`, then EVT_HOME, then the nearest folder upward that holds a log.

    Raises NoHome, and NotOurs for one that another user owns: what we wrote there, that one could not.
    """
    for given, origin in ((named, "--home"), (from_environment, "EVT_HOME")):
        if given:
            root = expanded(given).resolve()
            try:
                found = _holds_a_log(root)
            except PermissionError:
                raise NotOurs(root, _owner(root)) from None
            if not found:
                raise NoHome(f"{origin} names {root}, which is no home: it has no logs/events.db.")
            return checked(Home(root, named=True))
    here = start.resolve()
    for folder in (here, *here.parents):
        try:
            found = _holds_a_log(folder)
        except PermissionError:
            continue  # somebody else's folder `logs`, on the way up
        if found:
            return checked(Home(folder, named=False))
    raise NoHome(f"there is no home in {here} or above it.")


def checked(home: Home) -> Home:
    """The same home. Raises NotOurs where its log is another user's."""
    owner = _owner(home.log)
    if owner is not None:
        raise NotOurs(home.root, owner)
    return home


def _holds_a_log(root: Path) -> bool:
    try:
        return stat.S_ISREG((root / "logs" / "events.db").stat().st_mode)
    except PermissionError:
        raise
    except (OSError, ValueError):
        return False


def _owner(path: Path) -> tuple[int, str | None] | None:
    """The other user that owns it; None where that is us, or cannot be seen."""
    try:
        return foreign_owner(path)
    except OSError:
        return None
