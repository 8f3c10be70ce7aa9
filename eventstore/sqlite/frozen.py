"""A log that is read without a lock, since nobody can write it: whether that has stayed so."""

from pathlib import Path

from eventstore.log import LogUnreadable


class Unchanged:
    """Made before the log is opened."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = self._look()

    def require(self) -> None:
        """After each reading. Raises LogUnreadable: what was read may be half old, half new."""
        if self._look() != self._seen:
            raise LogUnreadable(
                f"{self._path} was written while it was read without a lock, as on a full or read-only disk: "
                "read it again"
            )

    def _look(self) -> list[tuple[int, int, int] | None]:
        return [_facts(path) for path in (self._path, self._path.with_name(f"{self._path.name}-wal"))]


def in_use(path: Path) -> bool:
    """Whether something stands in a file's -wal: somebody has it open, or did not close it."""
    return _facts(path.with_name(f"{path.name}-wal")) is not None


def _facts(path: Path) -> tuple[int, int, int] | None:
    """None for a file that is not there or holds nothing: the try to open it has left one."""
    try:
        facts = path.stat()
    except FileNotFoundError:
        return None
    return (facts.st_ino, facts.st_size, facts.st_mtime_ns) if facts.st_size else None
