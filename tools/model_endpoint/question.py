"""What Ollama's API may be asked, read into one value: `/api/chat` and `/api/generate` side by side."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

PASSED_ON: Final = ("temperature", "top_k", "top_p", "min_p", "seed", "stop", "repeat_penalty")
NOT_OFFERED: Final = ("tools", "images", "think")
USUAL_WINDOW: Final = 4096
USUAL: Final = {"repeat_penalty": 1.1}
"""Ollama's own where llama.cpp has another; without it a small model says the same for ever."""


class BadQuestion(Exception):
    """What is answered instead: a status and a sentence, in Ollama's words."""

    def __init__(self, status: HTTPStatus, text: str) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True)
class Question:
    """`messages` is empty where the model is only to be loaded; `predict` below 0 is as many as fit.

    `schema` is the answer's JSON Schema. `raw` is a text that goes to the model without the model's own form.
    """

    messages: tuple[Mapping[str, Any], ...]
    raw: str | None
    options: Mapping[str, Any]
    window: int
    predict: int
    schema: Mapping[str, Any] | None
    streams: bool


def read_body(body: bytes, name: str) -> Mapping[str, Any]:
    """The document of a question to the model `name`. Raises BadQuestion."""
    try:
        asked = json.loads(body)
    except ValueError as wrong:
        raise BadQuestion(HTTPStatus.BAD_REQUEST, str(wrong)) from wrong
    wanted = asked.get("model") or asked.get("name") if isinstance(asked, dict) else None
    if not isinstance(wanted, str):
        raise BadQuestion(HTTPStatus.BAD_REQUEST, "model is required")
    if wanted.casefold() != name:
        raise BadQuestion(HTTPStatus.NOT_FOUND, f"model '{wanted}' not found")
    for wish in NOT_OFFERED:
        if asked.get(wish):
            raise BadQuestion(HTTPStatus.BAD_REQUEST, f'"{name}" does not support {wish}')
    return dict(asked)


def read_question(asked: Mapping[str, Any], chat: bool) -> Question:
    """Raises BadQuestion."""
    given: Mapping[str, Any] = asked.get("options") or {}
    return Question(
        messages=_messages(asked, chat),
        raw=str(asked["prompt"]) if asked.get("raw") and not chat else None,
        options=USUAL | {name: given[name] for name in PASSED_ON if given.get(name) is not None},
        window=int(given.get("num_ctx") or USUAL_WINDOW),
        predict=int(given.get("num_predict") or -1),
        schema=_schema(asked.get("format")),
        streams=asked.get("stream") is not False,
    )


def _messages(asked: Mapping[str, Any], chat: bool) -> tuple[Mapping[str, Any], ...]:
    if chat:
        return tuple(asked.get("messages") or ())
    if not asked.get("prompt"):
        return ()
    system = [{"role": "system", "content": asked["system"]}] if asked.get("system") else []
    return (*system, {"role": "user", "content": asked["prompt"]})


def _schema(wanted: Any) -> Mapping[str, Any] | None:
    if not wanted:
        return None
    if isinstance(wanted, dict):
        return dict(_closed(wanted))
    if wanted == "json":
        return {"type": "object"}
    raise BadQuestion(HTTPStatus.BAD_REQUEST, f"invalid format: {json.dumps(wanted)}; a JSON Schema or json")


def _closed(schema: Any) -> Any:
    """Ollama's grammar gives an object the fields that its schema names, and no others."""
    if isinstance(schema, list):
        return [_closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: _closed(value) for key, value in schema.items()}
    return {"additionalProperties": False} | inner if isinstance(schema.get("properties"), dict) else inner
