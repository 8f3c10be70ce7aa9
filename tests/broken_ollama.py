"""A server on loopback that answers as a broken Ollama would; what it sends is given byte for byte."""

import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import trio

LINES = "HTTP/1.1 200 OK\r\ncontent-type: application/x-ndjson\r\nconnection: close\r\n\r\n"
"""The head of an answer that ends with its connection."""
CHUNKED = "HTTP/1.1 200 OK\r\ncontent-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n"


@dataclass
class Line:
    """One connection, as its play sees it: `request` is all that was sent."""

    stream: trio.SocketStream
    request: bytes = b""
    gone: trio.Event = field(default_factory=trio.Event)

    async def send(self, *parts: str | bytes) -> None:
        for part in parts:
            await self.stream.send_all(part if isinstance(part, bytes) else part.encode())

    async def wait_gone(self) -> None:
        """Until the other side has closed it."""
        try:
            while await self.stream.receive_some(65_536):
                pass
        except trio.BrokenResourceError:
            pass
        self.gone.set()

    def reset(self) -> None:
        """Have it end with a reset when it is closed."""
        self.stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")

    @property
    def head(self) -> str:
        return self.request.partition(b"\r\n\r\n")[0].decode("ascii")

    @property
    def body(self) -> Mapping[str, Any]:
        asked: Mapping[str, Any] = json.loads(self.request.partition(b"\r\n\r\n")[2])
        return asked


Play = Callable[[Line], Awaitable[None]]


@dataclass
class BrokenOllama:
    """`lines` are the connections so far."""

    port: int
    lines: list[Line] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@asynccontextmanager
async def broken(play: Play) -> AsyncIterator[BrokenOllama]:
    """Each connection's request is read wholly, then `play` does with it what it likes."""
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    server = BrokenOllama(listener.socket.getsockname()[1])

    async def serve(stream: trio.SocketStream) -> None:
        line = Line(stream)
        server.lines.append(line)
        line.request = await _request(stream)
        try:
            await play(line)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            line.gone.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, serve, [listener])
        try:
            yield server
        finally:
            nursery.cancel_scope.cancel()


async def _request(stream: trio.SocketStream) -> bytes:
    held = b""
    while True:
        head, parted, body = held.partition(b"\r\n\r\n")
        if parted and len(body) >= _length(head):
            return held
        more = await stream.receive_some(65_536)
        if not more:
            return held
        held += more


def _length(head: bytes) -> int:
    named = (line.partition(b":") for line in head.lower().split(b"\r\n"))
    return next((int(value) for name, _, value in named if name == b"content-length"), 0)


def part(text: str, **more: Any) -> str:
    """A line of an answer."""
    message = {"role": "assistant", "content": text}
    said = {"model": "m", "created_at": "2026-01-01T00:00:00Z", "message": message}
    return json.dumps({**said, "done": False, **more}) + "\n"


def last(**more: Any) -> str:
    """The line that ends it."""
    counted = {"done": True, "done_reason": "stop", "prompt_eval_count": 10, "eval_count": 5}
    return part("", **{**counted, **more})


def chunk(text: str) -> str:
    """A piece of a chunked body."""
    return f"{len(text.encode()):x}\r\n{text}\r\n"


def whole(status: str, body: str, kind: str = "application/json", *headers: str) -> Play:
    """An answer that is there at once."""
    length = f"content-length: {len(body.encode())}"
    head = [f"HTTP/1.1 {status}", f"content-type: {kind}", length, *headers]
    return sends("\r\n".join([*head, "", body]))


def sends(*pieces: str | bytes) -> Play:
    """Sends the pieces and closes."""

    async def play(line: Line) -> None:
        await line.send(*pieces)

    return play


def hangs(*pieces: str | bytes) -> Play:
    """Sends the pieces and then nothing, until the other side goes."""

    async def play(line: Line) -> None:
        await line.send(*pieces)
        await line.wait_gone()

    return play


def breaks(*pieces: str | bytes) -> Play:
    """Sends the pieces and resets the connection."""

    async def play(line: Line) -> None:
        await line.send(*pieces)
        line.reset()

    return play


def drips(pause_s: float, *pieces: str | bytes) -> Play:
    """Sends the pieces, and the last one again and again."""

    async def play(line: Line) -> None:
        await line.send(*pieces)
        while True:
            await trio.sleep(pause_s)
            await line.send(pieces[-1])

    return play
