"""llama.cpp's own HTTP server in this process, and the three things that are asked of it."""

import http.client
import json
import socket
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from select import select
from types import TracebackType
from typing import Any, Final, Self

WINDOW: Final = 4096
"""Tokens of question and answer together; a longer question takes a small machine minutes."""
THREADS: Final = 1
"""On a machine that is busy with others, two wait for each other at each of a token's hundred steps."""
GONE_AFTER_S: Final = 0.05
"""So often it is looked whether somebody still wants the answer."""


class EngineRefused(Exception):
    """llama.cpp did not take what it was asked; the text is its own."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Engine:
    """One model with one slot: who asks while it is at work waits."""

    def __init__(self, packages: Path, weights: Path) -> None:
        sys.path.append(str(packages))
        binding: Any = import_module("xllamacpp")
        wanted = binding.CommonParams()
        wanted.model.path = str(weights)
        wanted.n_ctx, wanted.n_parallel = WINDOW, 1
        wanted.port, wanted.n_threads_http = 0, 4
        wanted.cache_ram_mib, wanted.warmup, wanted.verbosity = 0, False, 1
        wanted.endpoint_metrics = True
        for pool in (wanted.cpuparams, wanted.cpuparams_batch):
            pool.n_threads, pool.poll = THREADS, 0
        self._server = binding.Server(wanted)
        self._address = str(self._server.listening_address).rpartition("/")[2]
        self.size = weights.stat().st_size

    def prompt_of(self, messages: Sequence[Mapping[str, Any]]) -> str:
        """A conversation in the model's own form. Raises EngineRefused."""
        return str(self._post("/apply-template", {"messages": list(messages)})["prompt"])

    def tokens_of(self, text: str) -> list[int]:
        tokens: list[int] = self._post(
            "/tokenize", {"content": text, "add_special": True, "parse_special": True}
        )["tokens"]
        return tokens

    def metrics(self) -> bytes:
        """What llama.cpp has counted so far, in the form of Prometheus."""
        connection = http.client.HTTPConnection(self._address)
        try:
            connection.request("GET", "/metrics")
            return connection.getresponse().read()
        finally:
            connection.close()

    def _post(self, path: str, asked: Mapping[str, Any]) -> dict[str, Any]:
        connection = http.client.HTTPConnection(self._address)
        try:
            connection.request("POST", path, json.dumps(asked), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return _whole(answer)
        finally:
            connection.close()

    @contextmanager
    def completing(
        self, tokens: Sequence[int], asked: Mapping[str, Any], asker: socket.socket
    ) -> Iterator[Iterator[dict[str, Any]]]:
        """The pieces of an answer as they are made, until `asker` hangs up. Raises EngineRefused."""
        connection = http.client.HTTPConnection(self._address)
        try:
            connection.connect()
            body = json.dumps({"prompt": list(tokens), **asked, "stream": True, "cache_prompt": False})
            connection.request("POST", "/completion", body, {"Content-Type": "application/json"})
            with _Watch(asker, connection.sock):
                answer = connection.getresponse()
                if answer.status != http.HTTPStatus.OK:
                    _whole(answer)
                yield _pieces(answer)
        finally:
            connection.close()


def _whole(answer: http.client.HTTPResponse) -> dict[str, Any]:
    """Raises EngineRefused."""
    said: dict[str, Any] = json.loads(answer.read())
    if answer.status != http.HTTPStatus.OK:
        raise EngineRefused(answer.status, str(said.get("error", {}).get("message", said)))
    return said


def _pieces(answer: http.client.HTTPResponse) -> Iterator[dict[str, Any]]:
    """Server-sent events, one JSON object each. Raises EngineRefused."""
    for line in answer:
        kind, _, said = line.decode().partition(": ")
        if kind not in ("data", "error") or said.strip() == "[DONE]":
            continue
        piece: dict[str, Any] = json.loads(said)
        if failed := piece.get("error", piece if kind == "error" else None):
            raise EngineRefused(500, str(failed.get("message", failed)))
        yield piece


class _Watch:
    """Ends the question to llama.cpp as soon as whoever asked has hung up: its slot is free again then."""

    def __init__(self, asker: socket.socket, upstream: socket.socket) -> None:
        self._asker = asker
        self._upstream = upstream
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(GONE_AFTER_S):
            readable, _, _ = select([self._asker], [], [], 0)
            if readable and _hung_up(self._asker):
                with suppress(OSError):
                    self._upstream.shutdown(socket.SHUT_RDWR)
                return


def _hung_up(asker: socket.socket) -> bool:
    try:
        return asker.recv(1, socket.MSG_PEEK) == b""
    except OSError:
        return True
