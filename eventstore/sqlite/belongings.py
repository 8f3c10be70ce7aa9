"""What belongs into a log's file: its tables and guards, told apart from what somebody else put there."""

import re
from contextlib import closing
from functools import cache
from typing import Final, NamedTuple

import apsw

from eventstore.sqlite.schema import NEVER_CHANGED, TABLES

EVERY: Final = """
SELECT type, name, sql FROM sqlite_schema WHERE type = 'trigger' OR name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
"""
"""Names that begin so are SQLite's own: keys' indexes, and the statistics that browsers of databases make."""

REMARK: Final = re.compile(r"--[^\n]*")

Made = dict[tuple[str, str], str]
"""The words that made each thing of a file, by its kind (table, trigger, index, view) and its name."""


class Strange(NamedTuple):
    """`wrong`: how the file differs in what decides about a line; `more`: what merely lies in it, too."""

    wrong: tuple[str, ...]
    more: tuple[str, ...]


def strange(connection: apsw.Connection) -> Strange:
    """Hold a file against what every version has made. Raises apsw.Error.

    A trigger can swallow or add lines while SQLite calls each append done, and without the guards a
    line can be changed: neither is seen in the lines themselves before a tree head covers them.
    """
    ours, found = _ours(), _made(connection)
    wrong = [f"the {kind} {name} is missing" for kind, name in ours.keys() - found.keys()]
    wrong += [f"the {kind} {name} is another" for kind, name in ours.keys() & found.keys()
              if ours[kind, name] != found[kind, name]]  # fmt: skip
    others = found.keys() - ours.keys()
    wrong += [f"the trigger {name!r} is none of the log's" for kind, name in others if kind == "trigger"]
    more = [f"the {kind} {name!r}" for kind, name in others if kind != "trigger"]
    return Strange(tuple(sorted(wrong)), tuple(sorted(more)))


@cache
def _ours() -> Made:
    with closing(apsw.Connection(":memory:")) as empty:
        _ = empty.execute(TABLES + NEVER_CHANGED).get
        return _made(empty)


def _made(connection: apsw.Connection) -> Made:
    return {
        (str(kind), str(name)): " ".join(REMARK.sub("", str(sql)).split())
        for kind, name, sql in connection.execute(EVERY)
    }
