"""What people read of tasks that wait, of what holds them up, of what is proved and what it cost."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.cli.moments import day, now
from adapters.cli.words.others import Others
from adapters.cli.words.task import Around, status_of, waits
from eventstore.file_lock import FileLock
from projections.summary import summary
from schemas import names
from schemas.attempt import (
    CheckFinished,
    LeaseExtended,
    StaleResultRejected,
    TaskInterrupted,
    TaskSucceeded,
)
from schemas.executor import (
    CircuitClosed,
    CircuitOpened,
    DailyBudgetLifted,
    DailyBudgetReached,
    QueuePaused,
    QueueResumed,
    executor_stream,
)
from schemas.task import TaskPaused, TaskResumed
from schemas.word import Fact
from tests.holding_facts import FAILED, LATER, PASSED, SECOND, again, quota, retried
from tests.homes import START, BuiltHome
from tests.reading_evt import Evt


@pytest.fixture
def home(tmp_path: Path) -> Iterator[BuiltHome]:
    with BuiltHome(tmp_path / "home") as built:
        yield built


@pytest.fixture
def evt(home: BuiltHome, capsys: pytest.CaptureFixture[str]) -> Evt:
    return Evt(home.root, capsys)


def tried(home: BuiltHome, task_id: str, *facts: Fact) -> None:
    """One attempt at a task that came to nothing."""
    home.queue(task_id)
    home.claim(task_id)
    home.finish_turn(task_id, "")
    home.task(task_id, *facts)


def succeeded(home: BuiltHome, task_id: str, verified: str, *evidence: str) -> None:
    home.queue(task_id)
    home.claim(task_id)
    home.finish_turn(task_id)
    end = TaskSucceeded.model_validate(
        {**home.end(), "claimed": "Done.", "verified": verified, "evidence": evidence}
    )
    home.task(task_id, end)


def columns(lines: list[str], heads: str) -> dict[str, str]:
    """The lines of a table below its heads, by their first words."""
    start = next(number for number, line in enumerate(lines) if line.split()[0:1] == [heads])
    return {line.split()[0]: line for line in lines[start + 1 :] if line}


# why and until when


def test_a_task_that_is_tried_again_says_when_and_why(home: BuiltHome, evt: Evt) -> None:
    tried(home, "net", retried())
    tried(home, "quota", quota())
    found = columns(evt("list").lines, "id")
    assert found["net"].split()[1] == "waiting_retry"
    assert found["net"].endswith("Fix the total: again at 2090-01-02 14:05:00Z: no answer from the model.")
    assert found["quota"].split()[1] == "waiting_quota"
    assert found["quota"].endswith("Fix the total: again at 2090-01-02 14:05:00Z: You've hit your limit.")
    told = evt("status", "--json").document
    assert told["counts"] == {"waiting_retry": 1, "waiting_quota": 1}
    assert [row["id"] for row in told["waiting"]] == ["net", "quota"]
    assert "again at 2090-01-02 14:05:00Z: no answer from the model." in evt("show", "net").out


def test_what_waits_for_its_moment_has_a_colour_of_its_own(home: BuiltHome, evt: Evt) -> None:
    tried(home, "net", retried())
    home.queue("held")
    home.task("held", TaskPaused(reason="later"))
    said = evt("list", "--color", "always").out
    assert "\x1b[33mwaiting_retry" in said
    assert "\x1b[35mpaused" in said


def test_a_moment_that_is_near_is_told_by_how_far_away_it_is(home: BuiltHome, evt: Evt) -> None:
    tried(home, "net", retried())
    row = evt("list", "--json").document[0]
    before = Around(Others(lambda _: None), LATER - 12 * SECOND)
    assert waits(row, before) == "again in 12s: no answer from the model."
    assert waits(row, Around(Others(lambda _: None), LATER - 3601 * SECOND)).startswith("again at 2090-")
    assert waits(row, Around(Others(lambda _: None), LATER + SECOND)) == "due now"
    unserved = Around(Others(lambda _: None), LATER, served=False)
    assert waits(row, unserved) == "due now, no service runs: `evt run`"


def test_a_task_that_is_asked_for_again_waits_no_longer(home: BuiltHome, evt: Evt) -> None:
    tried(home, "net", retried())
    home.task("net", again("net", "waiting_retry"))
    home.fail("bad")
    home.task("bad", again("bad", "failed"))
    with FileLock(home.root / "logs" / ".owner"):
        found = columns(evt("list").lines, "id")
    for name in ("net", "bad"):
        assert found[name].split()[1] == "queued"
        assert found[name].endswith("Fix the total: is to be done again")


def test_a_paused_task_says_how_it_goes_on_and_by_whom_it_was_paused(home: BuiltHome, evt: Evt) -> None:
    home.queue("web-7")
    home.append(names.task_stream("web-7"), TaskPaused(reason="after lunch"), actor="cli:me")
    (line,) = evt("list").lines[1:]
    assert (line.split()[1], line.endswith("Fix the total: until `evt resume web-7`")) == ("paused", True)
    page = evt("show", "web-7").lines
    (told,) = [line for line in page if line.startswith("paused")]
    assert told.startswith("paused      by cli:me, 2026-")
    assert told.endswith(": after lunch")
    waited = evt("wait", "web-7", "--timeout", "0")
    assert waited.code == 3
    assert "note: it is paused, so nothing moves until `evt resume web-7`.\n" in waited.err
    assert "`evt resume web-7` lets it go on." in waited.err
    home.task("web-7", TaskResumed(reason="now"))
    assert "paused" not in evt("list").out
    assert "by cli:me" not in evt("show", "web-7").out


def test_one_that_runs_and_is_to_pause_says_so(home: BuiltHome, evt: Evt) -> None:
    home.queue("long")
    home.claim("long")
    home.task("long", TaskPaused(reason="later"))
    assert evt("list").lines[1].endswith("Fix the total: is asked to pause")
    assert "long: is asked to pause" in evt("status").lines


@pytest.mark.parametrize(("fact", "state"), [(retried(), "waiting_retry"), (quota(), "waiting_quota")])
def test_a_task_that_waits_for_its_moment_is_still_waited_for(
    home: BuiltHome, evt: Evt, fact: Fact, state: str
) -> None:
    tried(home, "one", fact)
    said = evt("wait", "one", "--timeout", "0")
    assert (said.code, said.out) == (3, "")
    assert f"one is still {state} (again at 2090-01-02 14:05:00Z) after 0 s." in said.err


# what holds tasks up together


def test_an_executor_that_waits_is_named_with_the_reason_and_the_moment(home: BuiltHome, evt: Evt) -> None:
    tried(home, "one", quota())
    home.queue("two")
    with FileLock(home.root / "logs" / ".owner"):
        told = evt("status")
        rows = evt("status", "--json").document
    (line,) = [line for line in told.lines if line.startswith("queue")]
    assert line.startswith("queue    claude waits until 2090-01-02 14:05:00Z (in ")
    assert line.endswith("), for its quota is used up: You've hit your limit.")
    assert [(row["executor"], row["why"]) for row in rows["holding"]] == [("claude", "quota")]
    why = {row["id"]: row["why"] for row in rows["waiting"]}
    assert why["two"].startswith("claude waits until 2090-01-02 14:05:00Z (in ")
    assert why["two"].endswith("), for its quota is used up")


def test_a_circuit_that_is_open_is_told_and_then_its_trial(home: BuiltHome, evt: Evt) -> None:
    for number in range(3):
        tried(home, f"t{number}", retried(wake_at=START))
    stream = executor_stream(names.EXECUTOR)
    opened = CircuitOpened(
        executor=names.EXECUTOR,
        failures=3,
        error_class="network",
        sentence="no answer.",
        delay_s=30,
        wake_at=LATER,
    )
    home.append(stream, opened)
    told = evt("status").out
    assert "claude waits until 2090-01-02 14:05:00Z" in told
    assert "for it failed too often: no answer." in told
    home.append(stream, opened.model_copy(update={"wake_at": START}))
    assert "queue    claude failed 3 times in a row: it gets one task at a time\n" in evt("status").out
    home.succeed("good")
    home.append(stream, CircuitClosed(executor=names.EXECUTOR))
    assert not [line for line in evt("status").lines if line.startswith("queue")]


def test_a_day_that_is_paid_for_holds_everything_up(home: BuiltHome, evt: Evt) -> None:
    home.queue("one")
    reached = DailyBudgetReached(day="2026-01-02", spent_usd=1.25, budget_usd=1.0, wake_at=LATER)
    home.append(executor_stream(names.EXECUTOR), reached)
    with FileLock(home.root / "logs" / ".owner"):
        told = evt("status").lines
    (line,) = [line for line in told if line.startswith("queue")]
    assert line.startswith("queue    nothing is begun until 2090-01-02 14:05:00Z (in ")
    assert line.endswith("): 1.25 of 1.00 USD are spent on 2026-01-02")
    assert "nothing is begun until" in columns(told, "waiting")["one"]
    lifted = DailyBudgetLifted(day="2026-01-02", spent_usd=1.25, budget_usd=None)
    home.append(executor_stream(names.EXECUTOR), lifted)
    assert not [line for line in evt("status").lines if line.startswith("queue")]


def test_a_queue_that_is_paused_and_a_day_that_is_paid_for_are_both_told(home: BuiltHome, evt: Evt) -> None:
    home.append(names.SYSTEM, QueuePaused(reason="lunch"), actor="cli:me")
    reached = DailyBudgetReached(day="2026-01-02", spent_usd=1.25, budget_usd=1.0, wake_at=LATER)
    home.append(executor_stream(names.EXECUTOR), reached)
    lines = [line for line in evt("status").lines if line.startswith("queue")]
    assert lines[0] == "queue    paused by cli:me: lunch; `evt resume` lets it go on"
    assert lines[1].startswith("queue    nothing is begun until 2090-")
    home.append(names.SYSTEM, QueueResumed(reason="back"), actor="cli:me")
    (line,) = [line for line in evt("status").lines if line.startswith("queue")]
    assert line.startswith("queue    nothing is begun until 2090-")
    assert "None" not in line


# claims that look dead


def test_a_claim_that_nobody_seems_to_hold_is_said(home: BuiltHome, evt: Evt) -> None:
    home.started(pid=4242)
    home.queue("one")
    home.claim("one", lease_until=LATER)
    assert "one: no service runs: `evt run` takes it up again" in evt("status").lines
    with FileLock(home.root / "logs" / ".owner"):
        assert evt("status", "--json").document["running"][0]["looks_dead"] == ""
        assert not [line for line in evt("status").lines if line.startswith("one: ")]
        home.task("one", LeaseExtended(attempt=1, lease_until=START))
        (line,) = [line for line in evt("status").lines if line.startswith("one: ")]
        assert line.startswith("one: nothing was heard of its worker in time: its lease ended ")
        home.task("one", LeaseExtended(attempt=1, lease_until=LATER))
        home.started(pid=77)
        (line,) = [line for line in evt("status").lines if line.startswith("one: ")]
    assert line.startswith("one: another service has it (pid 4242); its lease ends in ")


# cost


def test_what_the_day_has_cost_is_told(home: BuiltHome, evt: Evt) -> None:
    assert evt("status", "--json").document["today"] is None
    tried(home, "old", retried())
    assert evt("status", "--json").document["today"] is None, "that was another day"
    template = next(event for event in home.log.all() if event.type == names.TURN_FINISHED)
    moment = now()
    for _ in range(2):
        home.raw(template.stream, template.type, dict(template.data), time=moment)
    rejected = StaleResultRejected(attempt=1, current_attempt=2, command="FinishTurn", cost_usd=0.5)
    home.task("old", rejected, time=moment)
    today = evt("status", "--json").document["today"]
    assert (today["usd"], today["turns"]) == (0.5246, 2)
    words_ = f"0.5246 USD in 2 turns today ({day(moment)}, UTC), 0.5000 of them came too late to count"
    assert f"cost     {words_}" in evt("status").lines


def test_views_of_costs_executors_and_timers_are_read_in_columns(home: BuiltHome, evt: Evt) -> None:
    home.append(names.SYSTEM, QueuePaused(reason="lunch"), actor="cli:me")
    tried(home, "one", quota())
    costs = columns(evt("project", "costs").lines, "key")
    assert costs["task:one"].split()[1:6] == ["0.0123", "1", "100", "20", "400"]
    assert {"all", "day:2026-01-02"} < costs.keys()
    executors = columns(evt("project", "executors").lines, "key")
    assert executors["*"].split()[1:3] == ["yes", "cli:me"]
    assert "quota  2090-01-02 14:05:00Z" in executors["claude"]
    timers = columns(evt("project", "timers").lines, "key")
    assert timers["one"].split()[1:] == ["quota", "2090-01-02", "14:05:00Z"]
    assert "2090-01-02 14:05:00Z" in columns(evt("project", "queue").lines, "key")["one"]


# attempts


def test_each_attempt_is_told_with_its_cost_and_its_session(home: BuiltHome, evt: Evt) -> None:
    tried(home, "one", retried())
    home.claim("one", 2, resumed=True)
    home.finish_turn("one", attempt=2)
    home.task("one", quota().model_copy(update={"attempt": 2}))
    home.claim("one", 3)
    home.task("one", TaskInterrupted(attempt=3, reason="it was killed", agent_died=True))
    home.claim("one", 4)
    lines = evt("show", "one").lines
    start = next(number for number, line in enumerate(lines) if line.startswith("attempts"))
    assert [line[12:] for line in lines[start : start + 4]] == [
        "1 by worker-1: 0.0123 USD, session 3f2c, tried again after 2.2s (network, overloaded)",
        "2 by worker-1: 0.0123 USD, session 3f2c resumed, waited for its quota",
        "3 by worker-1: 0.0000 USD, session 3f2c, interrupted: it was killed",
        "4 by worker-1: 0.0000 USD, session 3f2c",
    ]
    text = summary(list(home.log.stream("task-one"))).splitlines()
    assert "Cost: 0.0246 USD in 2 attempts; 200 tokens in, 40 out, 800 from the cache" in text
    assert {"  attempt 1: 0.0123 USD", "  attempt 2: 0.0123 USD"} <= set(text)


# what is proved


@pytest.mark.parametrize(
    ("verified", "evidence", "told"),
    [
        ("unchecked", ("1 file changed",), "unchecked"),
        ("passed", ("check passed: `x`",), "checked"),
        ("passed", ("unproved: it is fast",), "checked, 1 unproved"),
        (
            "unchecked",
            ("unproved: it is fast", "unproved claim: a.py was not modified"),
            "unchecked, 2 unproved",
        ),
    ],
)
def test_a_success_says_what_is_proved_of_it(
    home: BuiltHome, evt: Evt, verified: str, evidence: tuple[str, ...], told: str
) -> None:
    succeeded(home, "one", verified, *evidence)
    (row,) = evt("list", "--json").document
    assert (row["status"], status_of(row)) == ("succeeded", f"succeeded ({told})")
    assert f"  succeeded ({told})  medium  " in evt("list").out
    assert f"  succeeded ({told})  " in columns(evt("status").lines, "ended")["one"]
    assert evt("wait", "one").out == f"one  succeeded ({told})  Fix the total\n"
    lines = summary(list(home.log.stream("task-one"))).splitlines()
    assert f"Status:    succeeded, {told}" in lines
    assert {f"            - {line}" for line in evidence} <= set(lines)
    page = evt("show", "one").lines
    assert f"verified    {verified}" in page
    assert {f"{'':12}- {line}" for line in evidence} <= set(page)


def test_a_task_that_did_not_succeed_proves_nothing(home: BuiltHome, evt: Evt) -> None:
    home.fail("bad")
    home.queue("two")
    for row in evt("list", "--json").document:
        assert status_of(row) == row["status"]


def test_checks_are_told_with_how_each_went(home: BuiltHome, evt: Evt) -> None:
    home.queue("one")
    home.claim("one")
    home.finish_turn("one")
    home.task("one", *(CheckFinished(attempt=1, result=result) for result in (PASSED, FAILED)))
    lines = evt("show", "one").lines
    start = next(number for number, line in enumerate(lines) if line.startswith("checks"))
    assert [line[12:] for line in lines[start : start + 2]] == [
        "`pytest -q` passed after 1.2s",
        "`ruff` failed with code 2 after 0.3s",
    ]
