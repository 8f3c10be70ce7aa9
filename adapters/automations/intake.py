"""Take in what lies in the inbox: a hint wakes, a scan is the truth, a file must be at rest and closed."""

import hashlib
from collections.abc import Callable

import trio

from adapters.automations.feed import Feed
from adapters.automations.stamp import Stamp
from handlers.decider import Refused
from handlers.dispatch import AsyncDispatch
from handlers.intake import Ground, names_in, place_of, refuse_what_is_hidden, spec_of
from handlers.naming import free_id, id_from_stem, text_id
from handlers.ports.agent import Agents
from handlers.ports.files import Dropped, Folders, Inbox
from handlers.scheduling import low_disk
from handlers.task import TASK
from schemas.names import task_stream
from schemas.service import NoteWatchDegraded, NoteWatchRestored
from schemas.task import ReceiveTask, RefuseTask, TaskSpec
from schemas.task_file import MAX_BYTES, TaskFile, Unreadable, read_task

SETTLE_S = 0.3
RESCAN_S = 2.0
WRITTEN_S = 60.0
"""So long a file at rest that somebody has open for writing counts as about to come."""
ACTOR = "inbox"


class Intake:
    """`empty` is True when the last scan found nothing that is still to be taken in; `looked` is set once
    all that lay there at the start has been taken in.
    """

    def __init__(
        self,
        feed: Feed,
        inbox: Inbox,
        folders: Folders,
        agents: Agents,
        ground: Ground,
        dispatch: AsyncDispatch,
        stamp: Stamp,
        redact: Callable[[str], str],
    ) -> None:
        self._feed = feed
        self._inbox = inbox
        self._folders = folders
        self._agents = agents
        self._ground = ground
        self._dispatch = dispatch
        self._stamp = stamp
        self._redact = redact
        self._seen: dict[str, tuple[int, ...]] = {}
        self._known: dict[str, tuple[int, ...]] = {}
        self._written: dict[str, float] = {}
        self._unwatched: tuple[str, float] | None = None
        self.empty = False
        self.looked = trio.Event()

    async def run(self) -> None:
        while True:
            await self._tell_watch()
            if await self.scan():
                await trio.sleep(SETTLE_S)
                continue
            self.looked.set()
            with trio.move_on_after(RESCAN_S):
                await self._inbox.hint()

    async def _tell_watch(self) -> None:
        """Once for each reason why nothing watches the folder, and once when something does again."""
        reason, now = self._inbox.reason, trio.current_time()
        told, since = self._unwatched or (None, now)
        if reason == told:
            return
        self._unwatched = None if reason is None else (reason, since)
        if reason is not None:
            await self._dispatch(NoteWatchDegraded(**self._stamp(ACTOR), reason=reason))
        else:
            await self._dispatch(NoteWatchRestored(**self._stamp(ACTOR), degraded_s=now - since))

    async def scan(self) -> bool:
        """Look once; True when some file has still to settle. While the disk is low all wait."""
        found = await self._inbox.scan()
        if low_disk(self._feed.live.rows("executors")) is not None:
            self.empty = all(self._known.get(file.name) == file.fingerprint for file in found)
            return False
        unsettled = False
        for file in found:
            if self._known.get(file.name) == file.fingerprint:
                continue
            if self._seen.get(file.name) != file.fingerprint:
                self._seen[file.name] = file.fingerprint
                self._written.pop(file.name, None)
                unsettled = True
            elif file.problem is None and await self._inbox.is_written(file.name):
                # Who writes slowly has not done with it, however long it rests. A drain waits a minute.
                since = self._written.setdefault(file.name, trio.current_time())
                unsettled = unsettled or trio.current_time() - since < WRITTEN_S
            else:
                await self._take(file)
        names = {file.name for file in found}
        self._seen = {name: mark for name, mark in self._seen.items() if name in names}
        self._known = {name: mark for name, mark in self._known.items() if name in names}
        self._written = {name: since for name, since in self._written.items() if name in names}
        self.empty = not unsettled
        self._feed.wake()
        return unsettled

    async def _take(self, file: Dropped) -> None:
        """Make a task or a refusal of one settled file; at the end it is known as it lies there."""
        await self._feed.advance()
        # Looked up before the file is read: what is read after this and is not the
        # delivery named here cannot be one that was archived in between.
        standing = {row["content_sha256"] for row in self._lying(file.name)}
        if self._redact(file.name) != file.name:
            await self._refuse_its_name()
        elif file.problem is not None:
            if None not in standing:
                await self._refuse(file, None, Unreadable(file.code, file.problem, file.remedy))
        else:
            try:
                content = await self._inbox.read(file.name, MAX_BYTES + 1)
            except FileNotFoundError:
                return
            except OSError as trouble:
                problem = f"The file cannot be read: {trouble.strerror or trouble}."
                await self._refuse(
                    file, None, Unreadable("unreadable", problem, "Let the service's user read it.")
                )
                content = None
            if content is not None:
                digest = hashlib.sha256(content).hexdigest()
                if digest not in standing:
                    await self._read(file, content, digest)
        self._known[file.name] = file.fingerprint
        await self._feed.advance()

    def _lying(self, name: str) -> list[dict[str, object]]:
        """What became of the file of that name that still lies in the inbox."""
        rows = self._feed.live.rows("in_inbox").values()
        return [row for row in rows if row["file_name"] == name]

    async def _read(self, file: Dropped, content: bytes, digest: str) -> None:
        try:
            task = read_task(content, file.name, trusted=True, redact=self._redact)
            agent = await self._agents.get(task.agent)
            cwd = await self._folders.real(place_of(task, self._ground))
            spec = spec_of(task, cwd, self._ground, agent)
            refuse_what_is_hidden(self._redact, names_in(spec, task.id))
            await self._receive(file, task, spec, digest)
        except Unreadable as problem:
            await self._refuse(file, digest, problem)
        except Refused as no:
            await self._refuse(file, digest, Unreadable(no.code, no.sentence, no.hint))

    async def _receive(self, file: Dropped, task: TaskFile, spec: TaskSpec, digest: str) -> None:
        while True:
            task_id = task.id or await self._free_id(file.name)
            try:
                await self._dispatch(
                    ReceiveTask(
                        **self._stamp(ACTOR),
                        task_id=task_id,
                        origin="inbox",
                        file_name=file.name,
                        content_sha256=digest,
                        spec=spec,
                    )
                )
                return
            except Refused as no:
                # A name that a verb took since we looked is not one that somebody wrote: the next is free.
                if task.id is not None or no.code not in ("already_known", "id_conflict"):
                    raise

    async def _free_id(self, name: str) -> str:
        """The stem made safe; a stem used before gets a number."""
        wanted = id_from_stem(name) or text_id(self._stamp.ids.new())
        taken: set[str] = set()
        while (candidate := free_id(wanted, lambda one: one.lower() in taken)) is not None:
            state, _ = await self._dispatch.state(TASK, task_stream(candidate))
            if state.received is None:
                return candidate
            taken.add(candidate.lower())
        raise AssertionError("unreachable")

    async def _refuse_its_name(self) -> None:
        """It stays where it is: a log that does not show its name could not say what was moved."""
        stamp = self._stamp(ACTOR)
        await self._dispatch(
            RefuseTask(
                **stamp,
                refused_id=text_id(stamp["command_id"]),
                file_name=None,
                content_sha256=None,
                code="looks_secret",
                reason="The name of a file in tasks/ looks like a secret, and the log keeps none.",
                remedy="Rename the file.",
                line=None,
            )
        )

    async def _refuse(self, file: Dropped, digest: str | None, problem: Unreadable) -> None:
        stamp = self._stamp(ACTOR)
        stem = id_from_stem(file.name) or "file"
        await self._dispatch(
            RefuseTask(
                **stamp,
                refused_id=f"{stem[:50]}-{stamp['command_id'][-8:]}",
                file_name=file.name,
                content_sha256=digest,
                code=problem.code,
                reason=problem.reason,
                remedy=problem.remedy,
                line=problem.line,
            )
        )
