"""A log's file without its guards, for whoever changes its rows; a careful hand puts them back."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import apsw


@contextmanager
def unguarded(path: Path) -> Iterator[apsw.Connection]:
    """The file opened past our own code: each statement counts at once."""
    with closing(apsw.Connection(str(path))) as connection:
        guards = connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
        for name, _ in guards:
            connection.execute(f"DROP TRIGGER {name}").fetchall()
        yield connection
        for _, made in guards:
            connection.execute(str(made)).fetchall()
