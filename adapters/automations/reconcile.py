"""Open claims that nobody works on any more: their agent is ended before the task goes on."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import trio

from adapters.automations.claims import refuse_if_taken_over
from adapters.automations.feed import Feed
from adapters.automations.stamp import Stamp
from handlers.attempt import ATTEMPT
from handlers.attempt_state import AttemptState
from handlers.decider import Refused
from handlers.dispatch import AsyncDispatch
from handlers.ports.agent import Processes
from handlers.ports.files import Blobs, WorkTree
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
    """What it closes leaves no task running and no agent alive."""

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

    async def close_foreign(self) -> bool:
        """Close the claims of services that are dead, or not heard of until their lease ended.

        True while there are others' claims left: of a living service, or one on another machine.
        """
        own, left = self._processes.own(), False
        died: list[str] = []
        silent: list[str] = []
        for row in self._running():
            holder = ProcessIdentity.model_validate(row["process"])
            if holder == own:
                continue
            if await self._processes.alive(holder) is False:
                died.append(str(row["task_id"]))
            elif row["lease_until"] < self._stamp.clock.now():
                silent.append(str(row["task_id"]))
            else:
                left = True
        # All at once: an agent that will not go has some seconds of grace, and others work on meanwhile.
        lived = dict[str, bool]()
        async with trio.open_nursery() as ending:
            for task_id in (*died, *silent):
                ending.start_soon(self._end_agent, task_id, lived)
        for task_id in died:
            await self._close(task_id, "the service died", service_died=True, lived=lived)
        for task_id in silent:
            why = "its worker was not heard of in time"
            await self._close(task_id, why, lease_expired=True, lived=lived)
        await self._feed.advance()
        return left

    async def _end_agent(self, task_id: str, lived: dict[str, bool]) -> None:
        """The task's agent and check; `lived` says of the agent whether it was alive."""
        state, _ = await self._dispatch.state(ATTEMPT, task_stream(task_id))
        if not state.open:
            return
        agent = ProcessIdentity.model_validate(state.agent) if state.agent else None
        if state.session_id is not None:
            lived[task_id] = await self._processes.kill(agent, _canonical(state.session_id))
        if state.check_session is not None:
            await self._processes.kill(None, _canonical(state.check_session))

    async def refuse_if_taken_over(self) -> None:
        """Raises Fenced when another service has started in this home since ours did."""
        await refuse_if_taken_over(self._dispatch, self._processes.own())

    async def close_own(self, reason: str, worker: str | None = None, *, died: bool = True) -> None:
        """Close this service's own claims, or those of one of its workers.

        `died` False: that one did not die of its task, and the task is not charged with a death.
        """
        await self._feed.advance()
        own = self._processes.own()
        for row in self._running():
            if ProcessIdentity.model_validate(row["process"]) == own and worker in (None, row["worker"]):
                await self._close(str(row["task_id"]), reason, worker_died=worker is not None and died)
        await self._feed.advance()

    def _running(self) -> list[Mapping[str, Any]]:
        return [row for row in self._feed.live.rows("queue").values() if row["status"] == "running"]

    async def _close(
        self,
        task_id: str,
        reason: str,
        *,
        worker_died: bool = False,
        lease_expired: bool = False,
        service_died: bool = False,
        lived: dict[str, bool] | None = None,
    ) -> None:
        """`lived` is given where the agent was ended already: see _end_agent."""
        if lived is None:
            await self._end_agent(task_id, lived := {})
        state, _ = await self._dispatch.state(ATTEMPT, task_stream(task_id))
        if not state.open:
            return
        # What changed since the comparison is the checks' doing, not the agent's.
        reasons = [reason, None if state.compared else await self._note_files(task_id, state)]
        # Where the agent had ended and said so, the rule judges that instead: nothing is paid for twice.
        await self._dispatch(
            InterruptAttempt(
                **self._stamp("service"),
                task_id=task_id,
                attempt=state.attempt,
                reason="; ".join(filter(None, reasons)),
                agent_was_alive=lived.get(task_id, False),
                worker_died=worker_died,
                lease_expired=lease_expired,
                service_died=service_died,
            )
        )

    async def _note_files(self, task_id: str, state: AttemptState) -> str | None:
        """What the lost attempt had changed is found by its snapshot, and belongs to it.

        A sentence when it could not be found out, or not wholly.
        """
        if state.snapshot is None or state.spec is None:
            return None
        try:
            before = await self._blobs.get(state.snapshot)
            found = await self._tree.changes(str(state.spec["cwd"]), before)
        except OSError as error:
            return f"what was changed could not be found out: {error}"
        note = NoteFiles(**self._stamp("service"), task_id=task_id, attempt=state.attempt, files=found.files)
        try:
            await self._dispatch(note)
        except Refused as refused:
            # Whoever held it lives and was faster: it is closed already, and will not be closed twice.
            return refused.sentence
        return found.unseen_in_words()
