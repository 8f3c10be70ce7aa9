"""The way to Ollama: straight to this machine, through no redirect, and no more bytes than an answer has."""

import json
import os
from collections.abc import AsyncIterator, Callable
from ipaddress import ip_address
from typing import Final, cast
from urllib.parse import urlsplit

import httpx
from ollama import AsyncClient

LONGEST_STREAM: Final = 8 * 2**20
"""Bytes; each word of an answer comes with some two hundred of them about itself."""
LONGEST_QUOTE: Final = 200
"""Characters of what a server says about its own failure."""


class Faulty(Exception):
    """`problem` is one of ModelEnd's words for programs, the text its sentence."""

    def __init__(self, problem: str, sentence: str) -> None:
        super().__init__(sentence)
        self.problem = problem


def client_for(host: str, name: str, connect_s: float, flooded: Callable[[], None]) -> AsyncClient:
    """A client for one question to the model `name`. `host` is an URL; `flooded` is called on too many bytes.

    What the server's status says is raised as Faulty. Raises Faulty where none can be made.
    """
    secure = urlsplit(host).scheme == "https"
    guard = _Guard(name, secure, flooded)
    try:
        return AsyncClient(
            host,
            follow_redirects=False,
            timeout=httpx.Timeout(None, connect=connect_s),
            # What is on this machine is not asked for through a proxy.
            trust_env=not is_loopback(host),
            # Without TLS no certificates are read: that takes longer than the question.
            verify=secure,
            headers={"Accept-Encoding": "identity"},
            event_hooks={"request": [guard.on_request], "response": [guard.on_response]},
        )
    except (OSError, ValueError, ImportError, httpx.InvalidURL) as problem:
        raise Faulty(
            "unreachable",
            f"it cannot be called with this machine's proxies and certificates ({quoted(str(problem))}). "
            "Look at HTTP_PROXY, ALL_PROXY and SSL_CERT_FILE.",
        ) from problem


def is_loopback(host: str) -> bool:
    """Whether an URL names this very machine."""
    name = urlsplit(host).hostname or ""
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")


def is_lost(error: BaseException) -> bool:
    """Whether a connection that stood was lost, unlike one that speaks something else than HTTP."""
    if isinstance(error, httpx.RemoteProtocolError):
        # h11 and httpcore have one class for both, and only their words tell them apart.
        return "disconnected" in str(error) or "closed" in str(error)
    return isinstance(error, httpx.NetworkError)


def reason_of(error: BaseException) -> str:
    """What the system said, out of an error that others have wrapped."""
    found, seen = error, set[int]()
    while id(found) not in seen:
        seen.add(id(found))
        if isinstance(found, OSError) and found.errno is not None:
            # trio puts the address before the system's words; a name that is not known has words of its own.
            return os.strerror(found.errno) if found.errno > 0 else str(found.strerror)
        inner = found.exceptions[0] if isinstance(found, BaseExceptionGroup) else None
        found = inner or found.__cause__ or found.__context__ or found
    return "no connection in time" if isinstance(error, httpx.TimeoutException) else quoted(str(error))


def quoted(said: str) -> str:
    """One short line that does nothing to a terminal."""
    line = " ".join(said.split())
    return "".join(sign for sign in line if sign.isprintable())[:LONGEST_QUOTE]


class _Guard:
    """Looks at what goes out and at how the server answers."""

    def __init__(self, name: str, secure: bool, flooded: Callable[[], None]) -> None:
        self._name = name
        self._secure = secure
        self._flooded = flooded

    async def on_request(self, request: httpx.Request) -> None:
        if not self._secure:
            # The client adds the key of the environment by itself; it is not sent in the clear.
            request.headers.pop("authorization", None)

    async def on_response(self, response: httpx.Response) -> None:
        if response.headers.get("content-encoding", "identity") != "identity":
            raise Faulty("not_ollama", "the answer is packed, which was not asked for. Look at OLLAMA_HOST.")
        response.stream = _Counted(cast("httpx.AsyncByteStream", response.stream), self._flooded)
        if not response.is_success:
            raise await self._refusal(response)

    async def _refusal(self, response: httpx.Response) -> Faulty:
        status = f"{response.status_code} {quoted(response.reason_phrase)}".strip()
        if response.status_code < 400:
            return Faulty(
                "not_ollama", f"it sends us elsewhere ({status}), where we do not go. Look at OLLAMA_HOST."
            )
        said = _error_of(await response.aread())
        if response.status_code >= 500:
            return Faulty("server_error", f"the server failed ({said or status}). Look into its log.")
        if response.status_code == 404 and "model" in said and "not found" in said:
            return Faulty(
                "model_missing", f"this model is not there. Fetch it with `ollama pull {self._name}`."
            )
        if said:
            return Faulty("server_error", f"the server refused the question ({status}: {said}).")
        return Faulty("not_ollama", f"what answers there ({status}) is not Ollama. Look at OLLAMA_HOST.")


class _Counted(httpx.AsyncByteStream):
    def __init__(self, stream: httpx.AsyncByteStream, flooded: Callable[[], None]) -> None:
        self._stream = stream
        self._flooded = flooded

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for chunk in self._stream:
            size += len(chunk)
            if size <= LONGEST_STREAM:
                yield chunk
            else:
                # The next read is cancelled then, so that all of the stack ends from its inside.
                self._flooded()

    async def aclose(self) -> None:
        await self._stream.aclose()


def _error_of(body: bytes) -> str:
    """What Ollama says in the body of an error; nothing where it is somebody else's."""
    try:
        error = json.loads(body)["error"]
    except (ValueError, TypeError, KeyError, IndexError, RecursionError):
        return ""
    return quoted(error) if isinstance(error, str) else ""
