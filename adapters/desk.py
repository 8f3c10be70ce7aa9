"""What a writing verb needs: the log, a dispatch, and to know whether it owns the home."""

import getpass
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from adapters.config.settings import Settings, read_settings
from adapters.home import Home
from adapters.stamp import Stamp
from adapters.storage import Storage, open_storage
from adapters.system_clock import SystemClock, SystemIds
from adapters.trusted_homes import TrustedHomes
from eventstore.file_lock import FileLock
from handlers.deciders import DECIDERS
from handlers.dispatch import Dispatch
from handlers.task import TASK, TaskState
from schemas import names
from schemas.service import NoteMirror, NoteViews

ANSWER_S = 2.0
"""So long a verb waits for the owner's answer."""
LOOK_S = 0.05
BRIEFLY_S = 0.2
"""Longer than a look at the lock, shorter than any service lives."""


class NotTrusted(Exception):
    """A home was found upward that this person has not made: its settings could start anything."""


class Owned(Exception):
    """Another process owns the home."""


@dataclass(frozen=True)
class Desk:
    """One verb's place at a home's log."""

    home: Home
    settings: Settings
    storage: Storage
    dispatch: Dispatch
    stamp: Stamp
    environ: Mapping[str, str]

    def task(self, task_id: str) -> TaskState:
        state: TaskState
        state, _ = self.dispatch.state(TASK, names.task_stream(task_id))
        return state

    @contextmanager
    def ownership(self) -> Iterator[bool]:
        """Whether this verb owns the home while it is inside: only where no service runs."""
        lock = FileLock(self.home.owner_lock)
        deadline = time.monotonic() + BRIEFLY_S
        while not lock.try_acquire():
            # A reading verb tries the lock for an instant to see whether a service runs.
            if time.monotonic() > deadline:
                yield False
                return
            time.sleep(LOOK_S)
        try:
            yield True
        finally:
            lock.release()

    def keep_records(self) -> None:
        """Bring views and mirror up to the head; what had to be mended is an event."""
        for _ in range(2):
            mended, rebuilt = self.storage.records.catch_up_now()
            if mended is not None:
                cut, written = mended.bytes_cut, mended.lines_written
                stamp = self.stamp("service")
                self.dispatch(
                    NoteMirror(**stamp, problem=mended.problem, bytes_cut=cut, lines_written=written)
                )
            for problem in rebuilt:
                self.dispatch(NoteViews(**self.stamp("service"), problem=problem))
            if mended is None and not rebuilt:
                return

    def answered(self, task_id: str, waits_while: frozenset[str]) -> TaskState:
        """The task once the service has moved it on, or as it is after 2 s."""
        deadline = time.monotonic() + ANSWER_S
        state = self.task(task_id)
        while state.status in waits_while and time.monotonic() < deadline:
            time.sleep(LOOK_S)
            state = self.task(task_id)
        return state

    def owner(self) -> str:
        """Who owns the home, as the log says it."""
        found = "another process"
        for event in self.storage.log.all(types=frozenset({names.ORCHESTRATOR_STARTED})):
            found = f"the service with pid {event.data['process']['pid']}, started {event.when}"
        return found


def actor() -> str:
    """`cli:USER`, the person at the keyboard."""
    try:
        return f"cli:{getpass.getuser()}"
    except (OSError, KeyError):
        # No name for this user id: a container, say.
        return "cli"


@contextmanager
def desk(home: Home, environ: Mapping[str, str], *, starts_programs: bool = False) -> Iterator[Desk]:
    """Raises NotTrusted, BadSetting, LogUnreadable. The records are brought up at the end."""
    if starts_programs and not home.named and not TrustedHomes().trusts(home.root):
        raise NotTrusted(
            f"the home {home.root} was found by looking upward, and you have not made it: "
            "its settings could start any program."
        )
    settings = read_settings(home.root, environ)
    clock = SystemClock()
    storage = open_storage(home, settings.secrets)
    try:
        dispatch = Dispatch(storage.log, storage.source, DECIDERS)
        found = Desk(home, settings, storage, dispatch, Stamp(clock, SystemIds(clock.now)), environ)
        yield found
        found.keep_records()
    finally:
        storage.close()
