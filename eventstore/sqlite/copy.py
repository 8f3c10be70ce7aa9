"""A copy of a log that others may be writing, as of one moment."""

from contextlib import closing
from pathlib import Path
from typing import Final

from eventstore.sqlite import file as sqlite_file
from eventstore.sqlite.errors import translated

PAGES_AT_ONCE: Final = 4096
"""So many pages are copied before somebody who wants to stop it is heard."""


def copy(path: Path, target: Path) -> None:
    """Into one new file, which needs none beside it. Raises LogUnreadable, OSError.

    The pages go through SQLite's backup interface: a copy of the file would lack what stands in the WAL.
    """
    with closing(sqlite_file.connect(path, read_only=True)) as source, translated(path):
        # A transaction held open: what others commit meanwhile does not make it begin again.
        source.execute("BEGIN")
        source.execute("SELECT max(global_position) FROM events").fetchall()
        with closing(sqlite_file.open_bare(target, new=True)) as made, translated(target):
            made.execute("PRAGMA synchronous = FULL; PRAGMA fullfsync = ON")
            with made.backup("main", source, "main") as backup:
                while not backup.done:
                    backup.step(PAGES_AT_ONCE)
            # So that a medium that may not be written can be read.
            made.execute("PRAGMA journal_mode = DELETE").fetchall()
