"""One attempt at a task: shape, snapshot, the agent's turns, what changed, checks, summary, verdict."""

import hashlib

import trio

from adapters.automations.claims import Claim
from adapters.automations.claims import Fenced as Fenced
from adapters.automations.file_feed import FileFeed
from adapters.automations.hold import Hold
from adapters.automations.hold import Workshop as Workshop
from adapters.automations.turns import Turns
from handlers.ending import full_verdict
from handlers.verification import due_checks
from schemas.attempt import (
    EndAttempt,
    FileChange,
    InterruptAttempt,
    NoteCheck,
    NoteFiles,
    StartCheck,
)


def only_cancelled(ending: BaseException) -> bool:
    """Whether nothing went wrong but that the surrounding scope was cancelled."""
    if isinstance(ending, BaseExceptionGroup):
        return ending.split(trio.Cancelled)[1] is None
    return isinstance(ending, trio.Cancelled)


class Attempt:
    def __init__(self, worker: str, shop: Workshop, claim: Claim) -> None:
        self._shop = shop
        self._claim = claim
        self._hold = Hold(worker, shop, claim)
        self._compared = claim.state.owed is not None
        self._ending = False
        self._files = FileFeed(shop.tree, claim.cwd, self._note_files)

    async def run(self) -> None:
        """Raises only what is a bug, a failed log, Fenced, or the service's own cancellation."""
        try:
            await self._work()
        except BaseException as ending:
            if only_cancelled(ending):
                with trio.CancelScope(shield=True):
                    await self._give_back("the service was stopped")
            raise

    async def _work(self) -> None:
        # An attempt before this one was interrupted when nothing but its checks was left.
        if self._claim.state.owed is None:
            await self._shape()
            if self._hold.called_off:
                await self._give_back(f"the task was {self._hold.called_off} before its agent began")
                return
            await self._do()
        if not self._hold.called_off:
            await self._check()
        if not self._hold.called_off:
            await self._summarise()
        if self._hold.called_off == "paused":
            await self._give_back("the task was paused")
            return
        self._ending = True
        await self._hold.say(EndAttempt(**self._hold.held()))
        await self._shop.feed.advance()

    async def _do(self) -> None:
        """The agent's part, and what it changed."""
        async with self._hold.step("snapshot") as made:
            snapshot = await self._files.begin()
            made |= await self._keep(snapshot)
        await Turns(self._hold, self._files).run()
        if self._hold.called_off != "paused":
            async with self._hold.step("compare") as made:
                made |= (await self._files.finish())._asdict()
            self._compared = True

    async def _shape(self) -> None:
        """Have the wish put in order, once for a task; an agent that a person named gets it as it is."""
        state = self._claim.state
        named = (state.spec or {}).get("agent_type") is not None
        if not self._shop.mediator.on or named or state.shape_sought:
            return
        async with self._hold.step("shape"):
            await self._hold.mediate("shape")

    async def _summarise(self) -> None:
        """Have a good result told shorter; one that was not good has a sentence of its own."""
        if not self._shop.mediator.on:
            return
        state = await self._hold.state()
        if state.report is None or full_verdict(state).kind == "failed":
            return
        async with self._hold.step("summarise"):
            await self._hold.mediate("summary", str(state.report["result_text"]))

    async def _keep(self, snapshot: bytes) -> dict[str, str]:
        """The blob, or why there is none: what an attempt changed that is lost is not found out then."""
        measured = hashlib.sha256(snapshot).hexdigest()
        try:
            kept = await self._shop.blobs.put(snapshot)
        except OSError as refusal:
            note = f"artifact_write: it could not be kept ({refusal.strerror or refusal})"
            return {"note": note, "measured": measured}
        # A name in it that looks like a secret was redacted: what is kept would tell of changes
        # that nobody made.
        if kept != measured:
            return {"note": "a name in it looks like a secret", "measured": measured}
        return {"blob": kept}

    async def _give_back(self, why: str) -> None:
        """The attempt is closed, the task keeps its place; nothing where it is closed already."""
        state = await self._hold.state()
        if not (state.open and state.attempt == self._claim.attempt):
            if not self._ending:
                await self._hold.reject("InterruptAttempt")
            return
        # What changed since the comparison is the checks' doing, not the agent's.
        reasons = [why, *(() if self._compared else await self._files.finish())]
        reason = "; ".join(filter(None, reasons))
        await self._shop.dispatch(InterruptAttempt(**self._hold.held(), reason=reason))
        await self._shop.feed.advance()

    async def _check(self) -> None:
        """Run the task's checks where the agent says that it is done: what they say is evidence."""
        hold, state = self._hold, await self._hold.state()
        due = due_checks(state.spec or {})
        if not due or full_verdict(state).kind == "failed":
            return

        async def work() -> None:
            for index, command in due:
                session_id = self._shop.stamp.ids.new()
                start = StartCheck(**hold.held(), index=index, command=command, session_id=session_id)
                await hold.say(start)
                result = await self._shop.checks.run(index, command, self._claim.cwd, session_id)
                await hold.say(NoteCheck(**hold.held(), result=result))
                await hold.renew()

        async with hold.step("checks"):
            await hold.unless_called_off(work)

    async def _note_files(self, files: tuple[FileChange, ...]) -> None:
        await self._hold.say(NoteFiles(**self._hold.held(), files=files))
