"""Whatever the local model's server does, a question ends in bounded time, with a word and a sentence."""

import socket
from collections.abc import Iterator
from typing import Any

import pytest
import trio

from adapters.ollama_model import LONGEST_ANSWER, OllamaModel
from adapters.ollama_wire import LONGEST_STREAM
from handlers.ports.model import ModelEnd, ModelOrder
from tests.broken_ollama import (
    CHUNKED,
    LINES,
    Line,
    Play,
    breaks,
    broken,
    chunk,
    drips,
    hangs,
    last,
    part,
    sends,
    whole,
)

ORDER = ModelOrder(
    system="You sort wishes.",
    prompt="fix the cart",
    schema={"type": "object", "properties": {"kind": {"type": "string", "maxLength": 9}}},
    num_ctx=1024,
    num_predict=64,
)
PATIENT_S = 60.0
"""So long no test waits: what is looked for comes first."""

# The client of the package leaves its generators behind where a line is none of its own; trio closes them.
left_to_trio = pytest.mark.filterwarnings("ignore:Async generator:ResourceWarning")


def ask(
    play: Play, silence_s: float = PATIENT_S, timeout_s: float = PATIENT_S, order: ModelOrder = ORDER
) -> ModelEnd:
    async def work() -> ModelEnd:
        async with broken(play) as server:
            return await OllamaModel(server.url, "tiny:latest", silence_s, timeout_s).ask(order)

    return trio.run(work)


def test_an_answer_comes_whole_with_what_was_counted() -> None:
    end = ask(sends(CHUNKED, chunk(part('{"kind": ')), chunk(part('"é"}') + last()), "0\r\n\r\n"))
    assert (end.text, end.problem, end.note) == ('{"kind": "é"}', None, None)
    assert (end.prompt_tokens, end.output_tokens) == (10, 5)


def test_the_question_holds_the_schema_and_every_bound() -> None:
    asked: list[Any] = []

    async def play(line: Line) -> None:
        asked.append(line.body)
        await sends(LINES, part("{}"), last())(line)

    ask(play)
    (body,) = asked
    assert body["format"] == ORDER.schema
    assert body["options"] == {"num_ctx": 1024, "num_predict": 64, "temperature": 0, "seed": 20}
    assert (body["model"], body["stream"], body["keep_alive"]) == ("tiny:latest", True, "30m")
    assert [message["role"] for message in body["messages"]] == ["system", "user"]


@pytest.mark.parametrize(
    "play",
    [
        pytest.param(hangs(CHUNKED, chunk(part("{}")), chunk(last())), id="hangs"),
        pytest.param(sends(CHUNKED, chunk(part("{}")), chunk(last())), id="closed"),
        pytest.param(sends(LINES, part("{}"), last(), "[no JSON\n"), id="junk"),
    ],
)
@left_to_trio
def test_how_a_server_hangs_up_after_a_whole_answer_is_no_matter(play: Play) -> None:
    assert ask(play).problem is None


def test_what_comes_after_the_end_is_no_part_of_the_answer() -> None:
    end = ask(sends(LINES, part("{}") + last() + part("more") + last(done_reason="length")))
    assert (end.text, end.problem) == ("{}", None)


def test_letters_that_are_no_text_are_replaced() -> None:
    """Halves of a surrogate pair, which a JSON escape can hold, can be written nowhere else."""
    lines = [part("a")[:-1].replace('"a"', text) + "\n" for text in ('"\\ud83d"', '"\\ude00 \\ud800"')]
    end = ask(sends(LINES, *lines, last()))
    assert (end.text, end.problem) == ("😀 \ufffd", None)
    end = ask(sends(LINES, part("a").encode().replace(b'"a"', b'"\xff\xfe"'), last()))
    assert end.text.encode() == "\ufffd\ufffd".encode()


@pytest.fixture
def nobody() -> Iterator[str]:
    """An address on loopback that is taken, and where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


def test_a_server_that_is_not_there_is_unreachable(nobody: str) -> None:
    end = trio.run(OllamaModel(nobody, "tiny:latest", PATIENT_S, PATIENT_S).ask, ORDER)
    assert end.problem == "unreachable"
    assert end.note is not None
    assert end.note.startswith(f"tiny:latest at {nobody}: nobody answers there (")
    assert end.note.endswith("Start Ollama, or look at OLLAMA_HOST.")
    assert (end.text, end.prompt_tokens) == ("", None)


class NoSuchName(trio.abc.HostnameResolver):
    async def getaddrinfo(self, *asked: Any, **more: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    async def getnameinfo(self, *asked: Any) -> Any:
        raise AssertionError("nobody asks for a name")


class Nothing(NoSuchName):
    async def getaddrinfo(self, *asked: Any, **more: Any) -> Any:
        await trio.sleep_forever()


@pytest.mark.parametrize(
    ("names", "silence_s", "reason"),
    [(NoSuchName(), PATIENT_S, "Name or service not known"), (Nothing(), 0.2, "no connection in time")],
)
def test_a_host_that_cannot_be_found_is_unreachable(
    names: trio.abc.HostnameResolver, silence_s: float, reason: str
) -> None:
    async def work() -> ModelEnd:
        trio.socket.set_custom_hostname_resolver(names)
        return await OllamaModel("http://nowhere.invalid:11434", "tiny", silence_s, PATIENT_S).ask(ORDER)

    end = trio.run(work)
    assert end.problem == "unreachable"
    assert end.note is not None
    assert f"nobody answers there ({reason})" in end.note


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param((), id="before-the-head"),
        pytest.param((LINES,), id="before-the-first-word"),
        pytest.param((LINES, part('{"kind"')), id="between-two"),
        pytest.param((LINES, part("{}")[:20]), id="within-a-line"),
    ],
)
def test_silence_ends_the_question(pieces: tuple[str, ...]) -> None:
    end = ask(hangs(*pieces), silence_s=0.3)
    assert end.problem == "silent"
    assert end.note is not None
    assert "it said nothing for 0.3 s" in end.note
    assert "LLAMA_SILENCE_SEC" in end.note


def test_a_drip_that_is_never_silent_ends_with_the_time_for_all() -> None:
    end = ask(drips(0.02, LINES, part(" ")), timeout_s=0.5)
    assert end.problem == "timeout"
    assert end.note is not None
    assert "LLAMA_TIMEOUT_SEC" in end.note


@pytest.mark.parametrize(
    "play",
    [
        pytest.param(sends(LINES, part('{"kind"')), id="ended-without-its-end"),
        pytest.param(sends(CHUNKED, chunk(part('{"kind"'))), id="a-chunk-is-missing"),
        pytest.param(breaks(CHUNKED, chunk(part('{"kind"'))), id="reset"),
        pytest.param(breaks(), id="reset-at-once"),
        pytest.param(sends(), id="closed-at-once"),
        pytest.param(sends(LINES), id="nothing-said"),
    ],
)
def test_an_answer_that_is_cut_in_the_middle_is_told(play: Play) -> None:
    end = ask(play)
    assert end.problem == "cut_off"
    assert end.text in ("", '{"kind"')


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        ("500 Internal Server Error", '{"error": "llama runner process has terminated"}', "(llama runner"),
        ("502 Bad Gateway", "<html><h1>Bad Gateway</h1></html>", "(502 Bad Gateway)"),
        ("503 Service Unavailable", '{"error": 5}', "(503 Service Unavailable)"),
        ("400 Bad Request", '{"error": "tiny does not support chat"}', "400 Bad Request: tiny does not"),
        (
            "401 Unauthorized",
            '{"error": "\\u001b[31munauthorized\\n"}',
            "401 Unauthorized: [31munauthorized)",
        ),
        ("500 Failed", "[" * 5000, "(500 Failed)"),
    ],
)
def test_a_server_that_fails_is_told_in_its_own_words(status: str, body: str, said: str) -> None:
    end = ask(whole(status, body))
    assert end.problem == "server_error"
    assert end.note is not None
    assert said in end.note
    assert "<" not in end.note


@left_to_trio
def test_a_failure_in_the_middle_of_an_answer_is_the_servers() -> None:
    end = ask(sends(LINES, part('{"kind"'), '{"error": "an error was encountered: exit 2"}\n'))
    assert (end.problem, end.text) == ("server_error", '{"kind"')
    assert end.note is not None
    assert "an error was encountered: exit 2" in end.note


def test_a_model_that_is_not_there_is_told_with_how_to_fetch_it() -> None:
    end = ask(whole("404 Not Found", '{"error": "model \\"tiny:latest\\" not found"}'))
    assert end.problem == "model_missing"
    assert end.note is not None
    assert "`ollama pull tiny:latest`" in end.note


HTML = "<!doctype html><title>a model was not found</title>"


@pytest.mark.parametrize(
    "play",
    [
        pytest.param(whole("200 OK", HTML, "text/html"), id="html"),
        pytest.param(whole("404 Not Found", HTML, "text/html"), id="html-404"),
        pytest.param(whole("404 Not Found", '{"detail": "model not found"}'), id="json-404"),
        pytest.param(whole("403 Forbidden", ""), id="403"),
        pytest.param(whole("200 OK", '{"ok": true}'), id="other-json"),
        pytest.param(whole("200 OK", '{"message": 5}'), id="other-message"),
        pytest.param(whole("200 OK", "[1, 2]"), id="a-list"),
        pytest.param(whole("200 OK", "null"), id="null"),
        pytest.param(whole("200 OK", '{"error": ["x"]}'), id="an-error-of-another-shape"),
        pytest.param(whole("200 OK", '{"a":' * 100_000), id="deep"),
        pytest.param(whole("200 OK", "9" * 10_000), id="a-long-number"),
        pytest.param(sends("SSH-2.0-OpenSSH_9.2\r\n\r\n"), id="no-http"),
        pytest.param(sends("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\n\x1f\x8b"), id="packed"),
    ],
)
@left_to_trio
def test_what_is_not_ollama_is_called_so(play: Play) -> None:
    end = ask(play)
    assert end.problem == "not_ollama"
    assert end.note is not None
    assert end.note.endswith("Look at OLLAMA_HOST.")


@pytest.mark.parametrize("status", ["301 Moved Permanently", "307 Temporary Redirect"])
def test_a_redirect_is_not_followed(status: str) -> None:
    async def work() -> tuple[ModelEnd, int]:
        async with broken(sends(LINES, part("{}"), last())) as other:
            elsewhere = whole(status, "", "text/plain", f"location: {other.url}/api/chat")
            async with broken(elsewhere) as server:
                end = await OllamaModel(server.url, "tiny", PATIENT_S, PATIENT_S).ask(ORDER)
            return end, len(other.lines)

    end, calls = trio.run(work)
    assert (end.problem, calls) == ("not_ollama", 0)
    assert end.note is not None
    assert status in end.note


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param([part("x" * 1000)] * 1000, id="many-lines"),
        pytest.param([part("x" * 1_000_000)], id="one-line"),
    ],
)
def test_an_answer_without_an_end_is_not_listened_to(pieces: list[str]) -> None:
    end = ask(hangs(LINES, *pieces))
    assert end.problem == "too_long"
    assert len(end.text) <= LONGEST_ANSWER


def test_a_line_without_an_end_is_not_listened_to() -> None:
    end = ask(drips(0.0, LINES, b" " * 2**20), silence_s=PATIENT_S)
    assert end.problem == "too_long"
    assert end.note is not None
    assert str(LONGEST_STREAM) in end.note


def test_an_answer_that_its_tokens_were_not_enough_for_is_too_long() -> None:
    end = ask(sends(LINES, part('{"kind": "'), last(done_reason="length", eval_count=64)))
    assert end.problem == "too_long"
    assert end.note is not None
    assert "more than 64 tokens" in end.note


@pytest.mark.parametrize(("asked", "answered"), [(1024, 5), (1020, 4), (4000, None)])
def test_a_question_that_the_server_must_have_cut_is_told(asked: int, answered: int | None) -> None:
    end = ask(sends(LINES, part("{}"), last(prompt_eval_count=asked, eval_count=answered)))
    assert (end.problem, end.text) == ("prompt_cut", "{}")
    assert end.note is not None
    assert "LLAMA_NUM_CTX" in end.note


def test_a_question_that_fits_to_the_last_token_is_whole() -> None:
    assert ask(sends(LINES, part("{}"), last(prompt_eval_count=1019, eval_count=4))).problem is None


@pytest.mark.parametrize(("asked", "answered"), [(None, None), (-5, -1), (10**30, 10**400)])
def test_counts_that_are_none_are_left_out(asked: int | None, answered: int | None) -> None:
    end = ask(sends(LINES, part("{}"), last(prompt_eval_count=asked, eval_count=answered)))
    assert (end.problem, end.prompt_tokens, end.output_tokens) == (None, None, None)


def test_giving_a_question_up_closes_its_connection() -> None:
    async def work() -> None:
        waiting = trio.Event()

        async def play(line: Line) -> None:
            await line.send(LINES, part("{"))
            waiting.set()
            await line.wait_gone()

        async with broken(play) as server:
            with trio.fail_after(PATIENT_S):
                async with trio.open_nursery() as nursery:
                    model = OllamaModel(server.url, "tiny", PATIENT_S, PATIENT_S)
                    nursery.start_soon(model.ask, ORDER)
                    await waiting.wait()
                    nursery.cancel_scope.cancel()
                await server.lines[0].gone.wait()

    trio.run(work)
