"""What is made from the log and kept beside it: the views' file and the mirror."""

import trio

from eventstore.log import Log
from eventstore.mirror import Mirror, Repair
from projections.views import Views


class RecordKeeping:
    """Brings both up to the log's head, in a thread."""

    def __init__(self, log: Log, views: Views, mirror: Mirror) -> None:
        self._log = log
        self._views = views
        self._mirror = mirror

    def catch_up_now(self) -> tuple[Repair | None, tuple[str, ...]]:
        """For verbs: the same without an event loop."""
        repair = self._mirror.catch_up()
        self._views.catch_up(self._log)
        rebuilt = tuple(self._views.repairs)
        self._views.repairs.clear()
        return repair, rebuilt

    async def catch_up(self) -> tuple[Repair | None, tuple[str, ...]]:
        """The mirror's repair, and a sentence for each time the views' file was made anew."""
        return await trio.to_thread.run_sync(self.catch_up_now)
