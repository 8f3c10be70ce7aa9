"""The one nursery of the service: its automations run here, start again when they die, stop cleanly."""

import errno
import signal
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import trio

from adapters.automations.archiver import Archiver
from adapters.automations.artifact_writer import ArtifactWriter
from adapters.automations.claims import Claims
from adapters.automations.disk_watch import DiskWatch
from adapters.automations.feed import Feed
from adapters.automations.intake import Intake
from adapters.automations.keeper import Keeper
from adapters.automations.leases import Leases
from adapters.automations.mediator import Mediator
from adapters.automations.policy_runner import PolicyRunner
from adapters.automations.reconcile import Reconcile
from adapters.automations.stamp import Stamp
from adapters.automations.timers import Timers
from adapters.automations.tree_signer import TreeSigner
from adapters.automations.wish_reader import WishReader
from adapters.automations.worker import Worker
from handlers.dispatch import AsyncDispatch
from handlers.ports.agent import Processes
from handlers.ports.log import Doorbell
from handlers.scheduling import CLAIMABLE, EVERY, low_disk, open_until
from projections.story import artifact_path
from schemas.service import NoteRestart, NoteStart, NoteStop, NoteStopRequest

GRACE_S = 30.0
"""So long a running task may go on after the first request to stop."""
CLOSING_S = 15.0
"""So long the last artifacts, moves and records may take."""
LONGEST_BACKOFF_S = 60.0
LOOK_S = 0.25
FIRST_LOOK_S = 2.0
"""So long workers wait at the start for what lies in the inbox; a wish may take longer to be understood."""
DRAINED = "drained"
NO_ROOM = "the disk is low"
MEANS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOSPC, errno.EDQUOT})
PATIENCE = 3
"""So often a list of files may fail before a drain ends without it."""


@dataclass(frozen=True)
class Crew:
    """Everything that the service runs."""

    feed: Feed
    doorbell: Doorbell
    dispatch: AsyncDispatch
    stamp: Stamp
    processes: Processes
    reconcile: Reconcile
    leases: Leases
    claims: Claims
    intake: Intake
    mediator: Mediator
    wishes: WishReader
    policies: PolicyRunner
    timers: Timers
    artifacts: ArtifactWriter
    archiver: Archiver
    keeper: Keeper
    disk: DiskWatch
    signer: TreeSigner
    workers: Sequence[Worker]
    fatal: tuple[type[Exception], ...]
    version: str
    last_resort: Callable[[], None]
    """Called at the second request to stop: a while later the process ends, whatever hangs."""


class Unwritten(OSError):
    """Files that could not be made from the log, at the end of a drain; the log itself is whole."""


class DiskIsLow(OSError):
    """A drain ended with tasks that were not begun, for want of room."""


class Supervisor:
    """`drain_wait_s` None: run until told to stop; else until nothing is left to do."""

    def __init__(self, crew: Crew, drain_wait_s: float | None = None) -> None:
        self._crew = crew
        self._drain_wait_s = drain_wait_s
        self._stop = trio.Event()
        self._now = trio.Event()
        self._reason = DRAINED
        self._failures: dict[str, tuple[int, str]] = {}

    def stop(self, reason: str) -> None:
        """The first time: end cleanly. The second time: at once."""
        self._crew.disk.log.give_up()
        if self._stop.is_set():
            self._crew.last_resort()
            self._now.set()
            self._crew.feed.wake()
            return
        self._reason = reason
        self._stop.set()

    async def run(self) -> str:
        """The reason of the end. Raises what is in `crew.fatal` (wrapped in a group), and Unwritten."""
        crew = self._crew
        if self._drain_wait_s is not None:
            crew.disk.log.patience_s = self._drain_wait_s
        await crew.feed.advance()
        await crew.dispatch(
            NoteStart(
                **crew.stamp("service"),
                version=crew.version,
                process=crew.processes.own(),
                workers=len(crew.workers),
                drain=self._drain_wait_s is not None,
            )
        )
        # After its start was said: to end what a dead service left may take the agents' grace, and whoever
        # asks meanwhile is told of this service, not of the dead one.
        await crew.reconcile.close_foreign()
        # What a day may cost can have been set anew since the log said that it was spent.
        await crew.claims.day_is_spent()
        await crew.disk.look()
        async with trio.open_nursery() as infrastructure:
            self._start_infrastructure(infrastructure)
            async with trio.open_nursery() as work:
                self._start_work(work)
                await self._stop.wait()
                await self._let_workers_finish()
                # The agents end first: what is said of it waits for the log, whose disk may be the one
                # that hangs.
                work.cancel_scope.cancel()
                if self._now.is_set():
                    infrastructure.start_soon(self._note_haste)
            infrastructure.cancel_scope.cancel()
        await self._close()
        if self._reason == NO_ROOM:
            raise DiskIsLow(f"the disk of {self._crew.disk.path} is low: tasks that wait were not begun")
        if self._reason == DRAINED and (left := self._unwritten()):
            causes = "; ".join(said for _, said in self._failures.values())
            raise Unwritten(f"could not be written: {', '.join(left)} ({causes})")
        return self._reason

    def _unwritten(self) -> dict[str, str]:
        """The files that are still to be made or moved, and whose work that is."""
        live = self._crew.feed.live
        written = {artifact_path(str(row["task_id"])): "artifacts" for row in live.rows("to_write").values()}
        moved = {str(row["want"]): "archive" for row in live.rows("to_archive").values() if row["pending"]}
        return written | moved

    def _start_infrastructure(self, nursery: trio.Nursery) -> None:
        crew = self._crew
        nursery.start_soon(self._keep, "following the log", lambda: crew.feed.follow(crew.doorbell))
        nursery.start_soon(self._keep, "disk", crew.disk.run)
        nursery.start_soon(self._keep, "records", crew.keeper.run)
        nursery.start_soon(self._keep, "policies", crew.policies.run)
        nursery.start_soon(self._keep, "timers", crew.timers.run)
        nursery.start_soon(self._keep, "leases", crew.leases.run)
        nursery.start_soon(self._keep, "artifacts", crew.artifacts.run)
        nursery.start_soon(self._keep, "archive", crew.archiver.run)
        nursery.start_soon(self._keep, "tree heads", crew.signer.run)
        nursery.start_soon(self._keep, "local model", crew.mediator.run)

    def _start_work(self, nursery: trio.Nursery) -> None:
        nursery.start_soon(self._keep, "intake", self._crew.intake.run)
        nursery.start_soon(self._keep, "wishes", self._crew.wishes.run)
        nursery.start_soon(self._start_workers, nursery)
        if self._drain_wait_s is not None:
            nursery.start_soon(self._stop_when_drained, self._drain_wait_s)

    async def _start_workers(self, nursery: trio.Nursery) -> None:
        """Nothing is begun before what lies in the inbox at the start has its place in the queue.

        Else the order of the files would win over their priority. Where it takes long they do not wait.
        """
        with trio.move_on_after(FIRST_LOOK_S):
            await self._crew.intake.looked.wait()
            while self._crew.feed.live.rows("received"):
                await self._crew.feed.moved(self._crew.feed.live.position)
        for worker in self._crew.workers:
            nursery.start_soon(self._keep_worker, worker)

    async def _keep_worker(self, worker: Worker) -> None:
        async def close_claims(error: Exception) -> None:
            # For want of handles or room any task would have died: the worker waits, and tries it again.
            died = not lacks_means(error)
            await self._crew.reconcile.close_own(_words(error), worker.name, died=died)

        await self._keep(f"worker {worker.name}", worker.run, close_claims)

    async def _keep(
        self,
        name: str,
        run: Callable[[], Awaitable[None]],
        mend: Callable[[Exception], Awaitable[None]] | None = None,
    ) -> None:
        """Run for ever; a death is an event, and the next start waits longer."""
        restarts = 0
        while True:
            try:
                await run()
            except Exception as error:
                if self._is_fatal(error):
                    raise
                restarts += 1
                # What a disk refuses it refuses again: said once, not once for each try on a full disk.
                known = isinstance(error, OSError) and self._failures.get(name, (0, ""))[1] == str(error)
                self._failures[name] = (restarts, str(error))
                delay_s = min(LONGEST_BACKOFF_S, 0.5 * 2 ** (restarts - 1))
                if not known:
                    await self._note_death(name, error, restarts, delay_s)
                if mend is not None:
                    await mend(error)
                await trio.sleep(delay_s)

    async def _note_death(self, name: str, error: Exception, restarts: int, delay_s: float) -> None:
        """Write down that a part of the service died."""
        stamp = self._crew.stamp("service")
        await self._crew.dispatch(
            NoteRestart(**stamp, automation=name, error=_words(error), restarts=restarts, delay_s=delay_s)
        )

    def _is_fatal(self, error: BaseException) -> bool:
        if isinstance(error, BaseExceptionGroup):
            return any(self._is_fatal(one) for one in error.exceptions)
        return isinstance(error, self._crew.fatal)

    async def _let_workers_finish(self) -> None:
        self._crew.claims.closed = True
        if self._reason != DRAINED:
            await self._note_stop_request(self._reason, GRACE_S)
            await self._crew.feed.advance()
        with trio.move_on_after(GRACE_S):
            while any(worker.busy for worker in self._crew.workers) and not self._now.is_set():
                await self._crew.feed.moved(self._crew.feed.live.position)

    async def _note_stop_request(self, reason: str, grace_s: float) -> None:
        rows = self._crew.feed.live.rows("queue").items()
        running = tuple(sorted(key for key, row in rows if row["status"] == "running"))
        stamp = self._crew.stamp("service")
        await self._crew.dispatch(NoteStopRequest(**stamp, reason=reason, running=running, grace_s=grace_s))

    async def _note_haste(self) -> None:
        """The second request, though all of the service is being cancelled."""
        with trio.CancelScope(shield=True):
            await self._note_stop_request(f"{self._reason}, the second one", 0.0)

    async def _stop_when_drained(self, wait_s: float) -> None:
        while not await self.drained(wait_s):
            if self._lacks_room(wait_s):
                self.stop(NO_ROOM)
                return
            with trio.move_on_after(LOOK_S):
                await self._crew.feed.moved(self._crew.feed.live.position)
        self.stop(DRAINED)

    def _lacks_room(self, wait_s: float) -> bool:
        """Whether the disk has been low for so long, and nothing runs any more that might make room."""
        row = low_disk(self._crew.feed.live.rows("executors"))
        if row is None or any(worker.busy for worker in self._crew.workers):
            return False
        return bool(self._crew.stamp.clock.now() - row["since"] >= wait_s * 1_000_000)

    async def drained(self, wait_s: float) -> bool:
        """Whether nothing is left that could be done within `wait_s` seconds."""
        crew = self._crew
        await crew.feed.advance()
        await crew.policies.drain()
        live = crew.feed.live
        horizon = crew.stamp.clock.now() + int(wait_s * 1_000_000)
        executors = live.rows("executors")
        held = executors.get(EVERY, {})
        closed = held.get("paused") or (held.get("wait_until") or 0) > horizon
        waiting = any(
            row["status"] == "running"
            or (row["status"] in CLAIMABLE and not closed and open_until(row, executors) <= horizon)
            for row in live.rows("queue").values()
        )
        hopeless = {name for name, (failures, _) in self._failures.items() if failures >= PATIENCE}
        unwritten = set(self._unwritten().values()) - hopeless
        return crew.intake.empty and not (waiting or unwritten or live.rows("received"))

    async def _close(self) -> None:
        """The last artifacts, moves, the note, the records: what a person finds in the morning."""
        crew = self._crew
        with trio.move_on_after(CLOSING_S):
            # A worker that was stopped between its claim and its work leaves the claim open.
            await crew.reconcile.close_own("the service was stopped")
            for name, drain in (("artifacts", crew.artifacts.drain), ("archive", crew.archiver.drain)):
                try:
                    await drain()
                except Exception as error:
                    if self._is_fatal(error):
                        raise
                    # What could not be written now stays on its list for the next start.
                    await self._note_death(name, error, 0, 0.0)
        await crew.dispatch(
            NoteStop(**crew.stamp("service"), process=crew.processes.own(), reason=self._reason)
        )
        await crew.feed.advance()
        await crew.keeper.once()
        await self._sign_all()

    async def _sign_all(self) -> None:
        """The closing tree head covers all that was said before it; the mirror gets its event, too."""
        try:
            signed = await self._crew.signer.head("shutdown")
        except OSError as error:
            if self._is_fatal(error):
                raise
            await self._note_death("tree heads", error, 0, 0.0)
            signed = None
        if signed is not None:
            await self._crew.keeper.once()


def lacks_means(error: BaseException) -> bool:
    """Whether all that went wrong is that the system had no more handles, memory or room."""
    if isinstance(error, BaseExceptionGroup):
        return all(lacks_means(one) for one in error.exceptions)
    return isinstance(error, OSError) and error.errno in MEANS


def _words(error: BaseException) -> str:
    """What is said of its cause."""
    return f"{type(error).__name__}: {_first_cause(error)}"[:500]


def _first_cause(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error) or type(error).__name__


async def obey_signals(supervisor: Supervisor, task_status: trio.TaskStatus[None]) -> None:
    """SIGINT, SIGTERM, a closed terminal (on Windows SIGINT, SIGBREAK): first cleanly, then at once."""
    names = ("SIGINT", "SIGTERM", "SIGHUP") if not hasattr(signal, "SIGBREAK") else ("SIGINT", "SIGBREAK")
    wanted = [signal.Signals[name] for name in names]
    with trio.open_signal_receiver(*wanted) as received:
        task_status.started()
        async for number in received:
            supervisor.stop(f"signal {signal.Signals(number).name}")
