"""Verified, not believed: checks, criteria that nobody proved, and claims that no comparison found."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.attempt import ATTEMPT
from handlers.ending import full_verdict
from handlers.verification import due_checks, evidence, failures, unproved_claims, verified
from schemas.attempt import InterruptAttempt, NoteFiles
from tests.rule_bench import (
    Bench,
    check,
    checked,
    claimed,
    queued,
    received,
    snapshot,
    turn_finished,
    turn_started,
)

TESTS = {"text": "tests pass", "check": "make test"}
LINT = {"text": "no warnings", "check": "make lint"}
PROSE = {"text": "reads well", "check": None}


def asking(*criteria: dict[str, Any]) -> dict[str, Any]:
    return {"criteria": list(criteria)}


def results(*passed: bool) -> list[dict[str, Any]]:
    """One result for each criterion from the first on."""
    return [check(index, passed=one).model_dump(mode="json") for index, one in enumerate(passed)]


def ended(*criteria: dict[str, Any], **over: Any) -> Bench:
    """A task with such criteria whose agent has answered well, unless something else is said."""
    return Bench(
        received(criteria=criteria), queued(), claimed(), snapshot(), turn_started(), turn_finished(**over)
    )


# what is due, and what it proves


def test_a_criterion_with_a_command_is_a_check_that_is_due() -> None:
    assert due_checks(asking(PROSE, TESTS, PROSE, LINT)) == [(1, "make test"), (3, "make lint")]
    assert due_checks(asking(PROSE)) == due_checks(asking()) == []


@pytest.mark.parametrize(
    ("criteria", "passed", "found"),
    [
        ((TESTS, LINT), (True, True), "passed"),
        ((TESTS, LINT), (True, False), "failed"),
        ((TESTS, LINT), (False,), "failed"),
        ((TESTS, LINT), (True,), "unchecked"),
        ((TESTS, LINT), (), "unchecked"),
        ((PROSE,), (), "unchecked"),
        ((), (), "unchecked"),
        ((TESTS, PROSE), (True,), "passed"),
    ],
)
def test_passed_is_what_was_run_whole_and_failed_what_failed_once(
    criteria: tuple[dict[str, Any], ...], passed: tuple[bool, ...], found: str
) -> None:
    assert verified(asking(*criteria), results(*passed)) == found


def test_every_criterion_has_its_line() -> None:
    proof = evidence(asking(TESTS, PROSE, LINT), results(True), "Done.", ())
    assert proof == (
        "check passed: `make test` (1.2 s)",
        "unproved: reads well",
        "check not run: `make lint`",
    )


@pytest.mark.parametrize(
    ("over", "how"),
    [
        ({"exit_code": 2}, "exit code 2"),
        ({"exit_code": 1, "output": {"tail": "one\n2 failed\n \n"}}, "exit code 1: 2 failed"),
        ({"exit_code": 1, "note": "its output was cut"}, "its output was cut"),
        ({"ended": "timeout", "exit_code": None}, "its time was over"),
        ({"ended": "not_started", "exit_code": None, "note": "no shell"}, "no shell"),
        ({"ended": "not_started", "exit_code": None}, "not started"),
    ],
)
def test_a_check_that_failed_says_how(over: dict[str, Any], how: str) -> None:
    result = check(passed=False, **over).model_dump(mode="json")
    (line,) = evidence(asking(TESTS), [result], "", ())
    assert line == f"check failed: `make test` ({how}, 1.2 s)"
    assert failures([result, *results(True)]) == f"1 of 2 checks failed: `make test` ({how}, 1.2 s)"


# the end of an attempt


def test_a_task_whose_checks_passed_succeeds_as_verified() -> None:
    bench = ended(TESTS, PROSE)
    bench.given(checked())
    (event,) = bench.end()
    assert (event.type, event.data["verified"]) == ("task_succeeded", "passed")
    assert event.data["evidence"][-2:] == ["check passed: `make test` (1.2 s)", "unproved: reads well"]


def test_a_check_that_failed_is_told_to_the_agent_once_and_then_ends_the_task() -> None:
    bench = ended(TESTS, LINT)
    bench.given(checked(), checked(index=1, passed=False))
    (again,) = bench.end()
    assert (again.type, again.data["error_class"], again.data["reason"]) == (
        "retry_scheduled",
        "validation",
        "check_failed",
    )
    assert again.data["sentence"].startswith("1 of 2 checks failed: `make test`")
    bench.given(claimed(2), snapshot(2), turn_started(2, 1), turn_finished(2))
    bench.given(checked(2), checked(2, index=1, passed=False))
    (event,) = bench.end(attempt=2)
    assert (event.type, event.data["error_class"], event.data["reason"]) == (
        "task_failed",
        "validation",
        "check_failed",
    )
    assert (event.data["verified"], event.data["claimed"]) == ("failed", "Done.")
    assert event.data["sentence"].startswith("1 of 2 checks failed: `make test`")
    assert event.data["suggested_actions"]


def test_a_failure_of_the_agent_is_told_before_that_of_a_check() -> None:
    bench = ended(TESTS, subtype="error_max_turns", is_error=True)
    bench.given(checked(passed=False))
    (event,) = bench.end()
    assert (event.data["error_class"], event.data["verified"]) == ("turn_cap", "failed")


def test_an_answer_whose_checks_were_not_run_is_no_success_yet() -> None:
    bench = ended(TESTS)
    (event,) = bench.do(InterruptAttempt)
    assert (event.type, event.data["owes_checks"]) == ("task_interrupted", True)
    state = bench.state(ATTEMPT)
    assert state.owed == state.report
    assert "check not run: `make test`" in full_verdict(state).evidence


def test_without_an_answer_nothing_is_proved_or_claimed() -> None:
    (event,) = ended(PROSE, has_result=False, exit_code=0).end()
    assert event.data["reason"] == "no_result"
    assert not [line for line in event.data["evidence"] if "unproved" in line]


def test_what_was_renamed_was_changed_under_both_its_names() -> None:
    bench = ended(result_text="I renamed old.py and updated new.py, and I changed other.py.")
    bench.do(NoteFiles, files=({"path": "new.py", "change": "renamed", "moved_from": "old.py"},))
    (event,) = bench.end()
    assert [line for line in event.data["evidence"] if "unproved" in line] == [
        "unproved claim: other.py was not modified"
    ]


# claims

HONEST = [
    "I read cart.py and found nothing wrong.",
    "I did not change cart.py.",
    "I didn't change cart.py; I haven't edited shop.py either.",
    "I don\u2019t think that cart.py was changed.",
    "You should edit cart.py.",
    "cart.py can be changed by hand, and shop.py must be updated.",
    "Next: edit cart.py, fix shop.py.",
    "Would you like me to update cart.py?",
    "If cart.py were rewritten, it would be faster.",
    "No file was modified, cart.py included.",
    "Nothing was changed in cart.py.",
    "I added what https://example.com/docs/cart.py says.",
    "I updated it as www.example.com and example.com/cart.html describe.",
    "I fixed it for Python 3.11, node 20.1.0 and v2.1.rc1.",
    "I fixed the sum, e.g. for negative numbers, i.e. below 0.",
    "I moved the U.S. prices, and updated those of 5 p.m. too.",
    "I replaced os.path.join with pathlib.Path, and self.total with Cart.total.",
    "I updated Node.js, Vue.js and next.js.",
    "I fixed cart.total() and shop.open(now).",
    "I wrote ann@example.org about it.",
    "I changed the function add.",
    "",
]


@pytest.mark.parametrize("claim", HONEST)
@pytest.mark.parametrize("files", [(), ("README.md",)])
def test_what_claims_no_change_of_a_file_is_not_called_unproved(claim: str, files: tuple[str, ...]) -> None:
    assert unproved_claims(claim, files) == ()


BOLD = [
    ("I changed cart.py.", "cart.py"),
    ("Fixed: `src/cart.py`", "src/cart.py"),
    ("- Added tests in tests/test_cart.py", "tests/test_cart.py"),
    ("I updated ./src/cart.py:12 and was done.", "./src/cart.py"),
    ("I rewrote /srv/shop/cart.py.", "/srv/shop/cart.py"),
    ("I rewrote C:\\shop\\src\\cart.py.", "cart.py"),
    ("Modified (cart.py)", "cart.py"),
    ("**config.prod.yaml** was updated", "config.prod.yaml"),
    ("Created docs/notes.unusual", "docs/notes.unusual"),
    ("I read shop.txt.\nThen cart.py was refactored! Done.", "cart.py"),
    ("I removed cart.py?", "cart.py"),
]


@pytest.mark.parametrize(("claim", "path"), BOLD)
def test_a_file_that_is_said_to_be_changed_and_was_not_is_called_unproved(claim: str, path: str) -> None:
    assert unproved_claims(claim, ["README.md"]) == (f"unproved claim: {path} was not modified",)


@pytest.mark.parametrize(("claim", "path"), BOLD)
def test_where_no_file_was_modified_one_line_says_so(claim: str, path: str) -> None:
    assert unproved_claims(claim, []) == (
        "unproved claim: the agent says that it changed files, but no file was modified",
    )


@pytest.mark.parametrize(
    ("claim", "file"),
    [
        ("I changed cart.py.", "cart.py"),
        ("I changed cart.py.", "src/shop/cart.py"),
        ("I changed Cart.PY.", "src/cart.py"),
        ("I changed ./src/cart.py.", "src/cart.py"),
        ("I changed shop/src/cart.py.", "src/cart.py"),
        ("I changed /srv/shop/src/cart.py.", "src/cart.py"),
        ("I changed C:\\shop\\src\\cart.py.", "src/cart.py"),
    ],
)
def test_a_file_is_found_however_much_of_its_path_is_told(claim: str, file: str) -> None:
    assert unproved_claims(claim, [file, "README.md"]) == ()


def test_a_file_of_another_folder_is_another_file() -> None:
    assert unproved_claims("I changed src/cart.py.", ["lib/cart.py"])
    assert unproved_claims("I changed cart.py.", ["my-cart.py"])


def test_each_file_is_named_once_and_ten_at_most() -> None:
    many = " ".join(f"I changed f{number}.py." for number in (*range(30), *range(30)))
    found = unproved_claims(many, ["README.md"])
    assert found == tuple(f"unproved claim: f{number}.py was not modified" for number in range(10))


@given(st.text(max_size=300), st.lists(st.text(max_size=10), max_size=3))
def test_no_text_can_break_the_reading_of_claims(claim: str, files: list[str]) -> None:
    lines = unproved_claims(f"changed {claim}", files)
    assert all(line.startswith("unproved claim: ") for line in lines)
    assert len(lines) <= 10


@pytest.mark.parametrize("part", ["a/", "a.", "a.b/", "-", "changed a.py ", "../", "a", "\\"])
def test_a_long_claim_of_one_kind_is_read_to_its_end(part: str) -> None:
    assert len(unproved_claims("changed " + part * (4000 // len(part)), ["b"])) <= 1
