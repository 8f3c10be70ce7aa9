"""The local model, loaded when it is first asked: its client alone takes longer to import than most verbs."""

from importlib import import_module

import trio

from handlers.ports.model import Model, ModelEnd, ModelOrder


class LateModel:
    """Fills the port `Model`. `host` is an URL; times are in seconds."""

    def __init__(self, host: str, name: str, silence_s: float, timeout_s: float) -> None:
        self.name = name
        self._host = host
        self._silence_s = silence_s
        self._timeout_s = timeout_s
        self._loaded: Model | None = None

    async def ask(self, order: ModelOrder) -> ModelEnd:
        return await (await self._model()).ask(order)

    async def warm(self, num_ctx: int) -> ModelEnd:
        return await (await self._model()).warm(num_ctx)

    async def _model(self) -> Model:
        if self._loaded is None:
            self._loaded = await trio.to_thread.run_sync(self._load)
        return self._loaded

    def _load(self) -> Model:
        model: Model = import_module("adapters.ollama_model").OllamaModel(
            host=self._host, name=self.name, silence_s=self._silence_s, timeout_s=self._timeout_s
        )
        return model
