"""At the start: an open claim belongs to a dead service. Its agent is ended before the task goes on."""

from uuid import UUID

from adapters.feed import Feed
from adapters.stamp import Stamp
from handlers.attempt import ATTEMPT, AttemptState
from handlers.dispatch import AsyncDispatch
from handlers.ports import Blobs, Processes, WorkTree
from schemas.attempt import InterruptAttempt, NoteFiles
from schemas.names import task_stream
from schemas.process import ProcessIdentity


def _canonical(session_id: str) -> str | None:
    """A session id that is a UUID as we write them: anything else could name anybody's process."""
    try:
        return session_id if str(UUID(session_id)) == session_id else None
    except ValueError:
        return None


class Reconcile:
    """`close_open_claims` leaves no task running and no agent alive."""

    def __init__(
        self,
        feed: Feed,
        dispatch: AsyncDispatch,
        stamp: Stamp,
        processes: Processes,
        tree: WorkTree,
        blobs: Blobs,
    ) -> None:
        self._feed = feed
        self._dispatch = dispatch
        self._stamp = stamp
        self._processes = processes
        self._tree = tree
        self._blobs = blobs

    async def close_open_claims(self, worker: str | None = None, reason: str = "the service died") -> None:
        """Close every open claim, or those of one worker that has died while the service lives."""
        await self._feed.advance()
        for row in list(self._feed.live.rows("queue").values()):
            if row["status"] == "running" and worker in (None, row["worker"]):
                await self._close(str(row["task_id"]), reason, worker_died=worker is not None)
        await self._feed.advance()

    async def _close(self, task_id: str, reason: str, *, worker_died: bool) -> None:
        state, _ = await self._dispatch.state(ATTEMPT, task_stream(task_id))
        if not state.open:
            return
        agent = ProcessIdentity.model_validate(state.agent) if state.agent else None
        alive = False
        if state.session_id is not None:
            alive = await self._processes.kill(agent, _canonical(state.session_id))
        reasons = [reason, await self._note_files(task_id, state)]
        # Where the agent had ended and said so, the rule judges that instead: nothing is paid for twice.
        await self._dispatch(
            InterruptAttempt(
                **self._stamp("service"),
                task_id=task_id,
                attempt=state.attempt,
                reason="; ".join(filter(None, reasons)),
                agent_was_alive=alive,
                worker_died=worker_died,
            )
        )

    async def _note_files(self, task_id: str, state: AttemptState) -> str | None:
        """What the lost attempt had changed is found by its snapshot, and belongs to it.

        A sentence when it could not be found out.
        """
        if state.snapshot is None or state.spec is None:
            return None
        try:
            before = await self._blobs.get(state.snapshot)
            files = await self._tree.changes(str(state.spec["cwd"]), before)
        except OSError as error:
            return f"what was changed could not be found out: {error}"
        await self._dispatch(
            NoteFiles(**self._stamp("service"), task_id=task_id, attempt=state.attempt, files=files)
        )
        return None
