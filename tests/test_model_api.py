"""The stand-in for the model's service answers by its scripts, keeps what was asked, and ends."""

import json
import threading
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.model_api import USAGE, Call, ModelApi, Reply


def ask(api: ModelApi, *texts: str, stream: bool = False, path: str = "/v1/messages") -> tuple[int, str]:
    """Send a conversation, in which person and model take turns; status and body."""
    roles = ("user", "assistant")
    messages = [{"role": roles[at % 2], "content": text} for at, text in enumerate(texts)]
    connection = HTTPConnection(urlsplit(api.url).netloc, timeout=30)
    try:
        connection.request("POST", path, json.dumps({"model": "m", "messages": messages, "stream": stream}))
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def test_the_nth_answer_goes_to_the_nth_turn_however_often_it_is_asked() -> None:
    with ModelApi() as api:
        api.script("ZA", Reply("one"), Reply("two"))
        api.script("ZB", Reply("other"))
        said = [ask(api, "ZA"), ask(api, "ZA"), ask(api, "ZA", "one", "go on"), ask(api, "ZB")]
        assert [json.loads(body)["content"][0]["text"] for _, body in said] == ["one", "one", "two", "other"]
        assert len(api.asked("ZA")) == 3
        assert api.strays == []


def test_a_stream_says_the_same_as_the_whole() -> None:
    with ModelApi() as api:
        api.script("ZA", Reply("text", (Call("Bash", {"command": "ls"}),)))
        whole = json.loads(ask(api, "ZA")[1])
        lines = ask(api, "ZA", stream=True)[1].splitlines()
        events: list[Any] = [json.loads(line[6:]) for line in lines if line.startswith("data: ")]
        deltas = [event["delta"] for event in events if event["type"] == "content_block_delta"]
        assert [block.get("text") for block in whole["content"]] == ["text", None]
        assert deltas[0] == {"type": "text_delta", "text": "text"}
        assert json.loads(deltas[1]["partial_json"]) == whole["content"][1]["input"] == {"command": "ls"}
        assert (whole["stop_reason"], whole["usage"]) == ("tool_use", USAGE)
        assert events[-2]["delta"]["stop_reason"] == "tool_use"


@pytest.mark.parametrize(("texts", "path"), [(("?",), "/v1/messages"), (("ZA",), "/v1/elsewhere")])
def test_what_no_script_answers_is_refused_and_remembered(texts: tuple[str, ...], path: str) -> None:
    with ModelApi() as api:
        api.script("ZA", Reply("one"))
        assert ask(api, *texts, path=path)[0] == 400
        assert len(api.strays) == 1


def test_a_script_that_is_at_its_end_is_told() -> None:
    with ModelApi() as api:
        api.script("ZA", Reply("one"))
        assert ask(api, "ZA", "one", "go on")[0] == 400
        assert api.strays == ["POST /v1/messages ZA turn 1"]


def test_an_error_comes_with_its_headers_word() -> None:
    with ModelApi() as api:
        api.script("ZA", Reply(status=529, message="busy"))
        status, body = ask(api, "ZA")
        assert (status, json.loads(body)["error"]) == (529, {"type": "overloaded_error", "message": "busy"})


def test_tokens_that_hold_one_another_are_refused() -> None:
    with ModelApi() as api:
        api.script("ZA", Reply("one"))
        with pytest.raises(ValueError, match="cannot be told from 'ZA'"):
            api.script("ZAB", Reply("two"))


def test_silence_lasts_until_the_end_and_holds_nobody_up() -> None:
    before = threading.active_count()
    with ModelApi() as api:
        api.script("ZA", Reply("never", silence="at_once"))
        ends: list[OSError] = []

        def wait_for_it() -> None:
            try:
                ask(api, "ZA")
            except OSError as cut_off:
                ends.append(cut_off)

        asking = threading.Thread(target=wait_for_it)
        asking.start()
        assert api.wait_silent("ZA")
        assert not api.wait_silent("ZB", timeout_s=0)
    asking.join(30)
    assert (asking.is_alive(), len(ends)) == (False, 1)
    assert threading.active_count() <= before + 1  # a daemon may still be closing its connection
