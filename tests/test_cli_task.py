"""One task: `evt show` and `evt wait`."""

import threading
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from schemas.attempt import TaskCancelled, TaskInterrupted, TaskSucceeded
from schemas.task import CancelRequested
from tests.holding_facts import again
from tests.homes import BuiltHome
from tests.reading_evt import Evt


@pytest.fixture
def home(tmp_path: Path) -> Iterator[BuiltHome]:
    with BuiltHome(tmp_path / "home") as built:
        yield built


@pytest.fixture
def evt(home: BuiltHome, capsys: pytest.CaptureFixture[str]) -> Evt:
    return Evt(home.root, capsys)


# show


def test_show_tells_the_three_parts_of_an_outcome(home: BuiltHome, evt: Evt) -> None:
    home.succeed("Good", "first line\nsecond line")
    home.write_artifact("Good")
    said = evt("show", "GOOD")
    assert said.code == 0
    labelled = {line[:12].strip(): line[12:] for line in said.lines if line[:12].strip()}
    assert said.lines[0] == "Good  succeeded  Fix the total"
    assert labelled["ended"] == "the agent exited with code 0"
    assert labelled["claimed"] == "first line"
    assert f"{'':12}second line" in said.lines
    assert labelled["verified"] == "unchecked"
    assert labelled["attempts"] == "1 by worker-1: 0.0123 USD, session 3f2c, succeeded"
    assert labelled["files"] == "modified shop/cart.py"
    assert labelled["cost"] == "0.0123 USD; 100 tokens in, 20 out, 400 from the cache"
    assert labelled["artifact"] == str(home.root / "results" / "Good.json")
    assert any("task_claimed" in line and "attempt 1 by worker-1" in line for line in said.lines)


def test_show_says_where_a_file_is_not_there(home: BuiltHome, evt: Evt) -> None:
    home.succeed("Good")
    home.write_artifact("Good")
    gone = "(not there: `evt project artifacts --write` writes it again)"
    before = evt("show", "good").out.count(gone)
    (home.root / "results" / "Good.json").unlink()
    assert evt("show", "good").out.count(gone) == before + 1


def test_show_judges_nothing_before_the_checks_are_over(home: BuiltHome, evt: Evt) -> None:
    home.queue("Slow")
    home.claim("Slow")
    home.finish_turn("Slow")
    labelled = {line[:12].strip(): line[12:] for line in evt("show", "slow").lines}
    assert labelled["verified"] == "not yet"


def test_show_tells_why_a_task_failed_and_what_to_do(home: BuiltHome, evt: Evt) -> None:
    home.fail("bad")
    said = evt("show", "bad").out
    for part in (
        "interactive, permission_denied",
        "the agent was not permitted to use Bash.",
        "- Say in the prompt what it may do.",
    ):
        assert part in said


def test_show_tells_the_warnings_of_a_task_that_waits(home: BuiltHome, evt: Evt) -> None:
    home.queue("one", warnings=("`colour` is not known, it is kept.",), after=("two",))
    said = evt("show", "one").out
    assert "`colour` is not known, it is kept." in said
    assert "waits for two (unknown)" in said
    assert "none yet" in said


def test_show_gives_row_and_envelopes_as_json(home: BuiltHome, evt: Evt) -> None:
    home.succeed("Good")
    home.succeed("other")
    document = evt("show", "good", "--json").document
    assert document["task"]["id"] == "Good"
    assert document["task"]["status"] == "succeeded"
    assert document["events"] == [event.envelope for event in home.log.stream("task-good")]
    assert document["artifact"] is None


def test_show_takes_the_beginning_of_an_id(home: BuiltHome, evt: Evt) -> None:
    home.succeed("login-fix")
    home.queue("login-page")
    home.queue("page")
    assert evt("show", "Login-F").lines[0].startswith("login-fix")
    ambiguous = evt("show", "login")
    assert ambiguous.code == 2
    assert '"login" could be any of 2 tasks: login-fix, login-page.' in ambiguous.err
    unknown = evt("show", "login-fxi")
    assert unknown.code == 6
    assert "Did you mean login-fix?" in unknown.err
    home.queue("login")
    assert evt("show", "login").lines[0].startswith("login  ")


def test_an_empty_id_names_no_task(home: BuiltHome, evt: Evt) -> None:
    home.succeed("one")
    assert evt("show", " ").code == 2


def test_a_refusal_is_shown_by_its_place_and_by_its_own_id(home: BuiltHome, evt: Evt) -> None:
    home.refuse("other.task.md")
    refusal = home.refuse("bad.task.md")
    for name in (f"refused-{refusal}", "bad-1234"):
        said = evt("show", name)
        assert said.code == 0
        assert "the key `env` may not be set." in said.out
        assert "Take the key out." in said.out
        assert "bad-1234abcd.refused.task.md" in said.out
        assert "other" not in said.out
    events = evt("show", "bad-1234", "--json").document["events"]
    assert [event["type"] for event in events] == ["task_refused", "task_archived"]


def test_an_error_is_json_where_json_was_asked_for(evt: Evt) -> None:
    said = evt("show", "nobody", "--json")
    assert (said.code, said.out) == (6, "")
    error = orjson.loads(said.err)["error"]
    assert error["code"] == "not_found"
    assert error["message"] == 'there is no task "nobody".'
    assert error["hint"]


def test_a_refusal_is_found_by_its_files_whole_name_beside_one_that_begins_so(
    home: BuiltHome, evt: Evt
) -> None:
    first, second = home.refuse("rn.task.md"), home.refuse("rn2.task.md")
    assert evt("show", "rn").lines[0].startswith(f"refused-{first} ")
    several = evt("show", "r", "--json")
    error = orjson.loads(several.err)["error"]
    assert (several.code, error["hint"]) == (2, "Name one of them.")
    assert f"refused-{first}, refused-{second}." in error["message"]


def test_show_tells_an_end_before_the_retry_as_such(home: BuiltHome, evt: Evt) -> None:
    home.queue("one")
    home.task("one", TaskCancelled(**home.end(), reason="gone", by="cli:me"))
    assert "before it" not in evt("show", "one").out
    home.task("one", again("one", was="cancelled"))
    said = evt("show", "one").lines
    heading = said.index("outcome     none yet since the retry; before it:")
    assert said.index("cancelled   by cli:me: gone") > heading


def test_after_a_retry_what_to_do_about_the_failure_is_told_no_more(home: BuiltHome, evt: Evt) -> None:
    home.fail("bad")
    assert "what to do" in evt("show", "bad").out
    home.task("bad", again("bad", was="failed"))
    said = evt("show", "bad").out
    assert ("what to do" in said, "before it" in said) == (False, True)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ("failed", "`evt retry other` has that done again, and this one follows"),
        ("unknown", "add a task of the id other"),
        ("queued", None),
    ],
)
def test_show_and_wait_tell_what_a_task_waits_for_and_what_to_do(
    home: BuiltHome, evt: Evt, other: str, words: str | None
) -> None:
    if other == "failed":
        home.fail("other")
    elif other == "queued":
        home.queue("other")
    home.queue("one", after=("other",))
    page, waited = evt("show", "one").out, evt("wait", "one", "--timeout", "0").err
    assert f"note: it waits for other ({other})" in waited
    if words is None:
        assert "what to do" not in page
    else:
        assert f"what to do  - {words}\n{'':12}- `evt cancel one` takes it back\n" in page
        assert f"({other}); {words}; `evt cancel one` takes it back.\n" in waited


# wait


def test_wait_answers_with_the_exit_code_of_the_end(home: BuiltHome, evt: Evt) -> None:
    home.succeed("good")
    home.fail("bad")
    home.queue("stopped")
    home.task("stopped", TaskCancelled(**home.end(), reason="not wanted", by="cli:me"))
    home.refuse()
    for name, code in (("good", 0), ("bad", 5), ("stopped", 3), ("refused", 2), ("nobody", 6)):
        assert evt("wait", name).code == code
    assert evt("wait", "bad").out == "bad  failed  Fix the total: the agent was not permitted to use Bash.\n"
    document = evt("wait", "good", "--json").document
    assert (document["id"], document["status"]) == ("good", "succeeded")


def test_wait_ends_when_the_time_is_over(home: BuiltHome, evt: Evt) -> None:
    home.queue("slow")
    home.store_views()
    said = evt("wait", "slow", "--timeout", "0")
    assert (said.code, said.out) == (3, "")
    assert "slow is still queued after 0 s." in said.err
    assert "no service owns this home" in said.err


@pytest.mark.parametrize("seconds", ["-1", "nan", "inf", "soon"])
def test_a_timeout_that_is_no_length_of_time_is_refused(home: BuiltHome, evt: Evt, seconds: str) -> None:
    home.queue("slow")
    assert evt("wait", "slow", f"--timeout={seconds}").code == 2


def test_wait_sees_the_end_that_comes_later(home: BuiltHome, evt: Evt) -> None:
    home.queue("Slow")
    home.claim("Slow")

    def end() -> None:
        home.task("Slow", CancelRequested(reason="no"), TaskInterrupted(attempt=1, reason="restart"))
        home.finish_turn("Slow")
        home.task("Slow", TaskSucceeded(**home.end(), claimed="", verified="unchecked"))

    later = threading.Timer(0.3, end)
    later.start()
    said = evt("wait", "slow", "--timeout", "60")
    later.join()
    assert (said.code, said.out) == (0, "Slow  succeeded (unchecked)  Fix the total\n")


def test_one_that_came_after_what_it_waits_for_had_succeeded_is_not_told_to_wait(
    home: BuiltHome, evt: Evt
) -> None:
    home.succeed("first")
    home.queue("second", after=("first",))
    (row,) = [line for line in evt("list").lines if line.startswith("second")]
    assert "waited for first (succeeded): a service lets it go on" in row
