"""One thread that appends for many callers: all that waits is one transaction, and one wake-up."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

import trio

from eventstore.log import Append, Log, Outcome

Seen = TypeVar("Seen")

IDLE_S: Final = 5.0
"""So long the thread waits for more before it ends; the next append starts it again."""


@dataclass(slots=True)
class _Waiting(Generic[Seen]):
    wish: Append
    token: trio.lowlevel.TrioToken
    done: trio.Event = field(default_factory=trio.Event)
    outcome: Outcome | None = None
    seen: Seen | None = None


class LogWriter(Generic[Seen]):
    """`look` is called in the thread after each transaction; each caller of it gets what it saw.

    Nobody waits for a timer: a transaction begins as soon as the one before has ended, with all that
    has come meanwhile (natural batching).
    """

    def __init__(self, log: Log, look: Callable[[], Seen | None]) -> None:
        self._log = log
        self._look = look
        self._queue: deque[_Waiting[Seen]] = deque()
        self._changed = threading.Condition()
        self._at_work = False

    async def append(self, wish: Append) -> tuple[Outcome, Seen | None]:
        """What became of it, and what was seen behind it. Raises nothing of the log's: see the outcome.

        Cancellation waits: what was begun commits, and the caller learns of it.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        waiting: _Waiting[Seen] = _Waiting(wish, trio.lowlevel.current_trio_token())
        with self._changed:
            self._queue.append(waiting)
            if self._at_work:
                self._changed.notify()
            else:
                self._at_work = True
                threading.Thread(target=self._run, name="log writer", daemon=True).start()
        with trio.CancelScope(shield=True):
            await waiting.done.wait()
        if waiting.outcome is None:
            raise RuntimeError("the log's writer answered nothing")
        return waiting.outcome, waiting.seen

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._queue:
                    if not self._changed.wait(IDLE_S) and not self._queue:
                        self._at_work = False
                        return
                batch = [self._queue.popleft() for _ in range(len(self._queue))]
            self._write(batch)

    def _write(self, batch: Sequence[_Waiting[Seen]]) -> None:
        outcomes: Sequence[Outcome]
        try:
            outcomes = self._log.append_group([waiting.wish for waiting in batch])
        except Exception as failure:  # noqa: BLE001 - raised by each of the callers
            outcomes = [failure] * len(batch)
        seen = self._look()
        for waiting, outcome in zip(batch, outcomes, strict=True):
            waiting.outcome, waiting.seen = outcome, seen
        for token in {waiting.token for waiting in batch}:
            try:
                token.run_sync_soon(_wake, [waiting for waiting in batch if waiting.token is token])
            except trio.RunFinishedError:
                continue  # nobody is there any more who could be told


def _wake(batch: Sequence[_Waiting[Seen]]) -> None:
    for waiting in batch:
        waiting.done.set()
