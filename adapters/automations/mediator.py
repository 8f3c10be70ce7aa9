"""Ask the local model, one question at a time: the event that says so, the call, its receipt."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import trio

from adapters.automations.feed import Feed
from adapters.automations.stamp import Stamp
from handlers.mediating.asking import ask
from handlers.mediating.resting import rest_of
from handlers.ports.model import Model, ModelEnd
from projections.mediator import KEY
from schemas.mediation import FinishMediation, MediationCommand, Purpose, StartMediation
from schemas.turn import cut_between_words

Say = Callable[[MediationCommand], Awaitable[object]]
LookUp = Callable[[str], Awaitable[Mapping[str, Any]]]


class Mediator:
    """`on` is False where no model is set: then nobody is asked and nothing is said.

    A local model answers one at a time: who asks while it is at work waits here, where the wait
    does not look like its silence. One that was silent may not be loaded; its server gives up loading with
    the question, so that it is told to load without one, and is asked nothing meanwhile.
    """

    def __init__(
        self, model: Model | None, feed: Feed, stamp: Stamp, redact: Callable[[str], str], num_ctx: int
    ) -> None:
        self._model = model
        self._feed = feed
        self._stamp = stamp
        self._redact = redact
        self._num_ctx = num_ctx
        self._one_at_a_time = trio.Lock()
        self._was_silent = trio.Event()
        self._loading = False

    @property
    def on(self) -> bool:
        return self._model is not None

    async def run(self) -> None:
        """Have a silent model loaded, for ever."""
        while True:
            await self._was_silent.wait()
            self._was_silent = trio.Event()
            if self._model is not None:
                self._loading = True
                try:
                    await self._model.warm(self._num_ctx)
                finally:
                    self._loading = False

    async def ask(
        self,
        purpose: Purpose,
        held: Callable[[], Mapping[str, Any]],
        say: Say,
        spec: Mapping[str, Any],
        said: str = "",
        look_up: LookUp | None = None,
    ) -> None:
        """The answer stands in the log when this returns, or why the rules stand in for it.

        `held` makes the envelope of each command, with task and attempt; `say` dispatches it. `look_up`
        finds out what must be known of the world to judge an answer: more fields of its receipt.
        """
        if self._model is None:
            return
        async with self._one_at_a_time:
            await self._feed.advance()
            row, now = self._feed.live.row("mediator", KEY), self._stamp.clock.now()
            rest = rest_of(row, now, self._model.name)
            if self._loading:
                await say(self._not_asked(purpose, held(), "loading", "its server is loading it."))
            elif rest is not None:
                await say(self._not_asked(purpose, held(), "resting", rest))
            else:
                await self._ask(self._model, purpose, held, say, spec, said, look_up)
            await self._feed.advance()

    def _not_asked(
        self, purpose: Purpose, held: Mapping[str, Any], problem: str, why: str
    ) -> FinishMediation:
        name = self._model.name if self._model is not None else ""
        return FinishMediation(
            **held, purpose=purpose, model=name, said="", problem=problem, note=why, asked=False
        )

    async def _ask(
        self,
        model: Model,
        purpose: Purpose,
        held: Callable[[], Mapping[str, Any]],
        say: Say,
        spec: Mapping[str, Any],
        said: str,
        look_up: LookUp | None,
    ) -> None:
        fence = f"----- {self._stamp.ids.new()} -----"
        # What comes from the log is redacted already; a diff comes from elsewhere.
        asked = ask(purpose, spec, self._redact(said), fence, self._num_ctx)
        start = StartMediation(
            **held(),
            purpose=purpose,
            model=model.name,
            prompt_sha256=asked.sha256,
            left_out=asked.left_out,
        )
        await say(start)
        try:
            end = await model.ask(asked.order)
            known = await look_up(end.text) if look_up is not None and end.problem is None else {}
        except Exception as error:  # noqa: BLE001  # no task waits for a mistake of ours, or fails by it
            end, known = ModelEnd("", "internal", f"{type(error).__name__}: {error}", None, None, 0), {}
        if end.problem == "silent":
            self._was_silent.set()
        await say(
            FinishMediation(
                **held(),
                purpose=purpose,
                model=model.name,
                said=end.text,
                problem=end.problem,
                note=None if end.note is None else cut_between_words(end.note, 500),
                **known,
                prompt_tokens=end.prompt_tokens,
                output_tokens=end.output_tokens,
                elapsed_ms=end.elapsed_ms,
            )
        )
