"""A home: the folder with a log in it, where its parts lie, and how it is found."""

from dataclasses import dataclass
from pathlib import Path


class NoHome(Exception):
    """There is no home where one was looked for."""


@dataclass(frozen=True)
class Home:
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
    def owner_lock(self) -> Path:
        return self.logs / ".owner"

    @property
    def blobs(self) -> Path:
        return self.root / "blobs"


def find_home(named: str | None, from_environment: str | None, start: Path) -> Home:
    """`--home`, then EVT_HOME, then the nearest folder upward that holds a log. Raises NoHome."""
    for given, origin in ((named, "--home"), (from_environment, "EVT_HOME")):
        if given:
            root = Path(given).expanduser().resolve()
            if not (root / "logs" / "events.db").is_file():
                raise NoHome(f"{origin} names {root}, which is no home: it has no logs/events.db.")
            return Home(root, named=True)
    here = start.resolve()
    for folder in (here, *here.parents):
        if (folder / "logs" / "events.db").is_file():
            return Home(folder, named=False)
    raise NoHome(f"there is no home in {here} or above it.")
