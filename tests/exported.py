"""A small home with every kind of text in its log, for tests of moving and mending."""

from contextlib import closing
from pathlib import Path

from eventstore.sqlite.log import SqliteLog
from eventstore.text.mirror import Mirror
from tests.homes import BuiltHome

HOSTILE = 'größer \x1b[31mred\x1b[0m \u202e\u0000 \U0001f600 \\ " \u2028'


def told(root: Path) -> Path:
    """Twenty-six events; the mirror is at the head. Closed, so that others may open it."""
    with BuiltHome(root) as home:
        home.started()
        home.succeed("shop")
        home.fail("poem")
        home.refuse()
        home.queue("later", HOSTILE)
        home.raw("task-later", "task_dreamt", {"numbers": [1, -0.0, 1e300, 2**63 - 1], "deep": [[[{}]]]})
        home.stopped()
    return mirrored(root)


def mirrored(root: Path) -> Path:
    """The same home, its mirror at the log's head."""
    with closing(SqliteLog(root / "logs" / "events.db")) as log:
        Mirror(mirror_of(root), log).catch_up()
    return root


def mirror_of(root: Path) -> Path:
    return root / "logs" / "events.ndjson"


def lines_of(root: Path) -> list[bytes]:
    """With their newlines."""
    return mirror_of(root).read_bytes().splitlines(keepends=True)
