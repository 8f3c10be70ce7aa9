"""The smallest model that the real CLI can talk to: on loopback, and always done at once."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

ANSWER: Final = "Done."
USAGE: Final = {
    "input_tokens": 1000,
    "output_tokens": 5,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": 0,
}


@contextmanager
def model() -> Iterator[str]:
    """The address of one that answers for as long as this is entered."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:
        self._send(200, "text/plain", b"")

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers.get("content-length", 0))) or b"{}")
        if self.path.partition("?")[0] != "/v1/messages":
            self._send(404, "application/json", b"{}")
        elif asked.get("stream"):
            said = "".join(f"event: {one['type']}\ndata: {json.dumps(one)}\n\n" for one in _events(asked))
            self._send(200, "text/event-stream", said.encode())
        else:
            text = [{"type": "text", "text": ANSWER}]
            whole = {**_message(asked), "content": text, "stop_reason": "end_turn"}
            self._send(200, "application/json", json.dumps(whole).encode())

    def _send(self, status: int, kind: str, body: bytes) -> None:
        with suppress(ConnectionError):  # it did not want to hear the rest
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)


def _message(asked: Mapping[str, Any]) -> dict[str, Any]:
    said = {"id": "msg_1", "type": "message", "role": "assistant", "model": asked.get("model")}
    return {**said, "content": [], "stop_reason": None, "stop_sequence": None, "usage": USAGE}


def _events(asked: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    yield {"type": "message_start", "message": _message(asked)}
    yield {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    yield {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": ANSWER}}
    yield {"type": "content_block_stop", "index": 0}
    end = {"stop_reason": "end_turn", "stop_sequence": None}
    yield {"type": "message_delta", "delta": end, "usage": {"output_tokens": 5}}
    yield {"type": "message_stop"}
