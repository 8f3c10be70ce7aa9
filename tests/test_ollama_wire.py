"""A question goes where it shall and nowhere else, and no bytes that come back break the program."""

import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.late_model import LateModel
from adapters.ollama_model import LOADING_S, OllamaModel
from adapters.ollama_wire import is_loopback
from handlers.ports.model import ModelEnd, ModelOrder
from tests.broken_ollama import (
    LINES,
    BrokenOllama,
    Line,
    Play,
    broken,
    drips,
    hangs,
    last,
    part,
    sends,
    whole,
)
from tests.test_ollama_faults import ORDER, PATIENT_S, ask, left_to_trio

ANSWERS = sends(LINES, part("{}"), last())


def ask_at(host: str, play: Play = ANSWERS, **environ: str) -> tuple[ModelEnd, BrokenOllama]:
    """Ask at an URL; the server that stands beside is the one that variables may name as SERVER."""

    async def work() -> tuple[ModelEnd, BrokenOllama]:
        async with broken(play) as server:
            with pytest.MonkeyPatch.context() as patched:
                for name, value in environ.items():
                    patched.setenv(name, value.replace("SERVER", server.url))
                model = OllamaModel(host.replace("SERVER", server.url), "tiny", PATIENT_S, PATIENT_S)
                return await model.ask(ORDER), server

    return trio.run(work)


PROXIES = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy")


@pytest.mark.parametrize("proxy", ["http://127.0.0.1:9", "socks5://127.0.0.1:9", "nonsense://x"])
def test_a_model_on_this_machine_is_asked_through_no_proxy(proxy: str) -> None:
    end, server = ask_at("SERVER", ANSWERS, **dict.fromkeys(PROXIES, proxy))
    assert (end.problem, len(server.lines)) == (None, 1)


def test_a_model_elsewhere_is_asked_through_the_proxy_that_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*PROXIES, "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    end, server = ask_at("http://ollama.invalid:11434", HTTP_PROXY="SERVER")
    assert end.problem is None
    assert server.lines[0].head.startswith("POST http://ollama.invalid:11434/api/chat ")


@pytest.mark.parametrize("proxy", ["nonsense://x", "socks5://127.0.0.1:9"])
def test_a_proxy_that_cannot_be_used_is_told(proxy: str) -> None:
    end, server = ask_at("http://ollama.invalid:11434", HTTP_PROXY=proxy, ALL_PROXY=proxy)
    assert (end.problem, server.lines) == ("unreachable", [])
    assert end.note is not None
    assert "HTTP_PROXY" in end.note


def test_certificates_that_are_not_there_stop_only_what_needs_them(tmp_path: Path) -> None:
    lost = str(tmp_path / "none.pem")
    assert ask_at("SERVER", SSL_CERT_FILE=lost)[0].problem is None
    end, _ = ask_at("https://ollama.invalid:11434", SSL_CERT_FILE=lost)
    assert end.problem == "unreachable"
    assert end.note is not None
    assert "SSL_CERT_FILE" in end.note


def test_neither_host_nor_key_of_the_environment_is_used_unasked() -> None:
    end, server = ask_at("SERVER", OLLAMA_HOST="http://127.0.0.1:9", OLLAMA_API_KEY="key-of-somebody")
    assert end.problem is None
    assert b"key-of-somebody" not in server.lines[0].request


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("http://127.0.0.1:11434", True),
        ("http://127.9.9.9:1", True),
        ("http://[::1]:11434", True),
        ("http://localhost:11434", True),
        ("http://ollama.localhost", True),
        ("http://127.0.0.1.example.org:11434", False),
        ("http://localhost.example.org", False),
        ("http://192.168.1.20:11434", False),
        ("http://[fd00::1]:11434", False),
    ],
)
def test_what_this_machine_is_called(host: str, here: bool) -> None:
    assert is_loopback(host) is here


def warm(play: Play) -> tuple[ModelEnd, Line]:
    async def work() -> tuple[ModelEnd, Line]:
        async with broken(play) as server:
            end = await OllamaModel(server.url, "tiny", 0.0, 0.0).warm(2048)
            return end, server.lines[0]

    return trio.run(work)


def test_a_model_is_loaded_by_an_empty_question_with_the_window_that_is_asked_with() -> None:
    loaded = json.dumps({"model": "tiny", "response": "", "done": True, "done_reason": "load"})
    end, line = warm(sends(LINES, loaded + "\n"))
    assert (end.problem, end.text) == (None, "")
    assert line.head.startswith("POST /api/generate ")
    assert (line.body["prompt"], line.body["options"]) == ("", {"num_ctx": 2048})
    assert line.body["keep_alive"] == "30m"


@pytest.mark.parametrize(
    ("play", "problem"),
    [
        (whole("404 Not Found", '{"error": "model \\"tiny\\" not found"}'), "model_missing"),
        (whole("500 Failed", '{"error": "not enough memory"}'), "server_error"),
        (sends(), "cut_off"),
    ],
)
def test_a_model_that_cannot_be_loaded_is_told(play: Play, problem: str) -> None:
    assert warm(play)[0].problem == problem


def test_loading_is_given_up_after_a_bounded_time() -> None:
    async def work() -> ModelEnd:
        ends: list[ModelEnd] = []
        async with broken(hangs()) as server, trio.open_nursery() as nursery:

            async def loading() -> None:
                ends.append(await OllamaModel(server.url, "tiny", 1.0, 1.0).warm(2048))

            nursery.start_soon(loading)
            while not (server.lines and server.lines[0].request):
                await trio.testing.wait_all_tasks_blocked(0.01)
            clock.jump(LOADING_S + 1)
        return ends[0]

    clock = trio.testing.MockClock()
    assert trio.run(work, clock=clock).problem == "timeout"


def test_the_late_model_is_the_same_model() -> None:
    async def work() -> ModelEnd:
        async with broken(ANSWERS) as server:
            return await LateModel(server.url, "tiny", PATIENT_S, PATIENT_S).ask(ORDER)

    assert trio.run(work).problem is None


def test_a_flood_is_not_kept_in_memory() -> None:
    tracemalloc.start()
    try:
        assert ask(drips(0.0, LINES, b" " * 2**20)).problem == "too_long"
        assert tracemalloc.get_traced_memory()[1] < 128 * 2**20
    finally:
        tracemalloc.stop()


KEYS = st.sampled_from(
    ["message", "content", "role", "done", "done_reason", "error", "eval_count", "prompt_eval_count", "model"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=8,
)
A_LINE = st.dictionaries(KEYS, JSON).map(lambda said: json.dumps(said).encode() + b"\n")
BODY = st.lists(st.binary(max_size=40) | A_LINE | JSON.map(lambda one: json.dumps(one).encode() + b"\n"))
STATUS = st.sampled_from(
    [b"200 OK", b"200 OK", b"200 OK", b"404 Not Found", b"500 Failed", b"204 None", b"3 x"]
)


@left_to_trio
@settings(max_examples=60)
@given(status=STATUS, body=BODY)
def test_no_bytes_raise_and_every_end_can_be_kept(status: bytes, body: list[bytes]) -> None:
    end = ask(sends(b"HTTP/1.1 " + status + b"\r\nconnection: close\r\n\r\n", *body))
    assert (end.problem is None) == (end.note is None)
    assert all(tokens is None or tokens >= 0 for tokens in (end.prompt_tokens, end.output_tokens))
    kept: Any = (end.text, end.note or "")
    assert all(text.encode().decode() == text for text in kept)


def test_two_questions_may_be_asked_at_once() -> None:
    async def work() -> list[ModelEnd]:
        ends: list[ModelEnd] = []
        async with broken(ANSWERS) as server:
            model = OllamaModel(server.url, "tiny", PATIENT_S, PATIENT_S)

            async def one(order: ModelOrder) -> None:
                ends.append(await model.ask(order))

            async with trio.open_nursery() as nursery:
                for _ in range(4):
                    nursery.start_soon(one, ORDER)
        return ends

    assert [end.problem for end in trio.run(work)] == [None] * 4
