"""The mediator's receipts: what is taken of an answer, what the rules say, whose word is stale."""

from typing import Any

import orjson
import pytest

from eventstore.event import ANY, Event
from eventstore.memory_log import MemoryLog
from eventstore.redaction.patterns import Redactor
from eventstore.redaction.redacting import Redacting
from handlers.decider import Refused
from handlers.mediating.resting import rest_of
from projections.mediator import KEY, PROJECTION
from prompts import load
from schemas import names
from schemas.mediation import FinishMediation, StartMediation
from schemas.task import QueueTask
from tests.fake_model import MESSAGE, PARSED, SHAPED, SHORT, WELL
from tests.log_contract import fact
from tests.rule_bench import ANSWERED, RUNNING, SHA, Bench, failed, received, retry_scheduled

MODEL = "tiny:latest"
PROMPT = "look at what is in /ground/shop"
WISH = {"prompt": PROMPT, "shaped_by": "rules", "task_type": "analyze", "agent": "analyze"}
DEFAULT = {"type": "default", "title": "default", "cwd": "default", "target_files": "default"}


def finish(bench: Bench, purpose: str, said: str = "", attempt: int = 0, **over: Any) -> list[Any]:
    return bench.do(
        FinishMediation, purpose=purpose, attempt=attempt, model=MODEL, said=said, elapsed_ms=1200, **over
    )


def wish(**over: Any) -> Bench:
    return Bench(received(**{**WISH, "decided": DEFAULT, **over}))


@pytest.mark.parametrize("purpose", WELL)
def test_a_good_answer_is_taken_and_called_the_models(purpose: str) -> None:
    bench = wish() if purpose == "parse" else Bench(*ANSWERED)
    said = {**WELL[purpose], "type": "summarize"} if purpose == "parse" else WELL[purpose]
    (event, *_) = finish(bench, purpose, orjson.dumps(said).decode(), 0 if purpose == "parse" else 1)
    assert (event.data["by"], event.data["fallback"], event.data["model"]) == ("model", None, MODEL)


@pytest.mark.parametrize("purpose", WELL)
def test_a_servers_failure_is_told_and_the_rules_stand_in(purpose: str) -> None:
    bench = wish() if purpose == "parse" else Bench(*ANSWERED)
    attempt = 0 if purpose == "parse" else 1
    (event, *rest) = finish(bench, purpose, attempt=attempt, problem="silent", note="it was silent.")
    assert (event.data["by"], event.data["fallback"]) == ("rules", "silent")
    assert event.data["sentence"] == "it was silent."
    told = {"summary": "Done.", "commit_message": "fix: Mend the sum"}
    assert event.data["text"] == told.get(purpose, "")
    assert [one.type for one in rest] == ([names.SUMMARIZED] if purpose == "summary" else [])


def test_what_the_rules_stand_in_for_has_half_of_no_answer() -> None:
    half = orjson.dumps(SHAPED).decode()[:40]
    (event,) = finish(Bench(*RUNNING), "shape", half, 1, problem="cut_off", note="cut.")
    assert event.data["text"] == "" and event.data["by"] == "rules"


@pytest.mark.parametrize(
    ("purpose", "field"), [("parse", "title"), ("shape", "goal"), ("summary", "summary")]
)
def test_a_piece_of_our_own_question_is_no_answer(purpose: str, field: str) -> None:
    echo = " ".join(load(f"mediator/{purpose}").split())[30:130]
    bench = wish() if purpose == "parse" else Bench(*ANSWERED)
    said = orjson.dumps({**WELL[purpose], field: echo}).decode()
    (event, *_) = finish(bench, purpose, said, 0 if purpose == "parse" else 1)
    assert (event.data["by"], event.data["fallback"]) == ("rules", "prompt_echo")


def test_a_wish_that_was_looked_at_is_not_looked_at_again() -> None:
    bench = wish()
    assert len(finish(bench, "parse", orjson.dumps(PARSED).decode())) == 1
    assert finish(bench, "parse", orjson.dumps(PARSED).decode()) == []
    assert bench.do(StartMediation, purpose="parse", attempt=0, model=MODEL, prompt_sha256=SHA) == []


def test_what_was_understood_is_what_is_queued() -> None:
    bench = wish()
    said = {**PARSED, "type": "summarize", "title": "Look at the shop", "cwd": "/ground/shop"}
    finish(bench, "parse", orjson.dumps(said).decode(), folder="/ground/shop", kinds=("summarize",))
    (queued,) = bench.do(QueueTask)
    told = ("task_type", "agent", "title", "cwd")
    assert [queued.data[name] for name in told] == [
        "summarize",
        "analyze",
        "Look at the shop",
        "/ground/shop",
    ]
    assert queued.data["decided"] == {**DEFAULT, "type": "model", "title": "model", "cwd": "model"}


def test_a_wish_whose_answer_was_of_no_use_is_queued_as_the_rules_said() -> None:
    bench = wish(alternatives=({"task_type": "code_review", "title": "T"},))
    finish(bench, "parse", "no JSON")
    (queued,) = bench.do(QueueTask)
    assert queued.data["decided"] == DEFAULT and queued.data["task_type"] == "analyze"
    assert queued.data["alternatives"] == [{"task_type": "code_review", "title": "T"}]


@pytest.mark.parametrize("over", [(failed(),), (retry_scheduled(),)])
def test_a_worker_whose_attempt_is_over_asks_and_says_nothing(over: tuple[Any, ...]) -> None:
    bench = Bench(*ANSWERED, *over)
    for act in (
        lambda: finish(bench, "summary", orjson.dumps(SHORT).decode(), 1),
        lambda: bench.do(StartMediation, purpose="summary", attempt=1, model=MODEL, prompt_sha256=SHA),
    ):
        with pytest.raises(Refused) as refused:
            act()
        assert refused.value.code == "stale"


def test_a_commits_message_may_be_asked_for_after_the_end() -> None:
    (event,) = finish(Bench(*ANSWERED, failed()), "commit_message", orjson.dumps(MESSAGE).decode())
    assert event.data["text"] == "fix: mend the cart"


def test_nothing_is_asked_about_a_task_that_nobody_knows() -> None:
    with pytest.raises(Refused) as refused:
        finish(Bench(), "parse", "{}")
    assert refused.value.code == "not_found"


def test_the_view_counts_the_servers_failures_and_an_answer_ends_them() -> None:
    bench, row = Bench(*ANSWERED), None
    for said, problem in (("", "silent"), ("", "unreachable"), ("no JSON", None), ("", "timeout")):
        (event, *_) = finish(bench, "shape", said, 1, problem=problem, note=problem, output_tokens=7)
        row = PROJECTION.apply(KEY, row, event)
    assert row is not None
    assert (row["asked"], row["answered"], row["failures"], row["output_tokens"]) == (4, 0, 1, 28)
    assert rest_of(row, row["failed_at"], row["model"]) is not None
    assert rest_of(row, row["failed_at"], "another") is None
    (event, *_) = finish(bench, "shape", orjson.dumps(SHAPED).decode(), 1)
    row = PROJECTION.apply(KEY, row, event)
    assert row is not None and (row["answered"], row["failures"], row["fallback"]) == (1, 0, None)


def test_who_was_not_asked_did_not_fail() -> None:
    bench = Bench(*RUNNING)
    (event,) = finish(bench, "shape", attempt=1, asked=False, problem="resting", note="it rests.")
    assert PROJECTION.apply(KEY, None, event) is None


ROWS = {
    "500 lines": ({"body": [f"line {number}" for number in range(500)]}, "rules"),
    "one endless line": ({"subject": "x" * 5_000}, "rules"),
    "of another kind": ({"kind": "deploy"}, "rules"),
    "NUL": ({"subject": "mend\x00 it"}, "model"),
    "comments": ({"body": ["# not a heading", "why"]}, "model"),
    "forged trailers": ({"body": ["why", "Signed-off-by: x", "Evt-Tree-Head: 1"]}, "model"),
    "a line break in a line": ({"body": ["why\nCo-authored-by: x <x@y>"]}, "model"),
    "empty": ({"subject": " "}, "rules"),
}


@pytest.mark.parametrize(("over", "by"), ROWS.values(), ids=ROWS)
def test_a_commits_message_is_short_and_ours_whatever_the_model_says(over: dict[str, Any], by: str) -> None:
    said = orjson.dumps({**MESSAGE, **over}).decode()
    (event,) = finish(Bench(*ANSWERED), "commit_message", said)
    assert event.data["by"] == by
    first, *rest = event.data["text"].split("\n")
    assert 0 < len(first) <= 72 and "\x00" not in event.data["text"]
    assert len(rest) <= 11
    assert not any(":" in line or line.startswith("#") for line in rest)


def test_a_secret_in_a_models_answer_never_reaches_the_log() -> None:
    secret = "ghp_" + "A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8"
    log = Redacting(MemoryLog(), Redactor(()), lambda event, counts: fact(0))
    bench = Bench(*ANSWERED)
    (event,) = finish(bench, "commit_message", orjson.dumps({**MESSAGE, "body": [f"used {secret}"]}).decode())
    assert secret in event.data["text"], "the rules themselves know no secrets"
    told = Event(event.id, event.type, event.data, event.time, event.actor, "urn:x")
    log.append(event.stream, [told], ANY)
    kept = next(iter(log.all()))
    assert secret not in kept.line.decode() and "mend the cart" in kept.line.decode()
