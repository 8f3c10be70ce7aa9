"""The homes that this person has made: a repository could bring a home, and its `.env`, of its own."""

from pathlib import Path

import orjson
from platformdirs import user_config_path

from adapters.safe_files import write_atomically
from eventstore.file_lock import FileLock


class TrustedHomes:
    """A list in the person's configuration folder."""

    def __init__(self, folder: Path | None = None) -> None:
        self._file = (folder or user_config_path("evt", appauthor=False)) / "homes.json"

    def known(self) -> list[str]:
        """Real paths. A list that cannot be read counts as empty: the person is asked to `evt init` again."""
        try:
            found = orjson.loads(self._file.read_bytes())
        except (FileNotFoundError, orjson.JSONDecodeError):
            return []
        return [str(path) for path in found] if isinstance(found, list) else []

    def trusts(self, home: Path) -> bool:
        return str(home) in self.known()

    def add(self, home: Path) -> None:
        """Raises OSError where the folder cannot be written."""
        if self.trusts(home):
            return
        self._file.parent.mkdir(parents=True, exist_ok=True)
        # Read and written under a lock: of two that are made at once none forgets the other.
        with FileLock(self._file.with_name(".homes.lock")):
            known = self.known()
            if str(home) not in known:
                write_atomically(
                    self._file, orjson.dumps([*known, str(home)], option=orjson.OPT_INDENT_2) + b"\n"
                )
