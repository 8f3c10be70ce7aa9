"""A stand-in for the Messages API on loopback: decided answers, and a record of what was asked.

A script belongs to a token that a prompt holds, the last one where a conversation goes on; its
n-th answer goes to the request that holds n answers since then, so a request that is sent again
gets the same one. Where no script fits, the request is refused with a sentence and kept in `strays`.

Not covered: whether a request would be good for the real service (its model's name, its key,
limits, schemas), counting tokens, caching, thinking, images, batches, and how a real model
behaves: this is not a test of the service but of the CLI in front of it.
"""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Literal, Self

USAGE = {
    "input_tokens": 1000,
    "output_tokens": 50,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": 200,
}
ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    429: "rate_limit_error",
    529: "overloaded_error",
}


@dataclass(frozen=True)
class Call:
    """A tool that the model calls."""

    name: str
    input: Mapping[str, Any]


@dataclass(frozen=True)
class Reply:
    """One answer: a text and tool calls, or an error's status, or silence.

    `silence` is kept before the first byte, or after the text has been sent; it lasts
    until the caller goes or the stand-in is closed. `cut` says that the model's limit of output was reached.
    """

    text: str = ""
    calls: tuple[Call, ...] = ()
    status: int = 200
    message: str = "scripted"
    headers: Mapping[str, str] = field(default_factory=dict)
    silence: Literal["none", "at_once", "midway"] = "none"
    cut: bool = False
    usage: Mapping[str, int] = field(default_factory=lambda: dict(USAGE))


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]

    @property
    def text(self) -> str:
        """All of it as text, to look for words in."""
        return json.dumps(self.body, ensure_ascii=False)

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts of the conversation, in order."""
        blocks = (block for message in self.body.get("messages", ()) for block in _blocks(message))
        return tuple(block["text"] for block in blocks if block.get("type") == "text")

    @property
    def tools(self) -> frozenset[str]:
        """The names of the tools that were offered."""
        return frozenset(tool["name"] for tool in self.body.get("tools", ()))

    @property
    def tool_results(self) -> tuple[Mapping[str, Any], ...]:
        """What came back from tools, in order."""
        blocks = (block for message in self.body.get("messages", ()) for block in _blocks(message))
        return tuple(block for block in blocks if block.get("type") == "tool_result")


def _blocks(message: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    content = message["content"]
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


class ModelApi:
    """The stand-in, for as long as it is entered; `url` is what the CLI is told."""

    def __init__(self) -> None:
        self._scripts: dict[str, tuple[Reply, ...]] = {}
        self._requests: list[Request] = []
        self._strays: list[str] = []
        self._silent: list[str] = []
        self._changed = threading.Condition()
        self._closing = False
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def script(self, token: str, *replies: Reply) -> None:
        """Answer conversations that hold the token. No token may be part of another."""
        with self._changed:
            if clash := next((known for known in self._scripts if known in token or token in known), None):
                raise ValueError(f"the token {token!r} cannot be told from {clash!r}")
            self._scripts[token] = replies

    @property
    def requests(self) -> list[Request]:
        """All that came, in order of arrival."""
        with self._changed:
            return list(self._requests)

    @property
    def strays(self) -> list[str]:
        """What came and had no answer."""
        with self._changed:
            return list(self._strays)

    def asked(self, token: str) -> list[Request]:
        """The requests to the model whose text holds the token."""
        return [one for one in self.requests if one.method == "POST" and token in one.text]

    def wait_silent(self, token: str, timeout_s: float = 30.0) -> bool:
        """Wait until a request with the token is being kept waiting."""
        with self._changed:
            return self._changed.wait_for(lambda: token in self._silent, timeout_s)

    def keep_silent(self, token: str) -> None:
        """Keep a request waiting until the stand-in is closed."""
        with self._changed:
            self._silent.append(token)
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._closing)

    def take(self, request: Request) -> tuple[str, Reply]:
        """Record a request; its token and its answer."""
        with self._changed:
            self._requests.append(request)
            messages = request.body.get("messages", ())
            token, turn = self._turn([json.dumps(message, ensure_ascii=False) for message in messages])
            replies = self._scripts.get(token, ())
            if request.path.partition("?")[0] == "/v1/messages" and turn < len(replies):
                return token, replies[turn]
            said = "".join(request.texts)[-200:]
            self._strays.append(f"{request.method} {request.path} {token or said} turn {turn}")
            return token, Reply(status=400, message="no script of this stand-in answers that")

    def _turn(self, messages: list[str]) -> tuple[str, int]:
        """The script that a conversation is at, and how many answers it got of it."""
        begins = {
            (at, message.index(token)): token
            for token in self._scripts
            for at, message in enumerate(messages)
            if token in message
        }
        # Of each token the first place holds, of all tokens the last one.
        firsts = {token: place for place, token in sorted(begins.items(), reverse=True)}
        if not firsts:
            return "", 0
        token = max(firsts, key=lambda one: firsts[one])
        since = messages[firsts[token][0] :]
        return token, sum(json.loads(message)["role"] == "assistant" for message in since)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, api: ModelApi) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.api = api


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the record is in `requests`."""

    def do_HEAD(self) -> None:
        self._begin(200, {"content-length": "0"})

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        token, reply = self.server.api.take(Request("POST", self.path, headers, json.loads(raw)))
        with suppress(ConnectionError):  # it did not want to hear the rest
            self._answer(token, reply, json.loads(raw))

    def _answer(self, token: str, reply: Reply, body: Mapping[str, Any]) -> None:
        if reply.silence == "at_once":
            self.server.api.keep_silent(token)
            self.close_connection = True
        elif reply.status != 200:
            kind = ERROR_TYPES.get(reply.status, "api_error")
            error = {"type": "error", "error": {"type": kind, "message": reply.message}}
            self._whole(reply.status, error, reply.headers)
        elif not body.get("stream"):
            content = _content(token, reply, body)
            self._whole(200, {**_head(body, reply), **_end(reply), "content": content}, {})
        else:
            self._begin(200, {"content-type": "text/event-stream", "connection": "close", **reply.headers})
            self.close_connection = True
            for event in _events(token, reply, body):
                self.wfile.write(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())
                if reply.silence == "midway" and event["type"] == "content_block_delta":
                    self.wfile.flush()
                    self.server.api.keep_silent(token)
                    return

    def _begin(self, status: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _whole(self, status: int, value: Mapping[str, Any], headers: Mapping[str, str]) -> None:
        data = json.dumps(value).encode()
        sized = {"content-type": "application/json", "content-length": str(len(data))}
        self._begin(status, {**sized, **headers})
        self.wfile.write(data)


def _content(token: str, reply: Reply, body: Mapping[str, Any]) -> list[dict[str, Any]]:
    turn = len(body["messages"])
    texts = [{"type": "text", "text": reply.text}] if reply.text else []
    calls = [
        {"type": "tool_use", "id": f"toolu_{token}_{turn}_{at}", "name": call.name, "input": dict(call.input)}
        for at, call in enumerate(reply.calls)
    ]
    return [*texts, *calls]


def _head(body: Mapping[str, Any], reply: Reply) -> dict[str, Any]:
    name = f"msg_{len(body['messages'])}"
    model = {"model": body["model"], "usage": dict(reply.usage), "stop_reason": None, "stop_sequence": None}
    return {"id": name, "type": "message", "role": "assistant", "content": [], **model}


def _end(reply: Reply) -> dict[str, Any]:
    whole = "tool_use" if reply.calls else "end_turn"
    return {"stop_reason": "max_tokens" if reply.cut else whole, "stop_sequence": None}


def _events(token: str, reply: Reply, body: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    yield {"type": "message_start", "message": _head(body, reply)}
    for index, block in enumerate(_content(token, reply, body)):
        if block["type"] == "text":
            empty, delta = {**block, "text": ""}, {"type": "text_delta", "text": block["text"]}
        else:
            whole = json.dumps(block["input"])
            empty, delta = {**block, "input": {}}, {"type": "input_json_delta", "partial_json": whole}
        yield {"type": "content_block_start", "index": index, "content_block": empty}
        yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    spent = {"output_tokens": reply.usage["output_tokens"]}
    yield {"type": "message_delta", "delta": _end(reply), "usage": spent}
    yield {"type": "message_stop"}
