"""The log for the service: each call in a thread, so that the event loop never waits for a disk."""

from collections.abc import Sequence
from itertools import islice

import trio

from eventstore.event import Event, Place, Recorded
from eventstore.log import Log


class LogFailed(Exception):
    """The disk refused the log. The process must end (exit 74): a failed sync is never retried."""


class ThreadedLog:
    """Appends go one after another through one thread, reads through another."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._one_writer = trio.CapacityLimiter(1)
        self._one_reader = trio.CapacityLimiter(1)

    async def append(self, stream: str, events: Sequence[Event], expected: int) -> tuple[Place, ...]:
        # Not abandoned on cancel: what was begun commits, and the caller learns of it.
        try:
            return await trio.to_thread.run_sync(
                self._log.append, stream, events, expected, limiter=self._one_writer
            )
        except OSError as refusal:
            raise LogFailed(f"the log could not be written: {refusal}") from refusal

    async def read_stream(self, name: str, after: int) -> list[Recorded]:
        return await trio.to_thread.run_sync(
            lambda: list(self._log.stream(name, after)), limiter=self._one_reader
        )

    async def read_all(self, after: int, limit: int) -> list[Recorded]:
        return await trio.to_thread.run_sync(
            lambda: list(islice(self._log.all(after), limit)), limiter=self._one_reader
        )


class HeadDoorbell:
    """Looks at the log's head a few times a second: events of other processes are found so."""

    def __init__(self, log: Log, interval_s: float = 0.2) -> None:
        self._log = log
        self._interval_s = interval_s

    async def ring(self, after: int) -> None:
        # Another process cannot set an event of ours: looking is all there is.
        while await trio.to_thread.run_sync(self._log.head) <= after:  # noqa: ASYNC110
            await trio.sleep(self._interval_s)
