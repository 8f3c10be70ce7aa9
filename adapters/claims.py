"""Who works on what: one claim at a time, decided by the owner of the home alone."""

from dataclasses import dataclass

import trio

from adapters.feed import Feed
from adapters.stamp import Stamp
from handlers.attempt import ATTEMPT, AttemptState
from handlers.decider import Refused
from handlers.dispatch import AsyncDispatch
from handlers.intake import Ground
from handlers.ports import Folders, Processes
from handlers.scheduling import choose
from schemas.attempt import ClaimTask, Conditions
from schemas.names import task_stream

LEASE_MARGIN_S = 60.0
"""A lease outlasts the attempt's own time limit by this much."""


@dataclass(frozen=True)
class Claim:
    """A task held by a worker. `state` is the attempt as it was when it was claimed."""

    task_id: str
    attempt: int
    cwd: str
    timeout_s: float
    state: AttemptState


class Claims:
    def __init__(
        self,
        feed: Feed,
        dispatch: AsyncDispatch,
        stamp: Stamp,
        folders: Folders,
        processes: Processes,
        ground: Ground,
        conditions: Conditions,
    ) -> None:
        self._feed = feed
        self._dispatch = dispatch
        self._stamp = stamp
        self._folders = folders
        self._processes = processes
        self._ground = ground
        self._conditions = conditions
        self._one_at_a_time = trio.Lock()
        self.closed = False

    async def next(self, worker: str) -> Claim:
        """Wait for a task that this worker may start, and claim it."""
        while True:
            async with self._one_at_a_time:
                position = await self._feed.advance()
                rows = self._feed.live.rows("queue").values()
                row = None if self.closed else choose(rows, self._stamp.clock.now())
                if row is not None:
                    claim = await self._claim(str(row["task_id"]), str(row["cwd"]), worker)
                    if claim is not None:
                        return claim
                    continue
            await self._feed.moved(position)

    async def _claim(self, task_id: str, wanted: str, worker: str) -> Claim | None:
        before, _ = await self._dispatch.state(ATTEMPT, task_stream(task_id))
        spec = before.spec or {}
        timeout_s = float(spec.get("timeout_sec") or self._conditions.timeout_s)
        cwd = await self._folders.real(wanted)
        stamp = self._stamp(f"worker:{worker}")
        command = ClaimTask(
            **stamp,
            task_id=task_id,
            worker=worker,
            lease_until=stamp["time"] + int((timeout_s + LEASE_MARGIN_S) * 1_000_000),
            process=self._processes.own(),
            cwd=cwd,
            allowed_root=self._ground.allowed_root,
            home=self._ground.home,
            windows=self._ground.windows,
            conditions=self._conditions,
        )
        try:
            await self._dispatch(command)
        except Refused:
            # Somebody else moved it (a cancel, say): the view will show it, choose again.
            await self._feed.advance()
            return None
        await self._feed.advance()
        state, _ = await self._dispatch.state(ATTEMPT, task_stream(task_id))
        if not state.open:
            return None
        return Claim(task_id, state.attempt, cwd or wanted, timeout_s, state)
