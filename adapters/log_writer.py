"""One thread that appends for many callers: all that waits is one transaction, and one wake-up."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Final, Generic, TypeVar

import trio

from eventstore.log import NO_ROOM, Append, Log, Outcome

Seen = TypeVar("Seen")

IDLE_S: Final = 5.0
"""So long the thread waits for more before it ends; the next append starts it again."""


@dataclass(slots=True, eq=False)
class _Waiting(Generic[Seen]):
    wish: Append
    task: trio.lowlevel.Task
    token: trio.lowlevel.TrioToken
    outcome: Outcome | None = None
    seen: Seen | None = None


class LogWriter(Generic[Seen]):
    """`look` is called in the thread after each transaction; each caller of it gets what it saw.

    Nobody waits for a timer: a transaction begins as soon as the one before has ended, with all that
    has come meanwhile (natural batching). A caller is put to sleep and woken by hand: an event and
    a shielded scope for each would cost more than the rest of its append.
    """

    def __init__(self, log: Log, look: Callable[[], Seen | None]) -> None:
        self._log = log
        self._look = look
        self._queue: SimpleQueue[_Waiting[Seen]] = SimpleQueue()
        self._starting = threading.Lock()
        self._at_work = False

    async def append(self, wish: Append) -> tuple[Outcome, Seen | None]:
        """What became of it, and what was seen behind it. Raises nothing of the log's: see the outcome.

        Cancellation waits: what was begun commits, and the caller learns of it.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        task, token = trio.lowlevel.current_task(), trio.lowlevel.current_trio_token()
        waiting: _Waiting[Seen] = _Waiting(wish, task, token)
        self._queue.put(waiting)
        with self._starting:
            if not self._at_work:
                self._at_work = True
                threading.Thread(target=self._run, name="log writer", daemon=True).start()
        await trio.lowlevel.wait_task_rescheduled(_not_before_it_is_done)
        if waiting.outcome is None:
            raise RuntimeError("the log's writer answered nothing")
        return waiting.outcome, waiting.seen

    def _run(self) -> None:
        while True:
            try:
                first = self._queue.get(timeout=IDLE_S)
            except Empty:
                with self._starting:
                    # Whoever puts something in looks here afterwards, under the same lock.
                    if not self._queue.empty():
                        continue
                    self._at_work = False
                    return
            # Nobody else takes out: what is counted now is there.
            self._write([first, *(self._queue.get_nowait() for _ in range(self._queue.qsize()))])

    def _write(self, batch: Sequence[_Waiting[Seen]]) -> None:
        outcomes = self._outcomes([waiting.wish for waiting in batch])
        seen = self._look()
        for waiting, outcome in zip(batch, outcomes, strict=True):
            waiting.outcome, waiting.seen = outcome, seen
        for token in {waiting.token for waiting in batch}:
            try:
                token.run_sync_soon(_wake, [waiting.task for waiting in batch if waiting.token is token])
            except trio.RunFinishedError:
                continue  # nobody is there any more who could be told

    def _outcomes(self, wishes: Sequence[Append]) -> list[Outcome]:
        try:
            return self._log.append_group(wishes)
        except OSError as refusal:
            if len(wishes) > 1 and refusal.errno in NO_ROOM:
                # Where there is no room for a large one there may be some for those beside it.
                return [outcome for wish in wishes for outcome in self._outcomes([wish])]
            return [refusal] * len(wishes)
        except Exception as failure:  # noqa: BLE001 - raised by each of the callers
            return [failure] * len(wishes)


def _not_before_it_is_done(_: trio.lowlevel.RaiseCancelT) -> trio.lowlevel.Abort:
    return trio.lowlevel.Abort.FAILED


def _wake(tasks: Sequence[trio.lowlevel.Task]) -> None:
    for task in tasks:
        trio.lowlevel.reschedule(task)
