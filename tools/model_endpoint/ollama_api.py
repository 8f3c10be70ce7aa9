"""The HTTP API of Ollama before llama.cpp, as far as a client needs it that asks one model.

It keeps to docs/api.md of github.com/ollama/ollama: streams of lines, `format`, `options`, counts of tokens,
a question that is too long is cut in silence. Not offered: to pull, make, copy or unload models,
embeddings, tools, images, thinking. Unlike there, JSON has no spaces between its signs: a model as small
as this one would fill its answer with them.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import perf_counter_ns
from typing import Any, Final

from tools.model_endpoint.engine import WINDOW, Engine, EngineRefused
from tools.model_endpoint.question import BadQuestion, Question, read_body, read_question

VERSION: Final = "0.12.0"
"""The version of Ollama that answers are like."""
DETAILS: Final = {
    "parent_model": "",
    "format": "gguf",
    "family": "llama",
    "families": ["llama"],
    "parameter_size": "134.52M",
    "quantization_level": "Q4_1",
}
JSON: Final = "application/json; charset=utf-8"
TEXT: Final = "text/plain; charset=utf-8"


class OllamaApi(ThreadingHTTPServer):
    """Listens on loopback, at a port that the system chooses, and knows one model."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, engine: Engine, name: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.engine = engine
        self.name = name.casefold()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who hangs up is no error."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: OllamaApi

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: who asks knows what it asked."""

    def do_GET(self) -> None:
        loaded = {**self._listed(), "size_vram": 0, "context_length": WINDOW, "expires_at": _now()}
        answers: Mapping[str, Any] = {
            "/api/tags": {"models": [self._listed()]},
            "/api/ps": {"models": [loaded]},
            "/api/version": {"version": VERSION},
        }
        if self.path == "/":
            self._whole(HTTPStatus.OK, b"Ollama is running", TEXT)
        elif self.path == "/metrics":  # llama.cpp's own, for tests; Ollama has no such path
            self._whole(HTTPStatus.OK, self.server.engine.metrics(), TEXT)
        elif self.path in answers:
            self._json(HTTPStatus.OK, answers[self.path])
        else:
            self._whole(HTTPStatus.NOT_FOUND, b"404 page not found", TEXT)

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        self._begun = False
        try:
            asked = read_body(self.rfile.read(int(self.headers.get("Content-Length", 0))), self.server.name)
            match self.path:
                case "/api/show":
                    self._json(HTTPStatus.OK, self._shown())
                case "/api/chat" | "/api/generate":
                    chat = self.path == "/api/chat"
                    self._answer(read_question(asked, chat), chat)
                case _:
                    self._whole(HTTPStatus.NOT_FOUND, b"404 page not found", TEXT)
        except BadQuestion as bad:
            self._json(bad.status, {"error": str(bad)})
        except EngineRefused as refused:
            if self._begun:
                self._line({"error": str(refused)})
                self._end_of_lines()
            else:
                self._json(HTTPStatus(refused.status), {"error": str(refused)})
        except OSError:
            self.close_connection = True  # whoever asked has gone

    def _answer(self, question: Question, chat: bool) -> None:
        said: list[str] = []
        for text, counts in self._pieces(question):
            told = {"model": self.server.name, "created_at": _now(), **counts}
            if question.streams:
                self._line({**told, **_worded(text, chat), "done": bool(counts)})
                continue
            said.append(text)
            if counts:
                self._json(HTTPStatus.OK, {**told, **_worded("".join(said), chat), "done": True})
        if question.streams:
            self._end_of_lines()

    def _pieces(self, question: Question) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Texts as they are made; the last one comes with the counts. Raises EngineRefused."""
        engine, began = self.server.engine, perf_counter_ns()
        if not question.messages:
            yield "", {"done_reason": "load"}
            return
        prompt = engine.prompt_of(question.messages) if question.raw is None else question.raw
        tokens = engine.tokens_of(prompt)
        # The beginning goes, as it does there.
        tokens = tokens[-min(question.window, WINDOW - 1) :]
        room = WINDOW - len(tokens)
        options = dict(question.options)
        options["n_predict"] = room if question.predict < 0 else min(question.predict, room)
        if question.schema is not None:
            options["json_schema"] = {**question.schema, "x-guidance": {"whitespace_flexible": False}}
        with engine.completing(tokens, options, self.connection) as pieces:
            for piece in pieces:
                if piece.get("stop"):
                    yield piece["content"], _counts(piece, len(tokens), began)
                    return
                if piece["content"]:
                    yield piece["content"], {}
        raise ConnectionAbortedError("the question was given up")

    def _listed(self) -> dict[str, Any]:
        name = self.server.name
        named = {"name": name, "model": name, "modified_at": "2025-02-07T00:00:00Z"}
        return {**named, "size": self.server.engine.size, "digest": "0" * 64, "details": DETAILS}

    def _shown(self) -> dict[str, Any]:
        info = {"general.architecture": "llama", "llama.context_length": WINDOW}
        return {"details": DETAILS, "model_info": info, "capabilities": ["completion"]}

    def _line(self, said: Mapping[str, Any]) -> None:
        if not self._begun:
            self._begun = True
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", "application/x-ndjson")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
        line = json.dumps(said).encode() + b"\n"
        self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))

    def _end_of_lines(self) -> None:
        self.wfile.write(b"0\r\n\r\n")

    def _json(self, status: HTTPStatus, said: Mapping[str, Any]) -> None:
        self._whole(status, json.dumps(said).encode(), JSON)

    def _whole(self, status: HTTPStatus, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _worded(text: str, chat: bool) -> dict[str, Any]:
    return {"message": {"role": "assistant", "content": text}} if chat else {"response": text}


def _counts(piece: Mapping[str, Any], prompt_tokens: int, began: int) -> dict[str, Any]:
    """Times are in nanoseconds."""
    timings = piece["timings"]
    return {
        "done_reason": "length" if piece["stop_type"] == "limit" else "stop",
        "total_duration": perf_counter_ns() - began,
        "load_duration": 0,
        "prompt_eval_count": prompt_tokens,
        "prompt_eval_duration": int(timings["prompt_ms"] * 1e6),
        "eval_count": piece["tokens_predicted"],
        "eval_duration": int(timings["predicted_ms"] * 1e6),
    }
