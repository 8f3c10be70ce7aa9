"""A question for the model: our own words as its system, a person's words fenced in, all of it capped."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from handlers.mediating.reply import Reply
from handlers.ports.model import ModelOrder
from prompts import load

BYTES_A_TOKEN: Final = 2.5
"""Prose has some four bytes a token and code three; what is denser the server itself must tell us."""
TEMPLATE_TOKENS: Final = 96
"""For what the server writes round the messages."""
SMALLEST: Final = 200
"""So many characters of a text are left at least, however small the window is."""


@dataclass(frozen=True)
class Question:
    """`order` is for the model; `left_out` counts the characters of the text that did not fit."""

    order: ModelOrder
    left_out: int

    @property
    def sha256(self) -> str:
        """Of all that is sent in words."""
        return hashlib.sha256(f"{self.order.system}\n{self.order.prompt}".encode()).hexdigest()


def question(
    purpose: str, text: str, wanted: type[Reply], fence: str, num_ctx: int, num_predict: int
) -> Question:
    """Ask `purpose` of a text, which stands between two lines `fence` (a random one) and nowhere else."""
    system = load(f"mediator/{purpose}").strip()
    predict = min(num_predict, num_ctx // 2)
    room = num_ctx - predict - TEMPLATE_TOKENS - tokens(system) - 2 * tokens(fence)
    # A text that held the line would end it early.
    kept, left_out = capped(text.replace(fence, "-----"), max(SMALLEST, int(room * BYTES_A_TOKEN)))
    prompt = f"{fence}\n{kept}\n{fence}"
    return Question(ModelOrder(system, prompt, _schema(wanted), num_ctx, predict), left_out)


def tokens(text: str) -> int:
    """About so many tokens a text has."""
    return int(len(text.encode()) / BYTES_A_TOKEN) + 1


def capped(text: str, most: int) -> tuple[str, int]:
    """At most about `most` bytes, and how many characters were left out of the middle, where it says so."""
    if len(text.encode()) <= most:
        return text, 0
    # A beginning says what is wanted, an end what came of it.
    share = most / len(text.encode())
    head, tail = int(len(text) * share * 0.6), int(len(text) * share * 0.4)
    while len((text[:head] + text[len(text) - tail :]).encode()) > most:
        head, tail = int(head * 0.9), int(tail * 0.9)
    left_out = len(text) - head - tail
    return f"{text[:head]}\n[… {left_out} characters left out …]\n{text[len(text) - tail :]}", left_out


def _schema(wanted: type[Reply]) -> Mapping[str, Any]:
    """Without what only a reader of documentation needs: some servers refuse titles and descriptions."""
    bare: Mapping[str, Any] = _bare(wanted.model_json_schema())
    return bare


def _bare(value: Any) -> Any:
    if isinstance(value, list):
        return [_bare(one) for one in value]
    if not isinstance(value, dict):
        return value
    bare = {
        key: {name: _bare(one) for name, one in inner.items()} if key == "properties" else _bare(inner)
        for key, inner in value.items()
        if key not in ("title", "description", "default")
    }
    # Ollama itself lets no other field in; a server that stands in for it may not.
    return {**bare, "additionalProperties": False} if "properties" in bare else bare
