"""The local model behind the mediator."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class ModelOrder:
    """One question to the local model. `schema` is the JSON Schema that the answer keeps to.

    `num_ctx` is the model's window in tokens, `num_predict` what of it the answer may take.
    """

    system: str
    prompt: str
    schema: Mapping[str, Any]
    num_ctx: int
    num_predict: int


@dataclass(frozen=True)
class ModelEnd:
    """What the model said, as it said it; nothing of it is believed yet.

    `problem` is None where it came to its end; else a word for programs (`unreachable`, `model_missing`,
    `silent`, `timeout`, `cut_off`, `server_error`, `too_long`, `prompt_cut`, `not_ollama`), and
    `note` the sentence. Tokens are None where the server did not count them.
    """

    text: str
    problem: str | None
    note: str | None
    prompt_tokens: int | None
    output_tokens: int | None
    elapsed_ms: int


class Model(Protocol):
    """The local model that mediates."""

    name: str

    async def ask(self, order: ModelOrder) -> ModelEnd:
        """Ask once, in bounded time. Raises nothing but the surrounding scope's cancellation."""
        ...

    async def warm(self, num_ctx: int) -> ModelEnd:
        """Have its server load it for questions of that window, in bounded time; nothing is asked."""
        ...
