"""What a writing verb needs: the log, a dispatch, and to know whether it owns the home."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from adapters.automations.stamp import Stamp
from adapters.config.settings import Settings, read_settings
from adapters.home import Home, NoHome
from adapters.person import actor
from adapters.process_tree import alive
from adapters.record_keeping import ViewsBehind
from adapters.storage import Storage, open_storage
from adapters.system_clock import SystemClock, SystemIds
from adapters.trusted_homes import TrustedHomes
from eventstore.event import Recorded
from eventstore.file_lock import FileLock
from handlers.deciders import DECIDERS
from handlers.dispatch import Dispatch
from handlers.path_policy import OWN_FOLDERS
from handlers.ports.log import HeadRefused
from handlers.task import TASK, TaskState
from schemas import names
from schemas.process import ProcessIdentity
from schemas.record import HeadReason, NoteTreeHead
from schemas.service import NoteMirror, NoteViews
from schemas.task import QueueTask

ANSWER_S = 2.0
"""So long a verb waits for the owner's answer, and for another verb to be done."""
LOOK_S = 0.05
BRIEFLY_S = 0.2
"""Longer than a look at the lock, shorter than any service lives."""


class NotTrusted(Exception):
    """A home was found upward that this person has not made: its settings could start anything."""

    def __init__(self, home: Home) -> None:
        super().__init__(
            f"the home {home.root} was found by looking upward, and you have not made it: "
            "its settings could start any program."
        )


@dataclass(frozen=True)
class Desk:
    """One verb's place at a home's log."""

    home: Home
    settings: Settings
    storage: Storage
    dispatch: Dispatch
    stamp: Stamp
    environ: Mapping[str, str]
    notes: list[str] = field(default_factory=list)
    """Words for the person beside what was asked for."""

    @property
    def actor(self) -> str:
        """The person at the keyboard; an envelope is not redacted, so the name is."""
        return self.storage.redact(actor())

    @property
    def trusted(self) -> bool:
        """Whether the home's settings may say what is started and who is asked, see `trusts`."""
        return trusts(self.home)

    def task(self, task_id: str) -> TaskState:
        state: TaskState
        state, _ = self.dispatch.state(TASK, names.task_stream(task_id))
        return state

    @contextmanager
    def ownership(self, patience_s: float | Callable[[], float] = BRIEFLY_S) -> Iterator[bool]:
        """Whether this verb owns the home while it is inside: only where no service runs.

        A patience that is asked for may change with what the log says meanwhile.
        """
        lock = FileLock(self.home.owner_lock)
        begun = time.monotonic()
        while not lock.try_acquire():
            # A reading verb tries the lock for an instant to see whether a service runs.
            patience = patience_s() if callable(patience_s) else patience_s
            if time.monotonic() - begun > patience:
                yield False
                return
            time.sleep(LOOK_S)
        try:
            yield True
        finally:
            lock.release()

    def placed(self, task_id: str, place: Callable[[], None] | None = None) -> TaskState:
        """The task with its place in the queue, given by the owner, or by this verb once it is that.

        As it is after 2 s: another verb may have held the home, and a service may be slow. `place` gives it
        its place where that takes more than saying so.
        """
        deadline = time.monotonic() + ANSWER_S
        while (state := self.task(task_id)).status == "received" and time.monotonic() < deadline:
            with self.ownership(0) as owner:
                if owner:
                    if place is None:
                        self.dispatch(QueueTask(**self.stamp("service"), task_id=task_id))
                        continue
                    place()
                    return self.task(task_id)
            time.sleep(LOOK_S)
        return state

    def keep_records(self) -> None:
        """Bring views and mirror up to the head; what had to be mended is an event."""
        for _ in range(2):
            try:
                mended, rebuilt = self.storage.records.catch_up_now()
            except ViewsBehind as behind:
                self.notes.append(str(behind))
                return
            except OSError as trouble:
                # The log has what the verb did; whoever writes next brings the mirror up.
                self.notes.append(f"the mirror could not be brought up to date: {trouble}")
                return
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

    def sign(self, reason: HeadReason) -> None:
        """The closing tree head, where no service makes it; a verb that was done stays done without."""
        with self.ownership(LOOK_S) as owner:
            if owner:
                self._sign_or_say(reason)
                return
        if self.service() is not None:
            return
        # Another verb: its own tree head may have been made before this one's events came.
        with self.ownership(ANSWER_S) as owner:
            if owner:
                self._sign_or_say(reason)

    def _sign_or_say(self, reason: HeadReason) -> None:
        try:
            self.sign_as_owner(reason)
        except HeadRefused as refused:
            self.notes.append(str(refused))
        except OSError as trouble:
            self.notes.append(f"the tree head could not be written: {trouble}")

    def sign_as_owner(self, reason: HeadReason) -> None:
        """A tree head over all that stands in the log, if none is. Raises HeadRefused, OSError."""
        tree = self.storage.tree
        standing = tree.ready_now()
        if self.storage.raw.head() <= standing.size:
            return
        if not standing.pending:
            self.dispatch(
                NoteTreeHead(
                    **self.stamp("service"),
                    key=standing.key,
                    reason=reason,
                    size_before=standing.size,
                    root_before=None if standing.root is None else standing.root.hex(),
                )
            )
        tree.sign_now()

    def answered(self, task_ids: Sequence[str], waits_while: frozenset[str]) -> list[TaskState]:
        """The tasks once the service has moved all of them on, or as they are after 2 s."""
        deadline = time.monotonic() + ANSWER_S
        states = [self.task(task_id) for task_id in task_ids]
        while any(state.status in waits_while for state in states) and time.monotonic() < deadline:
            time.sleep(LOOK_S)
            states = [self.task(task_id) for task_id in task_ids]
        return states

    def service(self) -> Recorded | None:
        """The start of the service that owns the home, as the log says it; None where none lives."""
        found = None
        types = frozenset({names.ORCHESTRATOR_STARTED, names.ORCHESTRATOR_STOPPED})
        for event in self.storage.log.all(types=types):
            found = event if event.type == names.ORCHESTRATOR_STARTED else None
        if found is None or not alive(ProcessIdentity.model_validate(found.data["process"])):
            return None
        return found


def _own_folders(home: Home) -> None:
    """Those that are missing are made. Raises NoHome for one that leads elsewhere or is no folder."""
    for name in OWN_FOLDERS:
        folder = home.root / name
        if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
            raise NoHome(
                f"{folder} is no folder of this home: a link, or a file. "
                "Put a real folder there; to move a home to another disk, move all of it."
            )
        folder.mkdir(exist_ok=True)


def trusts(home: Home) -> bool:
    """Whether this person has named the home, made it or taken it up; a repository could bring any other."""
    return home.named or TrustedHomes().trusts(home.root)


@contextmanager
def desk(home: Home, environ: Mapping[str, str], *, starts_programs: bool = False) -> Iterator[Desk]:
    """Raises NotTrusted, BadSetting, LogUnreadable, MirrorAhead. The records are brought up at the end."""
    if starts_programs and not trusts(home):
        raise NotTrusted(home)
    _own_folders(home)
    settings = read_settings(home.root, environ)
    clock = SystemClock()
    storage = open_storage(home, settings.secrets, settings.signing_key)
    try:
        dispatch = Dispatch(storage.log, storage.source, DECIDERS)
        found = Desk(home, settings, storage, dispatch, Stamp(clock, SystemIds(clock.now)), environ)
        # Positions that the mirror knows already must not be given out a second time.
        storage.records.check()
        before = storage.raw.head()
        try:
            yield found
        finally:
            if storage.raw.head() > before:
                found.sign("verb")
            found.keep_records()
    finally:
        storage.close()
