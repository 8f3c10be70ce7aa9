"""A local model that says what a test wants it to say, by what it is asked for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
import trio

from handlers.ports.model import ModelEnd, ModelOrder

KEYS: Mapping[str, str] = {
    "alternatives": "parse",
    "steps": "shape",
    "summary": "summary",
    "can_answer": "answer",
    "subject": "commit_message",
}
"""A field that only this purpose's answer has."""

PARSED: Mapping[str, Any] = {
    "type": "bug_fix",
    "title": "A title by the model",
    "target_files": [],
    "cwd": "",
    "ambiguous": False,
    "alternatives": [],
}
SHAPED: Mapping[str, Any] = {"goal": "The goal in order", "steps": ["one", "two"], "done_when": ["it works"]}
SHORT: Mapping[str, Any] = {"summary": "Short: it is done."}
SILENT: Mapping[str, Any] = {"can_answer": False, "answer": ""}
MESSAGE: Mapping[str, Any] = {"kind": "fix", "subject": "mend the cart", "body": []}
WELL: Mapping[str, Mapping[str, Any]] = {
    "parse": PARSED,
    "shape": SHAPED,
    "summary": SHORT,
    "answer": SILENT,
    "commit_message": MESSAGE,
}


def end(text: str = "", problem: str | None = None, note: str | None = None) -> ModelEnd:
    """An answer, or a problem of the server."""
    return ModelEnd(text, problem, note or problem, 100, 20, 1500)


@dataclass
class FakeModel:
    """`answers` by purpose: a mapping is said as JSON, a text as it is, a ModelEnd stands for itself."""

    answers: dict[str, Mapping[str, Any] | str | ModelEnd] = field(default_factory=dict)
    takes_s: float = 2.0
    name: str = "tiny:latest"
    asked: list[tuple[str, ModelOrder]] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0
    warmed: int = 0
    loads_s: float = 30.0
    once_loaded: dict[str, Mapping[str, Any] | str | ModelEnd] = field(default_factory=dict)
    before: Callable[[str], None] = lambda purpose: None

    async def ask(self, order: ModelOrder) -> ModelEnd:
        purpose = next(what for key, what in KEYS.items() if key in order.schema["properties"])
        self.asked.append((purpose, order))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await trio.sleep(self.takes_s)
        finally:
            self.at_once -= 1
        self.before(purpose)
        said = self.answers.get(purpose, WELL[purpose])
        if isinstance(said, ModelEnd):
            return said
        return end(said if isinstance(said, str) else orjson.dumps(said).decode())

    async def warm(self, num_ctx: int) -> ModelEnd:
        self.warmed += 1
        await trio.sleep(self.loads_s)
        self.answers |= self.once_loaded
        return end()

    @property
    def purposes(self) -> list[str]:
        """What it was asked for, in order."""
        return [purpose for purpose, _ in self.asked]
