"""The local model through Ollama's HTTP API: one answer in bounded time, and every fault a sentence."""

import math
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

import httpx
import trio
from ollama import AsyncClient, ChatResponse, GenerateResponse, ResponseError

from adapters.ollama_wire import LONGEST_STREAM, Faulty, client_for, is_lost, quoted, reason_of
from handlers.ports.model import ModelEnd, ModelOrder

LONGEST_ANSWER: Final = 64 * 1024
"""Characters; what goes on longer is no answer to anything that is asked here."""
KEPT_FOR: Final = "30m"
"""So long the server keeps the model in memory after an answer."""
SEED: Final = 20
CONNECT_S: Final = 10.0
HANGING_UP_S: Final = 0.5
"""So long the server may take to end the stream of a whole answer."""
LOADING_S: Final = 120.0
"""So long the server may take to load the model when it is told to."""


Part = ChatResponse | GenerateResponse
Asking = Callable[[AsyncClient], Awaitable[AsyncIterator[Part]]]


@dataclass(frozen=True)
class _Patience:
    """How long is waited for a word, how long for all of them, and what to do where that is too short."""

    silence_s: float
    whole_s: float
    remedy: str


@dataclass
class _Heard:
    """What has been said so far; `reason` is set by the last part of a whole answer."""

    parts: list[str] = field(default_factory=list)
    size: int = 0
    flooded: bool = False
    reason: str | None = None
    prompt_tokens: int | None = None
    output_tokens: int | None = None

    def take(self, part: Part) -> None:
        """What comes after the end is no part of the answer."""
        if self.enough:
            return
        text = (part.message.content if isinstance(part, ChatResponse) else part.response) or ""
        self.size += len(text)
        if self.size <= LONGEST_ANSWER:
            self.parts.append(text)
        if part.done:
            self.reason = part.done_reason or "stop"
            self.prompt_tokens = _counted(part.prompt_eval_count)
            self.output_tokens = _counted(part.eval_count)

    @property
    def enough(self) -> bool:
        return self.reason is not None or self.size > LONGEST_ANSWER

    @property
    def text(self) -> str:
        """Without halves of surrogate pairs, which JSON can hold and nothing else."""
        joined = "".join(self.parts)
        return joined.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


class OllamaModel:
    """`host` is an URL. Nothing heard for `silence_s`, or more than `timeout_s` in all, ends the question."""

    def __init__(self, host: str, name: str, silence_s: float, timeout_s: float) -> None:
        self.name = name
        self._host = host
        self._silence_s = silence_s
        self._timeout_s = timeout_s

    async def ask(self, order: ModelOrder) -> ModelEnd:
        async def asking(client: AsyncClient) -> AsyncIterator[Part]:
            return await client.chat(
                model=self.name,
                messages=[
                    {"role": "system", "content": order.system},
                    {"role": "user", "content": order.prompt},
                ],
                stream=True,
                format=dict(order.schema),
                options={
                    "num_ctx": order.num_ctx,
                    "num_predict": order.num_predict,
                    "temperature": 0,
                    "seed": SEED,
                },
                keep_alive=KEPT_FOR,
                # A model that thinks aloud first would use up what its answer may take.
                think=False,
            )

        patience = _Patience(self._silence_s, self._timeout_s, "Raise LLAMA_TIMEOUT_SEC for a slow machine.")
        return await self._end(asking, order, patience)

    async def warm(self, num_ctx: int) -> ModelEnd:
        """Have the server load the model, in bounded time; `text` stays empty, `problem` says what failed.

        Ollama stops loading as soon as the question goes that it was for (its log: "client connection closed
        before server finished loading, aborting load"): a model that takes longer than `silence_s` to load
        answers only after this. `num_ctx` must be the one that is asked with, else the server loads it anew.
        """

        async def asking(client: AsyncClient) -> AsyncIterator[Part]:
            return await client.generate(
                model=self.name, prompt="", stream=True, options={"num_ctx": num_ctx}, keep_alive=KEPT_FOR
            )

        return await self._end(asking, None, _Patience(math.inf, LOADING_S, "Take a smaller model."))

    async def _end(self, asking: Asking, order: ModelOrder | None, patience: _Patience) -> ModelEnd:
        """Raises nothing but the surrounding scope's cancellation."""
        began, heard = trio.current_time(), _Heard()
        problem: str | None = None
        note: str | None = None
        try:
            await self._listen(asking, heard, patience)
            _check_whole(heard, order)
        except Faulty as fault:
            problem, note = fault.problem, f"{self.name} at {self._host}: {fault}"
        return ModelEnd(
            text=heard.text,
            problem=problem,
            note=note,
            prompt_tokens=heard.prompt_tokens,
            output_tokens=heard.output_tokens,
            elapsed_ms=int((trio.current_time() - began) * 1000),
        )

    async def _listen(self, asking: Asking, heard: _Heard, patience: _Patience) -> None:
        """Raises Faulty; how a server hangs up after a whole answer is no matter."""
        try:
            with trio.move_on_after(patience.whole_s) as whole:
                await self._hear(asking, heard, patience.silence_s)
            if whole.cancelled_caught:
                raise Faulty("timeout", f"it was not done after {patience.whole_s:g} s. {patience.remedy}")
        except Faulty:
            if heard.reason is None:
                raise

    async def _hear(self, asking: Asking, heard: _Heard, silence_s: float) -> None:
        """Raises Faulty for whatever is the server's doing."""
        try:
            with trio.move_on_after(silence_s) as waiting:

                def flooded() -> None:
                    heard.flooded = True
                    waiting.cancel()

                # Connecting is given up before the wait is: nobody there is not the same as nothing said.
                connect_s = min(silence_s * 0.75, CONNECT_S)
                async with client_for(self._host, self.name, connect_s, flooded) as client:
                    async for part in await asking(client):
                        heard.take(part)
                        wait_s = min(silence_s, HANGING_UP_S) if heard.enough else silence_s
                        waiting.deadline = trio.current_time() + wait_s
                        if heard.size > LONGEST_ANSWER:
                            waiting.cancel()  # the next read ends it, and the connection with it
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise Faulty(
                "unreachable",
                f"nobody answers there ({reason_of(error)}). Start Ollama, or look at OLLAMA_HOST.",
            ) from error
        except ResponseError as told:
            raise Faulty(
                "server_error", f"the server failed ({quoted(str(told.error))}). Look into its log."
            ) from told
        except (httpx.HTTPError, ValueError, TypeError, AttributeError, RecursionError) as error:
            if is_lost(error):
                raise Faulty("cut_off", "the connection was lost in the middle of the answer.") from error
            # Lines that are no JSON, or JSON of another kind, make the client fail in its own ways.
            raise Faulty("not_ollama", "what answers there is not Ollama. Look at OLLAMA_HOST.") from error
        if heard.flooded:
            raise Faulty("too_long", f"it sent more than {LONGEST_STREAM} bytes.")
        if waiting.cancelled_caught and not heard.enough:
            raise Faulty(
                "silent",
                f"it said nothing for {silence_s:g} s (it may be loading the model). "
                "Raise LLAMA_SILENCE_SEC for a slow machine.",
            )


def _counted(tokens: int | None) -> int | None:
    """A count that can be one."""
    return tokens if tokens is not None and 0 <= tokens < 2**31 else None


def _check_whole(heard: _Heard, order: ModelOrder | None) -> None:
    """Raises Faulty where what was heard is not the whole answer to the whole question."""
    if heard.size > LONGEST_ANSWER:
        raise Faulty("too_long", f"its answer is longer than {LONGEST_ANSWER} characters.")
    if heard.reason is None:
        raise Faulty("cut_off", "its answer ended in the middle.")
    if order is None:
        return
    used = (heard.prompt_tokens or 0) + (heard.output_tokens or 0)
    if used >= order.num_ctx:
        # The server makes room by dropping a part of what was asked, and does not say so.
        raise Faulty(
            "prompt_cut", f"the question did not fit into {order.num_ctx} tokens. Raise LLAMA_NUM_CTX."
        )
    if heard.reason == "length":
        raise Faulty("too_long", f"its answer needs more than {order.num_predict} tokens.")
