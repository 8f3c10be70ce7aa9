"""The status of a task, folded from its events: one rule for every fold that needs it. Imports names only."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from schemas import names

MOVES: Final = names.ENDS | {
    names.TASK_RECEIVED,
    names.TASK_QUEUED,
    names.RETRY_REQUESTED,
    names.TASK_RELEASED,
    names.TASK_INTERRUPTED,
    names.RETRY_SCHEDULED,
    names.QUOTA_WAIT_STARTED,
    names.TASK_CLAIMED,
    names.TASK_PAUSED,
    names.TASK_RESUMED,
}
"""The event types that may change a standing: for any other `after` need not be asked, nor a body read."""


class Standing(NamedTuple):
    """`status` is what people read; `beneath` is what a paused task goes on as.

    `paused` may stand beside `running`: the attempt is being ended.
    """

    status: str = "unknown"
    beneath: str = "unknown"
    paused: bool = False

    @property
    def ended(self) -> bool:
        return self.status in names.ENDED

    def after(self, event_type: str, data: Mapping[str, Any]) -> "Standing":
        """The standing after one more event of the task."""
        match event_type:
            case names.TASK_RECEIVED:
                return Standing("received", "received")
            case names.TASK_QUEUED | names.RETRY_REQUESTED:
                return self._waits("waiting_dependency" if data["waits_for"] else "queued")
            case names.TASK_RELEASED | names.TASK_INTERRUPTED:
                return self._waits("queued")
            case names.RETRY_SCHEDULED:
                return self._waits("waiting_retry")
            case names.QUOTA_WAIT_STARTED:
                return self._waits("waiting_quota")
            case names.TASK_CLAIMED:
                return Standing("running", "running")
            case names.TASK_PAUSED:
                at_work = self.status == "running"
                return self._replace(paused=True, status=self.status if at_work else "paused")
            case names.TASK_RESUMED:
                return Standing(self.beneath, self.beneath)
            case _ if event_type in names.ENDS:
                status = names.STATUS_OF_END[event_type]
                return Standing(status, status)
            case _:
                return self

    def _waits(self, status: str) -> "Standing":
        return self._replace(beneath=status, status="paused" if self.paused else status)


UNKNOWN: Final = Standing()
