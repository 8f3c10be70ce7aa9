"""Run the policies: places for what arrived, dependents let go, circuits, tasks that the service dies of."""

from adapters.automations.feed import Feed
from adapters.automations.stamp import Stamp
from adapters.automations.todo import keep_drained
from handlers.dispatch import AsyncDispatch
from handlers.policies import breaking, quarantining, queueing, releasing
from handlers.task import TASK
from schemas.names import task_stream


class PolicyRunner:
    """`mediated`: a local model looks at wishes in plain words before they are queued."""

    def __init__(self, feed: Feed, dispatch: AsyncDispatch, stamp: Stamp, *, mediated: bool = False) -> None:
        self._mediated = mediated
        self._feed = feed
        self._dispatch = dispatch
        self._stamp = stamp
        self._asked: set[str] = set()
        self._succeeded: set[str] = set()

    async def run(self) -> None:
        await keep_drained(self._feed, self.drain)

    async def drain(self) -> None:
        """Dispatch every command that is due now."""
        live = self._feed.live
        now = self._stamp.clock.now()
        for command in queueing(live.rows("received"), now, mediated=self._mediated):
            await self._dispatch(command)
        await self._feed.advance()
        waiting = dict(live.rows("waiting"))
        await self._learn(waiting)
        for release in releasing(waiting, frozenset(self._succeeded), now):
            await self._dispatch(release)
        for pause in quarantining(live.rows("queue"), now):
            await self._dispatch(pause)
        for switch in breaking(live.rows("executors"), now):
            await self._dispatch(switch)
        await self._feed.advance()

    async def _learn(self, waiting: dict[str, dict[str, object]]) -> None:
        """Which dependencies have succeeded: seen live since, or long before the wait began."""
        for task, row in waiting.items():
            if row.get("succeeded"):
                self._succeeded.add(task)
            if task not in self._asked and row.get("waiters"):
                state, _ = await self._dispatch.state(TASK, task_stream(task))
                self._asked.add(task)
                if state.status == "succeeded":
                    self._succeeded.add(task)
        self._asked &= waiting.keys()
        self._succeeded &= waiting.keys()
