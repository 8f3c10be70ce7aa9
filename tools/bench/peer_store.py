"""Other libraries' durable stores, each in the Python of the peers' virtual environment."""

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tools.bench.peers import PeerFailed, missing_in, python_of
from tools.bench.turns import Turn

SCRIPT: Final = Path(__file__).with_name("peer_stores.py")
LIMIT_S: Final = 600.0

STORES: Final = ("eventsourcing", "huey", "sqlite_utils", "dbos", "persistqueue")


@dataclass(frozen=True)
class PeerStore:
    """`missing` says in a few words why it cannot be measured, None where it can."""

    name: str
    python: Path
    missing: str | None

    def turn(self, callers: int, appends: int, each: int) -> Turn:
        """Events a second of so many threads that append so often, so many events each time."""
        return lambda: callers * appends * each / self._seconds(callers, appends, each)

    def _seconds(self, callers: int, appends: int, each: int) -> float:
        with tempfile.TemporaryDirectory(prefix="evt-bench-") as folder:
            numbers = (str(number) for number in (callers, appends, each))
            told = subprocess.run(
                [self.python, "-P", SCRIPT, self.name, *numbers, folder],
                cwd=folder,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=LIMIT_S,
            )
        try:
            return float(told.stdout.split()[-1])
        except (IndexError, ValueError):
            raise PeerFailed(f"{self.name} did not append: {told.stderr[-500:].strip()}") from None


def peer_stores(environment: Path | None, names: tuple[str, ...] = STORES) -> list[PeerStore]:
    """Each as it stands in the virtual environment."""
    python = Path(sys.executable) if environment is None else python_of(environment)
    return [PeerStore(name, python, missing_in(environment, name)) for name in names]
