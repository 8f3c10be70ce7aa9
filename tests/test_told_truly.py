"""What is said of a task, a backup and an erasure is what happened: nothing old, nothing that is over."""

import gzip
import hashlib
import shutil
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from adapters.cli.words.others import Others
from adapters.cli.words.task import Around, waits
from adapters.home_backup import NAMED, NAMING
from adapters.home_making import make_home
from eventstore.event import ANY, Event, Recorded
from eventstore.sqlite.log import SqliteLog
from handlers.attempt import ATTEMPT
from handlers.task import TASK
from projections.artifact import build
from projections.summary import summary
from projections.validity import latest
from schemas import names
from schemas.attempt import CheckFinished, ClaimTask, StepFinished
from schemas.registry import FACTS
from schemas.task import CancelTask, PauseTask, RetryTask
from schemas.turn import Captured, StartTurn, TurnFinished
from schemas.validation import Judged, Validated
from schemas.word import Fact
from tests.damaged import log_of
from tests.homes import BuiltHome
from tests.log_contract import fact
from tests.reading_evt import Evt
from tests.rule_bench import (
    ANSWERED,
    SECOND,
    START,
    STATUSES,
    STREAM,
    TURNING,
    Bench,
    agent_started,
    checked,
    claimed,
    queued,
    received,
    snapshot,
    succeeded,
    turn_finished,
    types,
)
from tests.service import folder, home_at

TOMORROW = START + 86_400 * SECOND


@pytest.fixture(autouse=True)
def own_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "configuration"))


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    return tmp_path / "kept"


# a retry means now


def test_one_that_is_cancelled_before_it_begins_again_took_no_time() -> None:
    bench = Bench(*ANSWERED, succeeded())
    bench.do(RetryTask)
    (event,) = bench.do(CancelTask)
    assert (event.type, event.data["elapsed_ms"]) == ("task_cancelled", 0)


def test_a_task_that_waits_for_its_moment_begins_now_when_it_is_retried() -> None:
    bench = Bench(received(not_before=TOMORROW), queued(not_before=TOMORROW))
    (event,) = bench.do(RetryTask)
    assert (event.type, event.data["was"], event.data["not_before"]) == ("retry_requested", "queued", None)
    assert types(bench.do(ClaimTask)) == ["task_claimed"]
    assert bench.state(ATTEMPT).status == "running"


def test_after_a_cancel_and_a_retry_it_begins_at_once_as_well() -> None:
    bench = Bench(received(not_before=TOMORROW), queued(not_before=TOMORROW))
    bench.do(CancelTask)
    assert types(bench.do(RetryTask)) == ["retry_requested"]
    assert bench.do(RetryTask) == []
    assert types(bench.do(ClaimTask)) == ["task_claimed"]


def test_a_task_whose_moment_has_come_is_queued_already() -> None:
    bench = Bench(received(not_before=START), queued(not_before=START))
    assert bench.do(RetryTask) == []


def test_a_moment_is_over_once_the_task_was_begun() -> None:
    bench = Bench(received(not_before=START), queued(not_before=START), claimed())
    assert bench.state(TASK).not_before is None


def test_a_paused_task_that_waits_for_its_moment_is_resumed_and_not_retried(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = home_at(tmp_path / "home")
    evt = Evt(home, capsys)
    later = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 86_400))
    file = tmp_path / "night.task.md"
    head = f"---\nid: night\ntype: analyze\ncwd: '{folder(home)}'\nnot_before: {later}\n---\n"
    file.write_text(f"{head}# Look\n\n**Prompt:**\nLook.\n", encoding="utf-8", newline="\n")
    assert evt("add", str(file)).code == 0
    assert "not before" in evt("list").out
    evt("pause", "night")
    assert evt("retry", "night").code == 7
    evt("resume", "night")
    said = evt("retry", "night")
    assert (said.code, said.lines) == (
        0,
        ["night is queued to begin at once: the moment of its `not_before` is passed over"],
    )
    assert "not before" not in evt("list").out
    assert evt("retry", "night").lines == ["night is queued already"]


def test_a_pause_holds_it_however_near_its_moment_is() -> None:
    bench = Bench(received(not_before=TOMORROW), queued(not_before=TOMORROW))
    bench.do(PauseTask)
    with pytest.raises(Exception, match="is paused"):
        bench.do(RetryTask)


# an end without a new attempt


def again(*facts: Fact) -> Bench:
    """A task that succeeded with all that an attempt can leave behind, and is to be done again."""
    judged = Judged(valid=True, similarity=0.9, entropy=0.5, issues=())
    measured = Validated(
        attempt=1, llama=None, result=judged, similarity_threshold=0.3, entropy_threshold=0.2
    )
    bench = Bench(*ANSWERED, checked(passed=False, output=Captured(tail="no\nnever")), measured, succeeded())
    bench.do(RetryTask)
    bench.given(*facts)
    return bench


def story_of(bench: Bench) -> tuple[dict[str, Any], str, list[Recorded]]:
    events = list(bench.log.stream(STREAM))
    return build(events), summary(events), events


@pytest.mark.parametrize("end", ["cancelled", "outside_root"])
def test_a_task_that_never_began_again_bears_nothing_of_its_old_success(end: str) -> None:
    bench = again()
    if end == "cancelled":
        bench.do(CancelTask)
    else:
        bench.do(ClaimTask, cwd="/elsewhere")
    artifact, text, events = story_of(bench)
    assert events[-1].data.get("reason") == ("wrong file" if end == "cancelled" else "outside_root")
    assert (artifact["success"], artifact["return_code"], artifact["parsed_output"]) == (False, None, None)
    outcome = artifact["outcome"]
    assert (outcome["ended"], outcome["claimed"], outcome["checks"]) == ("not_started", "", [])
    assert "ended:    no agent was started" in text
    assert "claimed:  nothing" in text
    assert "Done." not in text
    assert "said last" not in text
    assert artifact["validation"]["result"] == artifact["validation"]["llama"]
    assert latest(events) is None
    # What it did and cost before is told still.
    assert [turn["role"] for turn in artifact["conversation"]] == ["user", "assistant"]
    assert artifact["linkage"]["attempt"] == 1


def test_a_task_that_began_again_tells_of_its_new_attempt() -> None:
    bench = again()
    bench.do(ClaimTask)
    bench.do(StartTurn, attempt=2)
    bench.given(turn_finished(2, exit_code=3, result_text="Anew.", is_error=True))
    bench.end(attempt=2)
    artifact, text, events = story_of(bench)
    assert (artifact["return_code"], artifact["outcome"]["claimed"]) == (3, "Anew.")
    assert "the agent exited with code 3" in text
    assert latest(events) is not None


def test_until_its_end_a_task_that_is_asked_for_again_tells_of_its_old_one() -> None:
    artifact, _, events = story_of(again())
    assert (artifact["success"], artifact["return_code"]) == (True, 0)
    assert latest(events) is not None


# money


@pytest.mark.parametrize(
    ("turn", "told"),
    [
        ({"is_error": True, "exit_code": 1, "result_text": "no"}, False),
        ({"is_error": True, "exit_code": 1, "result_text": "no", "api_error_status": 529}, True),
    ],
    ids=["fatal", "network"],
)
def test_a_spent_budget_is_blamed_only_where_it_would_have_been_tried_again(
    turn: dict[str, Any], told: bool
) -> None:
    bench = Bench(*STATUSES["queued"], claimed(1, max_budget_usd=0.5), *TURNING[3:], agent_started())
    bench.given(turn_finished(**turn, cost_usd=0.5))
    (end,) = bench.end()
    assert end.type == "task_failed"
    assert ("its budget is spent" in end.data["sentence"]) == told


# what is waited for


def waiting(**others: str) -> str:
    rows = {name: {"task_id": name, "status": status, "waits_for": []} for name, status in others.items()}
    row = {
        "task_id": "x",
        "status": "waiting_dependency",
        "waits_for": [*others, "nobody"] if "failed" in others.values() else list(others),
        "not_before": None,
    }
    return waits(row, Around(Others(rows.get), now=0))


def test_what_has_succeeded_is_waited_for_no_longer() -> None:
    assert waiting(b="succeeded", d="failed") == "waits for d (failed), nobody (unknown)"
    assert waiting(b="running") == "waits for b (running)"


def test_where_all_have_succeeded_a_service_is_waited_for() -> None:
    said = waiting(b="succeeded", d="succeeded")
    assert said == "waited for b (succeeded), d (succeeded): a service lets it go on"


# a backup and its blobs


@pytest.fixture
def evt(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Evt:
    root = make_home(tmp_path / "home").root
    evt = Evt(root, capsys)
    assert evt("add", "explain the cart").code == 0
    return evt


def blob(root: Path, content: bytes) -> str:
    name = hashlib.sha256(content).hexdigest()
    path = root / "blobs" / "sha256" / name[:2] / f"{name}.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content))
    return name


def told(root: Path, stream: str, *facts: Fact) -> list[int]:
    """Append them to a home's log; their positions."""
    with closing(SqliteLog(log_of(root))) as log:
        source = next(log.all()).envelope["source"]
        events: list[Event] = []
        for number, one in enumerate(facts, log.head()):
            data = one.model_dump(mode="json")
            events.append(fact(number, type=one.TYPE, source=source, data=data))
        return [place.global_position for place in log.append(stream, events, ANY)]


def said(text: str) -> Captured:
    name = hashlib.sha256(text.encode()).hexdigest()
    return Captured(head=text, tail=text, text=text, size=len(text), sha256=name)


def three_blobs(root: Path) -> list[str]:
    """Named by a snapshot, a turn and a check; one more hash stands in a text and names nothing."""
    one, two, three = (blob(root, content) for content in (b"state", b"spoken", b"checked"))
    tempting = 'see "sha256":"' + "ef" * 32 + '"'
    told(
        root,
        "task-a",
        snapshot(blob=one),
        turn_finished(stdout=said("spoken"), result_text=tempting),
        checked(output=said("checked")),
    )
    return [one, two, three]


def test_a_backup_without_the_blobs_that_the_events_name_fails_and_is_kept(evt: Evt, kept: Path) -> None:
    blobs = three_blobs(evt.root)
    shutil.rmtree(evt.root / "blobs" / "sha256")
    failed = evt("backup", str(kept))
    assert failed.code == 1
    assert f"3 blobs ({', '.join(blobs)})" in failed.err
    assert log_of(kept).is_file()
    noted = evt("backup", str(kept), "--json")
    assert (noted.code, noted.document["missing_blobs"]) == (0, blobs)
    assert "note: 3 blobs (" in evt("backup", str(kept)).err


def test_a_blob_that_is_lost_after_a_backup_is_in_that_backup(evt: Evt, kept: Path) -> None:
    three_blobs(evt.root)
    whole = evt("backup", str(kept), "--json")
    assert (whole.code, whole.document["missing_blobs"]) == (0, [])
    shutil.rmtree(evt.root / "blobs" / "sha256")
    assert evt("backup", str(kept)).code == 0
    assert evt("backup", f"{kept}-anew").code == 1


def test_a_loss_that_comes_to_a_known_one_fails_again(evt: Evt, kept: Path) -> None:
    one, two, _ = three_blobs(evt.root)
    (evt.root / "blobs" / "sha256" / one[:2] / f"{one}.gz").unlink()
    assert evt("backup", str(kept)).code == 1
    assert evt("backup", str(kept)).code == 0
    told(evt.root, "task-b", turn_finished(stdout=said("never written")))
    failed = evt("backup", str(kept))
    assert (failed.code, two in failed.err) == (1, False)
    assert "the events name 1 blob (" in failed.err


def test_what_was_erased_is_not_missed(evt: Evt, kept: Path) -> None:
    blob(evt.root, b"spoken")
    (position,) = told(evt.root, "task-a", turn_finished(stdout=said("spoken")))
    erased = evt("erase", str(position), "--field", "report.stdout", "--reason", "it leaked")
    assert erased.code == 0, erased.err
    done = evt("backup", str(kept), "--json")
    assert (done.code, done.document["missing_blobs"]) == (0, [])


def test_a_home_that_was_made_of_a_text_is_told_once_that_it_has_no_blobs(
    evt: Evt, kept: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    three_blobs(evt.root)
    text = tmp_path / "log.ndjson"
    assert evt("export", "-o", str(text)).code == 0
    copy = Evt(tmp_path / "copy", capsys)
    assert copy("import", str(text)).code == 0
    assert copy("backup", str(kept)).code == 1
    assert copy("backup", str(kept)).code == 0


def test_every_event_that_can_name_a_blob_is_looked_at() -> None:
    """A blob's name stands in a captured output, or in a field `blob`."""
    naming = {
        name
        for name, kind in FACTS.items()
        if "blob" in kind.model_fields or "#/$defs/Captured" in str(kind.model_json_schema())
    }
    assert naming == NAMING == {StepFinished.TYPE, TurnFinished.TYPE, CheckFinished.TYPE}


def test_a_hash_of_something_else_is_no_blob() -> None:
    line = b'{"prompt_sha256":"' + b"a" * 64 + b'","measured":"' + b"b" * 64 + b'","blob":null}'
    assert NAMED.findall(line) == []


# an erasure and what else named its blob


def test_an_erasure_tells_of_the_other_events_that_named_its_blob(evt: Evt) -> None:
    blob(evt.root, b"spoken")
    (first,) = told(evt.root, "task-a", turn_finished(stdout=said("spoken")))
    (second,) = told(evt.root, "task-b", turn_finished(stdout=said("spoken")))
    done = evt("erase", str(first), "--field", "report.stdout", "--reason", "it leaked")
    assert done.code == 0, done.err
    assert f"note: event {second} named the same blob, which is gone" in done.err
    assert done.err.count("named the same blob") == 1


def test_an_erasure_whose_blob_no_other_event_named_tells_of_none(evt: Evt) -> None:
    blob(evt.root, b"spoken")
    (position,) = told(evt.root, "task-a", turn_finished(stdout=said("spoken")))
    done = evt("erase", str(position), "--field", "report.stdout", "--reason", "it leaked", "--json")
    assert (done.code, done.document["erased"][0]["also_named_by"]) == (0, [])


def test_show_tells_no_old_success(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with BuiltHome(tmp_path / "built") as built:
        built.succeed("good", "The edit stands.")
    shown = Evt(tmp_path / "built", capsys)
    assert shown("retry", "good").code == 0
    assert shown("cancel", "good").code == 0
    page = shown("show", "good").out.partition("(UTC)")[0]
    assert "no agent was started" in page
    assert "The edit stands." not in page
    assert "code 0" not in page
    assert names.STATUS_OF_END[names.TASK_CANCELLED] in page
