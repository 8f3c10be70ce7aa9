"""A real model, small and quick: what it says is a coin toss, how it is asked and heard is not."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import ollama
import pytest
import trio

from adapters.automations.feed import Feed
from adapters.automations.mediator import Mediator
from adapters.automations.stamp import Stamp
from adapters.ollama_model import OllamaModel
from handlers.deciders import DECIDERS
from handlers.dispatch import AsyncDispatch
from handlers.ports.model import ModelEnd, ModelOrder
from projections.all_views import ALL
from projections.live import LiveViews
from schemas import names
from schemas.mediation import Purpose
from schemas.task import ReceiveTask, TaskSpec
from tests.fakes import World
from tests.local_model import the_local_model
from tests.service import events, evt, folder, home_at, running
from tests.world import InlineLog
from tools.model_lane import Endpoint

pytestmark = pytest.mark.timeout(900)
"""Seconds for one test: the first one may install the lane, and the machine may be busy with others."""

PATIENT_S = 600.0
WISH = "fix the login bug in ./shop\nRECORDED-EDIT: price.txt: one => two"
NO_FAULT_OF_THE_SERVER = ("too_long", "empty", "prompt_echo")
"""What a model may do that has so few parameters."""
SPEC = TaskSpec(
    title="fix the login bug",
    task_type="bug_fix",
    agent="bug_fix",
    prompt="fix the login bug in ./shop",
    cwd="/srv/shop",
    allowed_root="/srv",
    shaped_by="rules",
    decided={"type": "rules", "title": "default", "cwd": "rules", "target_files": "default"},
)
SAID: Mapping[Purpose, str] = {
    "parse": "",
    "shape": "",
    "summary": "The password is compared with its hash now. All 14 tests pass.",
    "answer": "Shall I delete the old table too?",
    "commit_message": "--- a/login.py\n+++ b/login.py\n-    return True\n+    return check(password)\n",
}


def model_of(endpoint: Endpoint, name: str = "") -> OllamaModel:
    return OllamaModel(endpoint.url, name or endpoint.model, PATIENT_S, PATIENT_S)


def small(
    properties: Mapping[str, Any],
    prompt: str = "A dog lives here.",
    num_ctx: int = 1024,
    num_predict: int = 64,
) -> ModelOrder:
    """A question that wants little."""
    schema = {"type": "object", "properties": properties, "required": [*properties]}
    return ModelOrder("You sort.", prompt, schema, num_ctx, num_predict)


KIND = {"kind": {"enum": ["animal", "plant"]}, "sure": {"type": "boolean"}}


def test_the_endpoint_lists_shows_and_names_its_model(local_model: Endpoint) -> None:
    with ollama.Client(local_model.url) as client:
        assert [one.model for one in client.list().models] == [local_model.model]
        assert "completion" in (client.show(local_model.model).capabilities or ())
        assert [one.model for one in client.ps().models] == [local_model.model]
        assert client.generate(local_model.model, prompt="").done_reason == "load"
        with pytest.raises(ollama.ResponseError, match="not found") as missing:
            client.show("nobody:7b")
        assert missing.value.status_code == 404


def test_an_answer_keeps_to_its_schema_and_comes_in_parts_with_its_counts(local_model: Endpoint) -> None:
    order = small(KIND)
    end = trio.run(model_of(local_model).ask, order)
    assert (end.problem, end.note) == (None, None)
    found = json.loads(end.text)
    assert found["kind"] in ("animal", "plant")
    assert isinstance(found["sure"], bool)
    assert end.prompt_tokens and end.output_tokens
    with ollama.Client(local_model.url) as client:
        messages = [{"role": "user", "content": order.prompt}]
        asked = {"format": dict(order.schema), "options": {"temperature": 0, "num_predict": 64}}
        parts = list(client.chat(local_model.model, messages, stream=True, **asked))
        whole = client.chat(local_model.model, messages, stream=False, **asked)
    assert len(parts) > 2
    assert [part.done for part in parts] == [False] * (len(parts) - 1) + [True]
    assert json.loads("".join(part.message.content or "" for part in parts)).keys() == found.keys()
    assert json.loads(whole.message.content or "").keys() == found.keys()


@pytest.mark.parametrize("purpose", SAID)
def test_each_purpose_is_answered_as_its_schema_wants_or_the_event_says_why_not(
    purpose: Purpose, local_model: Endpoint
) -> None:
    facts = trio.run(_mediated, model_of(local_model), purpose)
    started, finished = (fact for fact in facts if fact["type"].startswith("mediation_"))
    assert started["type"] == names.MEDIATION_STARTED
    assert started["data"]["prompt_sha256"]
    told = finished["data"]
    assert (told["purpose"], told["model"], told["asked"]) == (purpose, local_model.model, True)
    assert told["prompt_tokens"] > 0
    if told["by"] == "model":
        assert (told["fallback"], told["sentence"]) == (None, None)
        assert told["reading"] is not None if purpose == "parse" else told["reading"] is None
    else:
        assert told["fallback"] in NO_FAULT_OF_THE_SERVER
        assert told["sentence"]
    if purpose in ("summary", "commit_message"):
        assert told["text"]


async def _mediated(model: OllamaModel, purpose: Purpose) -> list[Mapping[str, Any]]:
    """Ask as the service does; what stands in the task's stream after it was received."""
    world = World()
    log, stamp = InlineLog(world), Stamp(world, world)
    dispatch = AsyncDispatch(log, "urn:evt:world", DECIDERS)
    await dispatch(
        ReceiveTask(
            **stamp("service"), task_id="a", origin="cli", file_name=None, content_sha256="a" * 64, spec=SPEC
        )
    )
    mediator = Mediator(model, Feed(log, LiveViews(ALL)), stamp, lambda text: text, 2048)

    def held() -> Mapping[str, Any]:
        return {**stamp("service"), "task_id": "a", "attempt": 0}

    await mediator.ask(purpose, held, dispatch, SPEC.model_dump(mode="json"), SAID[purpose])
    return [event.envelope for event in world.log.stream("task-a")]


def test_giving_a_question_up_ends_the_work_on_it(local_model: Endpoint) -> None:
    """Its answer would have thousands of tokens: the server's own count says that nobody made them."""
    counting = {"n": {"type": "array", "items": {"type": "integer", "maximum": 9}, "minItems": 3000}}
    order = small(counting, "Count.", num_ctx=8192, num_predict=6000)
    before = made_tokens(local_model)

    async def work() -> ModelEnd:
        model = model_of(local_model)
        with trio.fail_after(PATIENT_S):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(model.ask, order)
                await trio.to_thread.run_sync(wait_until_busy, local_model)
                nursery.cancel_scope.cancel()
            return await model.ask(small(KIND))

    end = trio.run(work)
    assert end.problem is None
    assert made_tokens(local_model) - before < 3000


def metric(endpoint: Endpoint, name: str) -> int:
    """One of llama.cpp's own counts."""
    told = httpx.get(f"{endpoint.url}/metrics", timeout=PATIENT_S, trust_env=False).text
    (value,) = (line.split()[1] for line in told.splitlines() if line.startswith(f"llamacpp:{name} "))
    return int(float(value))


def made_tokens(endpoint: Endpoint) -> int:
    return metric(endpoint, "tokens_predicted_total")


def wait_until_busy(endpoint: Endpoint) -> None:
    deadline = time.monotonic() + PATIENT_S
    while not metric(endpoint, "requests_processing"):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_endpoint_ends_with_whoever_started_it(tmp_path: Path) -> None:
    with the_local_model(tmp_path / "endpoint.txt") as endpoint:
        endpoint.process.communicate(timeout=PATIENT_S)  # its stdin ends, as when its parent is killed
        assert endpoint.process.returncode == 0
        end = trio.run(model_of(endpoint).ask, small(KIND))
    assert end.problem == "unreachable"


def test_a_model_that_is_not_there_is_told(local_model: Endpoint) -> None:
    end = trio.run(model_of(local_model, "nobody:7b").ask, small(KIND))
    assert end.problem == "model_missing"
    assert end.note is not None
    assert "`ollama pull nobody:7b`" in end.note


def test_a_question_that_does_not_fit_is_told(local_model: Endpoint) -> None:
    """The server drops a part of it and says nothing; the count of tokens gives it away."""
    end = trio.run(model_of(local_model).ask, small(KIND, "word " * 2000, num_ctx=256))
    assert end.problem == "prompt_cut"
    assert end.note is not None
    assert "LLAMA_NUM_CTX" in end.note


def test_a_wish_goes_through_the_whole_program_with_a_real_model(
    local_model: Endpoint, tmp_path: Path
) -> None:
    home = home_at(tmp_path / "home")
    folder(home)
    settings = {
        "OLLAMA_HOST": local_model.url,
        "LLAMA_MODEL": local_model.model,
        "LLAMA_NUM_CTX": "2048",
        "LLAMA_SILENCE_SEC": str(int(PATIENT_S)),
        "LLAMA_TIMEOUT_SEC": str(int(PATIENT_S)),
    }
    base = {**settings, "CLAUDE_BASE_CWD": str(home / "shops")}
    added = evt(home, "add", WISH, "--json", **base)
    assert added.returncode == 0, added.stderr
    with running(home, "--drain", **base) as service:
        assert service.wait(PATIENT_S) == 0, (home / "service.txt").read_text(encoding="utf-8")
    log = events(home)
    assert names.TASK_SUCCEEDED in [event.type for event in log]
    told = [event.data for event in log if event.type == names.MEDIATION_FINISHED]
    assert [data["purpose"] for data in told] == ["parse", "shape", "summary"]
    for data in told:
        assert data["by"] == "model" or (data["fallback"] in NO_FAULT_OF_THE_SERVER and data["sentence"])
    (queued,) = (event.data for event in log if event.type == names.TASK_QUEUED)
    assert queued["task_type"] == "bug_fix"
    (task_id,) = (event.data["task_id"] for event in log if event.type == names.TASK_RECEIVED)
    shown = evt(home, "show", task_id, **base).stdout
    assert "type: bug_fix (by a word of the text)" in shown
    assert "to understand the wish: " in shown
