"""The home's lock for a verb that replaces files of the home: nobody else may work there meanwhile."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Final

import orjson

from adapters.cli.failure import CONFLICT, Failure
from adapters.home import Home
from eventstore.file_lock import FileLock
from eventstore.log import LogUnreadable
from eventstore.regular_file import opened
from eventstore.sqlite.log import SqliteLog
from schemas import names
from schemas.upcasts import UPCASTS

BRIEFLY_S: Final = 0.2
"""Longer than a look at the lock, shorter than any service lives."""
LOOK_S: Final = 0.05


@contextmanager
def owning(home: Home) -> Iterator[None]:
    """Raises Failure, which names the owner as the log, or else its mirror, has it; OSError."""
    lock, deadline = FileLock(home.owner_lock), time.monotonic() + BRIEFLY_S
    while not lock.try_acquire():
        if time.monotonic() > deadline:
            sentence = f"the home {home.root} is owned by {_owner(home)}."
            raise Failure(CONFLICT, "already_running", sentence, "Stop it first.")
        time.sleep(LOOK_S)
    try:
        yield
    finally:
        lock.release()


def _owner(home: Home) -> str:
    starts: list[tuple[int, str]] = []
    try:
        with closing(SqliteLog(home.log, upcasts=UPCASTS, read_only=True)) as log:
            types = frozenset({names.ORCHESTRATOR_STARTED})
            starts = [(event.data["process"]["pid"], event.when) for event in log.all(types=types)]
    except (LogUnreadable, OSError):
        starts = list(_in_mirror(home))
    if not starts:
        return "another process"
    pid, when = starts[-1]
    return f"another process: the service that started last has pid {pid}, started {when}"


def _in_mirror(home: Home) -> Iterator[tuple[int, str]]:
    mark = f'"type":"{names.ORCHESTRATOR_STARTED}"'.encode()
    try:
        with opened(home.mirror) as file:
            for line in file:
                if mark in line:
                    event = orjson.loads(line)
                    yield event["data"]["process"]["pid"], event["time"]
    except (OSError, ValueError, KeyError, TypeError):
        return
